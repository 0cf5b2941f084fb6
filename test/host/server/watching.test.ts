// What a server says of its work: how far prompts are read, a report of each request, its id, what stands at its root.

import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type RequestReport, type Server } from "zagreus-edge/server";
import { loadNano } from "../../support/nano";
import { ask, events, type Json, puppet, refusal, request, stream, until } from "./harness";

const TEXT = "/v1/completions";
const CHAT = "/v1/chat/completions";
let model: Model;
let server: Server;
const reports: RequestReport[] = [];

beforeAll(async () => {
  model = await loadNano();
  server = createServer(model, { template: "chatml", onRequest: (report) => reports.push(report) });
});
afterAll(() => model.close());

const tokens = (length: number, salt = 0) => Array.from({ length }, (_, i) => (3 + salt + i * 31) % 4096);

test.each([
  [TEXT, { prompt: tokens(150), max_tokens: 2 }],
  [CHAT, { messages: [{ role: "user", content: "parola ".repeat(80) }], max_tokens: 2 }],
])("%s says how far a prompt is read, as llama-server does", async (path, body) => {
  for (const again of [false, true]) {
    const chunks = await stream(server, path, { ...body, return_progress: true });
    const told = chunks.flatMap(({ prompt_progress }) => prompt_progress ?? []);
    const { total, cache } = told[0];
    expect(told[0]).toEqual({ total, cache, processed: cache, time_ms: expect.any(Number) });
    expect(total).toBeGreaterThan(64); // more than one batch
    if (again) expect(cache).toBe(total - 1);
    else expect([cache, told.length]).toEqual([0, expect.any(Number)]);
    told.slice(1).forEach((progress, i) => {
      expect(progress).toMatchObject({ total, cache });
      expect(progress.processed).toBeGreaterThan(told[i].processed);
      expect(progress.time_ms).toBeGreaterThanOrEqual(told[i].time_ms);
    });
    expect(told.at(-1).processed).toBe(total);
    // All of them before the first token, each a chunk as the others are.
    const last = chunks.findLastIndex(({ prompt_progress }) => prompt_progress);
    expect(chunks.findIndex(({ prompt_progress }) => !prompt_progress)).toBe(last + 1);
    for (const { choices } of chunks) expect(choices[0]).toMatchObject({ index: 0 });
  }
});

test("every choice and prompt of a request is told by its index; without a stream, or unasked, nothing is", async () => {
  const body = { prompt: [tokens(20, 1), tokens(20, 2)], n: 2, max_tokens: 1, return_progress: true };
  const chunks = await stream(server, TEXT, body);
  const indexes = chunks.filter(({ prompt_progress }) => prompt_progress).map(({ choices }) => choices[0].index);
  expect([...new Set(indexes)]).toEqual([0, 1, 2, 3]);
  expect(JSON.stringify(await ask(server, TEXT, body))).not.toContain("prompt_progress");
  expect(JSON.stringify(await stream(server, TEXT, { prompt: "a", max_tokens: 1 }))).not.toContain("prompt_progress");
  const tooLong = { prompt: tokens(600), stream: true, return_progress: true };
  expect(await refusal(server, TEXT, tooLong)).toMatchObject({ status: 400, code: "context_length_exceeded" });
  expect(await refusal(server, TEXT, { prompt: "a", return_progress: 1 })).toMatchObject({ param: "return_progress" });
});

test("progress comes while the prompt is read, not after it", async () => {
  let go = () => {};
  const slow = {
    closed: false,
    info: model.info,
    complete(_: unknown, { onPrefill }: { onPrefill(progress: object): void }) {
      return {
        tokens: [],
        async *[Symbol.asyncIterator]() {
          onPrefill({ done: 0, total: 9, reused: 0 });
          await new Promise<void>((resolve) => {
            go = resolve;
          });
          onPrefill({ done: 9, total: 9, reused: 0 });
          yield { text: "x", token: 1 };
        },
      };
    },
  };
  const response = await createServer(slow as never).fetch(
    request(TEXT, { prompt: "a", stream: true, return_progress: true }),
  );
  const reader = response.body!.pipeThrough(new TextDecoderStream() as never).getReader();
  expect((await reader.read()).value).toContain('"prompt_progress":{"total":9,"cache":0,"processed":0,');
  go();
  let rest = "";
  for (let step = await reader.read(); !step.done; step = await reader.read()) rest += step.value;
  expect(rest).toContain('"processed":9,');
});

