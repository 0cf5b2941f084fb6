// Clients that leave at any moment: nothing stays behind.

import { expect, test } from "vitest";
import { createServer } from "zagreus-edge/server";
import { loadNano, PROMPT } from "../../../support/nano";
import { ask, metric, request, until } from "../harness";

const REQUESTS = 1000;
const AT_ONCE = 20;
const GAUGES = [
  "zagreus_queue_waiting",
  "zagreus_queue_prompt_tokens",
  "zagreus_requests_running",
  'zagreus_kv_cache_positions{model="zagreus-nano",state="used"}',
];
const messages = [{ role: "user", content: PROMPT }];
const schema = { type: "object", properties: { a: { enum: ["x", "y"] } }, required: ["a"] };
const tools = [{ type: "function", function: { name: "pick", parameters: schema } }];
const BODIES: [path: string, body: object][] = [
  ["/v1/completions", { prompt: PROMPT, max_tokens: 4 }],
  ["/v1/completions", { prompt: [PROMPT, "Il mare"], n: 2, max_tokens: 3, echo: true, logprobs: 1 }],
  ["/v1/chat/completions", { messages, n: 3, max_tokens: 4 }],
  ["/v1/chat/completions", { messages, tools, max_tokens: 12 }],
  [
    "/v1/completions",
    { prompt: PROMPT, max_tokens: 12, response_format: { type: "json_schema", json_schema: { schema } } },
  ],
  ["/v1/responses", { input: PROMPT, max_output_tokens: 16 }],
  ["/v1/messages", { messages, max_tokens: 4 }],
  ["/v1/embeddings", { input: [PROMPT, "Il mare", "La luna"] }],
  ["/v1/messages/count_tokens", { messages }],
  ["/tokenize", { content: PROMPT }],
];

/** Waits for some steps of the event loop; even ones are within the same turn. */
async function wait(steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) await (steps % 2 === 0 ? undefined : new Promise((resolve) => setImmediate(resolve)));
}

test("at every step of a request, a thousand times", async () => {
  const model = await loadNano({ sequences: 4, cacheBudget: 400_000 });
  const errors: unknown[] = [];
  const server = createServer(model, { template: "chatml", maxQueue: 15, onError: (error) => errors.push(error) });
  const statuses = new Set<number>();
  let next = 0;
  const client = async () => {
    for (let i = next++; i < REQUESTS; i = next++) {
      const [path, body] = BODIES[i % BODIES.length]!;
      const leaving = new AbortController();
      const stream = i % 3 === 0 && !/embed|token/.test(path);
      const answer = server.fetch(request(path, { ...body, ...(stream && { stream }) }, { signal: leaving.signal }));
      await wait((i * 7) % 97);
      leaving.abort();
      const response = await answer;
      statuses.add(response.status);
      if (i % 2 === 0) await response.body?.cancel();
      else await response.text();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  expect(errors).toEqual([]);
  for (const status of statuses) expect([200, 429, 499]).toContain(status);
  expect(statuses).toContain(499);
  for (const name of GAUGES) await until(async () => (await metric(server, name)) === 0);
  await until(async () => (await metric(server, "zagreus_requests_open")) === 1);
  expect(model.stats()).toMatchObject({ running: 0, waiting: 0, cache: { used: 0 } });
  const { choices } = await ask(server, "/v1/completions", { prompt: PROMPT, max_tokens: 8, temperature: 0 });
  expect(choices[0].text).toBe(
    await model.complete(PROMPT, { maxTokens: 8, temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0 }).text(),
  );
  model.close();
});
