// Whatever comes as JSON is answered or refused, and never the server's fault.

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { loadNano } from "../../support/nano";
import { metric, request } from "./harness";

let model: Model;
let server: Server;
const unexpected: unknown[] = [];
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model, { template: "chatml", onError: (error) => unexpected.push(error) });
});
afterAll(() => model.close());

const tool = {
  type: "function",
  function: { name: "f", parameters: { type: "object", properties: { a: { type: "number" } } } },
};
/** Fields with values that are right. */
const RIGHT: Record<string, unknown[]> = {
  model: ["zagreus-nano"],
  stream: [true, false],
  stream_options: [{ include_usage: true }],
  n: [1, 2],
  temperature: [0, 1, 2],
  top_p: [0, 0.5, 1],
  top_k: [0, 1, 1e9],
  min_p: [0, 1],
  repetition_penalty: [1, 0.01, 100],
  loop_stop: [true, false],
  frequency_penalty: [0, 2, -2],
  presence_penalty: [0, 1.5],
  dry_multiplier: [0, 0.8, 100],
  dry_base: [1, 100],
  dry_penalty_last_n: [-1, 0, 64],
  dry_sequence_breakers: [[], ["a"], '["\\n"]'],
  seed: [0, -1, 1234],
  stop: ["a", ["a", "b"], []],
  logit_bias: [{ 1: -100 }, {}],
  response_format: [
    { type: "json_object" },
    { type: "json_schema", json_schema: { name: "a", schema: tool.function.parameters } },
  ],
  grammar: ['root ::= "a"'],
  max_completion_tokens: [1, 30],
  logprobs: [true, 1, 0],
  top_logprobs: [0, 20],
  echo: [true],
  suffix: [""],
  tools: [[tool], []],
  tool_choice: ["auto", "required", "none", { type: "function", function: { name: "f" } }],
  parallel_tool_calls: [true, false],
  prompt: ["", "a", [1, 2], [[1], [2]], ["a", "b"]],
  input: [
    "a",
    [1],
    ["a"],
    [],
    [
      { role: "user", content: "a" },
      { type: "function_call", call_id: "1", name: "f" },
    ],
    [{ id: "msg_1" }],
  ],
  instructions: ["a", ""],
  previous_response_id: [null, null, "resp_1"],
  max_output_tokens: [1, 30],
  text: [{ format: { type: "text" } }, { format: { type: "json_schema", schema: tool.function.parameters } }],
  messages: [
    [{ role: "user", content: "a" }],
    [{ role: "assistant", content: null, tool_calls: [{ id: "1", type: "function", function: tool.function }] }],
  ],
  encoding_format: ["base64", "float"],
};
const field = (values: unknown[]) =>
  fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...values) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  );
const fields: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(
  Object.entries({ ...RIGHT, max_tokens: [0, 1, 40] }).map(([name, values]) => [name, field(values)]),
);
const body = fc.record(fields, { requiredKeys: ["max_tokens", "prompt", "input", "messages"] });
const path = fc.constantFrom(
  "/v1/completions",
  "/v1/chat/completions",
  "/v1/responses",
  "/v1/messages",
  "/v1/embeddings",
);

test("requests of right and wrong fields", async () => {
  const seen = new Map<number, number>();
  const ask = async (path: string, body: unknown) => {
    const response = await server.fetch(request(path, body));
    const text = await response.text();
    seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
    expect([response.status, unexpected]).toEqual([expect.toSatisfy((status: number) => status < 500), []]);
    if (response.ok) expect(text).not.toContain('"error"');
    else expect(JSON.parse(text).error.message).toBeTypeOf("string");
  };
  await fc.assert(fc.asyncProperty(path, body, ask), { numRuns: 450 });
  for (const status of [200, 400]) expect(seen.get(status)).toBeGreaterThan(30);
  expect(await metric(server, "zagreus_requests_running")).toBe(0);
  expect(await metric(server, "zagreus_requests_open")).toBe(1);
});