test("a report of every request", async () => {
  reports.length = 0;
  const prompt = tokens(40, 5);
  for (let i = 0; i < 2; i++) await ask(server, TEXT, { prompt, max_tokens: 4, logit_bias: { 8177: -100 } });
  await refusal(server, `${TEXT}?key=secret`, { prompt: "a", model: "gpt" });
  await server.fetch(request("/nowhere\u2028"), { client: "::1" });
  await ask(server, "/v1/embeddings", { input: "ciao" });
  const [first, again, unknown, nowhere, embedding] = reports as [RequestReport, ...RequestReport[]];
  const common = { method: "POST", path: TEXT, model: "zagreus-nano", status: 200, error: undefined };
  expect(first).toMatchObject({ ...common, client: "", promptTokens: 40, reusedTokens: 0, completionTokens: 4 });
  expect(again).toMatchObject({ ...common, promptTokens: 40, reusedTokens: 39, completionTokens: 4 });
  expect(Date.now() - first.time.getTime()).toBeLessThan(60_000);
  expect(first.queueMs).toBeGreaterThan(0);
  expect(first.firstTokenMs).toBeGreaterThan(first.queueMs!);
  expect(first.ms).toBeGreaterThan(first.firstTokenMs!);
  expect(first.tokensPerSecond).toBeGreaterThan(0);
  expect(unknown).toMatchObject({ status: 404, error: "model_not_found", model: undefined, path: TEXT });
  expect(nowhere).toMatchObject({ status: 404, error: "unknown_url", client: "::1", queueMs: undefined });
  expect(embedding).toMatchObject({ status: 200, promptTokens: model.tokenize("ciao").length, completionTokens: 0 });
  const known = 'there is no model "gpt", only "zagreus-nano"';
  expect(await refusal(server, TEXT, { prompt: "a", model: "gpt" })).toMatchObject({ message: known });
});

test("nothing that is said, and no key, is in a report, a metric or an error that is told", async () => {
  const canary = (where: string) => `canary ${where}`;
  const key = canary("key").replace(" ", "-");
  const told: unknown[] = [];
  const logged = ["log", "error", "warn"].map((name) =>
    vi.spyOn(console, name as "log").mockImplementation((...all) => void told.push(all.map(String))),
  );
  const onRequest = (report: RequestReport) => told.push(report);
  const options = { apiKeys: [key], onRequest, onError: (error: unknown) => told.push((error as Error).stack) };
  const server = createServer(model, { ...options, template: "chatml" });
  const messages = [
    { role: "system", content: canary("system") },
    { role: "user", content: canary("user") },
  ];
  const schema = { type: "object", properties: { [canary("property")]: { const: canary("const") } } };
  const called = { name: "pick", arguments: JSON.stringify({ a: canary("argument") }) };
  const call = { role: "assistant", tool_calls: [{ id: "1", type: "function", function: called }] };
  const tools = [{ type: "function", function: { name: "pick", description: canary("tool"), parameters: schema } }];
  const bodies: [path: string, body: object][] = [
    [TEXT, { prompt: canary("prompt"), stop: [canary("stop")], max_tokens: 4 }],
    [TEXT, { prompt: canary("long ").repeat(500) }],
    [TEXT, { prompt: "a", grammar: `root ::= "${canary("grammar")}` }],
    [TEXT, { prompt: "a", stop: { a: canary("stop") } }],
    [CHAT, { messages, tools, max_tokens: 4, response_format: { type: "json_schema", json_schema: { schema } } }],
    [
      CHAT,
      { messages: [...messages, call, { role: "tool", tool_call_id: "1", content: canary("result") }], max_tokens: 4 },
    ],
    [CHAT, { messages: [{ role: canary("role"), content: "a" }] }],
    ["/v1/responses", { input: canary("input"), instructions: canary("instructions"), max_output_tokens: 16 }],
    ["/v1/messages", { messages: messages.slice(1), system: canary("system"), max_tokens: 4 }],
    ["/v1/embeddings", { input: [canary("embedding")] }],
    ["/tokenize", { content: canary("content") }],
    ["/v1/completions?key=canary", { prompt: canary("query") }],
  ];
  const statuses: number[] = [];
  for (const wanted of [key, canary("wrong key")]) {
    for (const [path, body] of bodies) {
      const answer = await server.fetch(request(path, body, { headers: { authorization: `Bearer ${wanted}` } }));
      statuses.push(answer.status);
      await answer.text();
    }
  }
  const metrics = await server.fetch(request("/metrics", undefined, { headers: { authorization: `Bearer ${key}` } }));
  told.push(await metrics.text());
  for (const spy of logged) spy.mockRestore();
  expect(new Set(statuses)).toEqual(new Set([200, 400, 401]));
  expect(told.length).toBeGreaterThan(2 * bodies.length);
  expect(JSON.stringify(told)).not.toContain("canary");
});

