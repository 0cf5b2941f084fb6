// What waits is limited in tokens, and what can never be run does not wait.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Completion, Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { loadNano } from "../../../support/nano";
import { ask, type Json, metric, puppet, request, until } from "../harness";

const PATH = "/v1/completions";

/** A model with one place, which somebody else has: whatever comes waits. */
let model: Model;
let holder: Completion;
let server: Server;
beforeAll(async () => {
  model = await loadNano({ sequences: 1 });
});
afterAll(() => model.close());

async function status(path: string, body: object): Promise<Json> {
  const response = await server.fetch(request(path, body));
  return { status: response.status, ...((await response.json()) as Json) };
}

describe("what can never fit is refused while others still run", () => {
  let held: AsyncIterator<unknown>;
  beforeEach(async () => {
    server = createServer(model, { template: "chatml" });
    holder = model.complete("Il re", { maxTokens: 100 });
    held = holder[Symbol.asyncIterator]();
    await held.next();
    // The server knows of its own requests only: one of them is in front.
    const first = server.fetch(request(PATH, { prompt: "a", max_tokens: 1 }));
    await until(async () => (await metric(server, "zagreus_requests_running")) === 1);
    return async () => {
      await held.return!();
      expect((await first).status).toBe(200);
      expect(await metric(server, "zagreus_queue_prompt_tokens")).toBe(0);
    };
  });
  const long = "parola ".repeat(600);
  const said = [{ role: "user", content: long }];
  const routes: [path: string, param: string, body: object][] = [
    [PATH, "prompt", { prompt: long }],
    [PATH, "prompt", { prompt: [[5], Array(513).fill(5)] }],
    ["/v1/chat/completions", "messages", { messages: said }],
    ["/v1/responses", "input", { input: long }],
    ["/v1/embeddings", "input", { input: ["a", long] }],
  ];
  test.each(routes.flatMap((route) => [false, true].map((stream) => [...route, stream] as const)))(
    "%s: %s",
    async (path, param, body, stream) => {
      const { status: code, error } = await status(path, path.endsWith("embeddings") ? body : { ...body, stream });
      expect([code, error.code, error.param]).toEqual([400, "context_length_exceeded", param]);
      expect(error.message).toMatch(/^[\d,]+ tokens do not fit into the context of 512 tokens$/);
      expect(holder.finishReason).toBeUndefined();
    },
  );
  test.each([false, true])("/v1/messages: %s", async (stream) => {
    const answer = await status("/v1/messages", { messages: said, max_tokens: 5, stream });
    expect([answer.status, answer.error.message]).toEqual([400, expect.stringMatching(/fit into the context of 512 /)]);
  });
});

test("a text that outgrows all there is ends with its length", async () => {
  const tiny = await loadNano({ contextLength: 64, cacheBudget: 0, sequences: 1 });
  expect(tiny.info.cacheLength).toBe(64);
  const logit_bias = Object.fromEntries(tiny.info.tokenizer.end.map((end) => [end, -100]));
  const body = { prompt: "Il re", max_tokens: 64, logit_bias, stop: [], loop_stop: false };
  const { choices, usage } = await ask(createServer(tiny), PATH, body);
  expect([choices[0].finish_reason, usage.total_tokens]).toEqual(["length", 64]);
  tiny.close();
});

describe("tokens that wait", () => {
  /** An answer that has come; undefined while it has not. */
  const soon = (answer: Promise<Response>) =>
    Promise.race([answer, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20))]);

  test("are limited for each client, with both numbers; what is larger alone is not asked for again", async () => {
    const { server, talks } = puppet({ maxQueueTokens: 100 });
    const visit = (client: string, length: number, more = {}) =>
      server.fetch(request(PATH, { prompt: "a".repeat(length), ...more }), { client });
    const answers = [visit("a", 1)];
    await until(() => talks.length > 0);
    answers.push(visit("a", 60), visit("a", 20, { n: 2 }));
    await until(async () => (await metric(server, "zagreus_queue_prompt_tokens")) === 100);
    for (const stream of [true, false]) {
      const refused = await visit("a", 1, { stream });
      const seconds = Number(refused.headers.get("retry-after"));
      expect([refused.status, seconds >= 1 && seconds <= 60]).toEqual([429, true]);
      const { error } = (await refused.json()) as Json;
      expect(error).toMatchObject({ type: "rate_limit_error", code: "queue_full" });
      expect(error.message).toMatch(/^prompts with about 100 tokens .* with the 1 of this request more than 100; /);
    }
    answers.push(visit("b", 90));
    expect(await soon(answers.at(-1)!)).toBeUndefined();
    const never = await visit("c", 34, { n: 3 });
    expect([never.status, ((await never.json()) as Json).error]).toEqual([
      400,
      expect.objectContaining({ code: "too_many_tokens", message: expect.stringMatching(/3 texts .* 102 .* 100 /) }),
    ]);
    for (let i = 0; i < 5; i++) {
      await until(() => talks.length > i);
      talks[i]!.end();
    }
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(await metric(server, "zagreus_queue_prompt_tokens")).toBe(0);
  });

  test("are those of all texts of a batch, of embeddings too, and of choices", async () => {
    const { server, talks } = puppet({ maxQueueTokens: 1000 });
    const first = server.fetch(request(PATH, { prompt: "a" }));
    await until(() => talks.length > 0);
    const waiting = () => metric(server, "zagreus_queue_prompt_tokens");
    const controller = new AbortController();
    const visit = (path: string, body: object) => server.fetch(request(path, body, { signal: controller.signal }));
    const messages = [{ role: "user", content: "a" }];
    const said = JSON.stringify([messages, undefined]).length;
    const asked: [path: string, body: object, tokens: number][] = [
      [PATH, { prompt: ["a".repeat(10), "b".repeat(20)], n: 3 }, 90],
      [PATH, { prompt: [[1, 2, 3], [4]] }, 4],
      ["/v1/embeddings", { input: ["a".repeat(7), "b".repeat(8)] }, 15],
      ["/v1/chat/completions", { messages, n: 2 }, 2 * said],
    ];
    let sum = 0;
    for (const [path, body, tokens] of asked) {
      visit(path, body).catch(() => {});
      sum += tokens;
      await until(async () => (await waiting()) === sum);
    }
    controller.abort();
    await until(async () => (await waiting()) === 0);
    talks[0]!.end();
    expect((await first).status).toBe(200);
  });

  test("wait no more when their prompt is being read", async () => {
    const { server, talks } = puppet({ maxQueueTokens: 50 });
    const answers = ["a", "b".repeat(50)].map((prompt) => server.fetch(request(PATH, { prompt })));
    await until(async () => (await metric(server, "zagreus_queue_prompt_tokens")) === 50);
    talks[0]!.end();
    await until(() => talks.length > 1);
    await until(async () => (await metric(server, "zagreus_queue_prompt_tokens")) === 0);
    talks[1]!.end();
    for (const answer of answers) expect((await answer).status).toBe(200);
  });
});