test("a client that leaves is reported once, with what was read and written; what onRequest throws hurts nobody", async () => {
  const told: RequestReport[] = [];
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const { server, talks } = puppet({
    onRequest(report) {
      told.push(report);
      throw new Error("full disk");
    },
  });
  const controller = new AbortController();
  const answer = server.fetch(request(TEXT, { prompt: "a", stream: true }, { signal: controller.signal }));
  await until(() => talks.length === 1);
  talks[0]!.say("x");
  const reader = (await answer).body!.getReader();
  await reader.read();
  controller.abort();
  await reader.cancel();
  await until(() => told.length > 0);
  expect(told).toMatchObject([{ status: 499, error: "client_closed_request", completionTokens: 1 }]);
  expect(error).toHaveBeenCalledOnce();
  error.mockRestore();
});

test("the client's request id is taken over when it is well-formed, also twice at a time", async () => {
  const idOf = async (id: string) =>
    (await server.fetch(request("/health", undefined, { headers: { "x-request-id": id } }))).headers.get(
      "x-request-id",
    );
  for (const id of ["a", "5f1c-77:x/y+z=.", "x".repeat(128)]) {
    expect(await Promise.all([idOf(id), idOf(id)])).toEqual([id, id]);
  }
  for (const id of ["", "a b", "a\tb", "é", "<a>", "x".repeat(129)])
    expect(await idOf(id)).toMatch(/^req_[0-9a-f]{32}$/);
});

test("the root says what this is and what there is to ask for, to programs and to people, without a key", async () => {
  const closed = createServer(model, { apiKeys: ["k"] });
  const json = (await (await closed.fetch(request("/"))).json()) as Json;
  expect(json.name).toBe("zagreus-edge");
  expect(json.routes).toContain("POST /v1/chat/completions");
  const page = await closed.fetch(request("/", undefined, { headers: { accept: "text/html,*/*" } }));
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const text = await page.text();
  for (const route of json.routes) expect(text).toContain(route.split(" ")[1]);
  expect((await server.fetch(request("/", {}))).status).toBe(405);
});

test("a page of the caller's is what browsers get, without a key and under a policy", async () => {
  const file = (text: string, type: string) => new Blob([text], { type });
  const page = { "index.html": file("<p>hi", "text/html"), "app.js": file("run()", "text/javascript") };
  const closed = createServer(model, { apiKeys: ["k"], page });
  const get = async (path: string, accept: string) => {
    const response = await closed.fetch(request(path, undefined, { headers: { accept } }));
    return [response.status, response.headers.get("content-type"), await response.text()];
  };
  expect(await get("/", "text/html,*/*")).toEqual([200, "text/html", "<p>hi"]);
  expect(JSON.parse(String((await get("/", "*/*"))[2])).name).toBe("zagreus-edge");
  expect(await get("/app.js", "*/*")).toEqual([200, "text/javascript", "run()"]);
  for (const path of ["/index.html/", "/app.css", "/v1/models", "/__proto__"])
    expect((await get(path, "*/*"))[0]).toBe(401);
  const policy = (await closed.fetch(request("/app.js"))).headers.get("content-security-policy");
  expect(policy).toMatch(/^default-src 'none'; script-src 'self';/);
  expect(() => createServer(model, { page: { "a.js": "text" } as never })).toThrow(/option "page" is an object/);
});

test("histograms of a model: waits, first tokens, tokens per second", async () => {
  const fresh = createServer({ 'a "model"': model });
  for (let i = 0; i < 2; i++)
    await ask(fresh, TEXT, { prompt: tokens(30, i), max_tokens: 3, logit_bias: { 8177: -100 } });
  await events(await fresh.fetch(request(TEXT, { prompt: "a", max_tokens: 2, stream: true })));
  await refusal(fresh, TEXT, { prompt: "a", n: 99 });
  for (let i = 0; i < 20; i++) await refusal(fresh, TEXT, { prompt: "a", model: `m${i}` });
  const text = await (await fresh.fetch(request("/metrics"))).text();
  const label = 'model="a \\"model\\""';
  expect(text).toContain(`zagreus_model_requests_total{${label},status="200"} 3\n`);
  const names = [
    "request_queue_time_seconds",
    "time_to_first_token_seconds",
    "prompt_tokens_seconds",
    "predicted_tokens_seconds",
  ];
  for (const name of names) {
    expect(text).toContain(`zagreus_${name}_count{${label}} 3\n`);
    expect(text).toContain(`zagreus_${name}_bucket{${label},le="+Inf"} 3\n`);
  }
  expect(text).not.toContain('"m1"'); // names that clients invent make no series
});
