// POST /v1/messages: what Anthropic's own client does not show (test/clients/responses/anthropic.test.mjs).

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { loadNano } from "../../../support/nano";
import { ask, type Json, puppet, refusal, request, until } from "../harness";

const PATH = "/v1/messages";
const user = (content: unknown) => ({ messages: [{ role: "user", content }] });
let model: Model;
let server: Server;
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model, { template: "chatml" });
});
afterAll(() => model.close());

const reply = (body: object) => ask(server, PATH, { max_tokens: 8, temperature: 0, ...body });
const own = (messages: Json, options = {}) =>
  model.chat(messages, { template: "chatml", temperature: 0, maxTokens: 8, ...options }).text();

test("systems are one, wherever they stand; thoughts are dropped; results come before what is said to them", async () => {
  const call = { type: "tool_use", id: "toolu_1", name: "clock", input: { zone: "CET" } };
  const messages = [
    { role: "user", content: "Che ore sono?" },
    {
      role: "assistant",
      content: [{ type: "thinking", thinking: "Hm", signature: "" }, { type: "text", text: "Ecco" }, call],
    },
    { role: "system", content: "Sii breve." },
    {
      role: "user",
      content: [
        { type: "text", text: "E?" },
        { type: "tool_result", tool_use_id: "toolu_1", is_error: true },
      ],
    },
  ];
  const text = [{ type: "text", text: "Sei gentile.", cache_control: { type: "ephemeral" } }];
  const { content } = await reply({ system: text, messages });
  const called = { id: "toolu_1", type: "function", function: { name: "clock", arguments: '{"zone":"CET"}' } };
  const expected = await own([
    { role: "system", content: "Sei gentile.\n\nSii breve." },
    { role: "user", content: "Che ore sono?" },
    { role: "assistant", content: "Ecco", tool_calls: [called] },
    { role: "tool", content: "", tool_call_id: "toolu_1" },
    { role: "user", content: "E?" },
  ]);
  expect(content).toEqual([{ type: "text", text: expected }]);
});

test("structure, and what is ignored", async () => {
  const schema = {
    type: "object",
    properties: { city: { enum: ["Roma"] } },
    required: ["city"],
    additionalProperties: false,
  };
  const output_config = { format: { type: "json_schema", schema } };
  const { content, stop_reason } = await reply({
    ...user("a"),
    output_config,
    stop_sequences: ["zzz"],
    max_tokens: 40,
  });
  expect([JSON.parse(content[0].text), stop_reason]).toEqual([{ city: "Roma" }, "end_turn"]);
  const ignored = {
    thinking: { type: "disabled" },
    metadata: { user_id: "x" },
    service_tier: "auto",
    top_k: null,
    tools: [],
  };
  expect((await reply({ ...user("a"), ...ignored })).content).toEqual((await reply(user("a"))).content);
});

test("a key in x-api-key", async () => {
  const keyed = createServer(model, { template: "chatml", apiKeys: ["secret"] });
  const status = async (key: string) =>
    (await keyed.fetch(request(PATH, { ...user("a"), max_tokens: 1 }, { headers: { "x-api-key": key } }))).status;
  expect([await status("secret"), await status("other")]).toEqual([200, 401]);
});

test("what fails later is the last event", async () => {
  const { server, talks, model: puppetModel } = puppet();
  Object.assign(puppetModel, {
    chat: (messages: Json, options: Json) =>
      Object.assign(puppetModel.complete(JSON.stringify(messages), options), { refusedTools: [] }),
  });
  const response = server.fetch(request(PATH, { ...user("a"), stream: true }));
  await until(() => talks.length > 0);
  talks[0]!.say("x");
  talks[0]!.fail(Object.assign(new Error("gone"), { name: "ZagreusError", code: "CLOSED" }));
  const events = (await (await response).text()).trim().split("\n\n");
  expect(events.map((event) => /^event: (\w+)/.exec(event)![1])).toEqual([
    ...["message_start", "content_block_start", "content_block_delta", "error"],
  ]);
  expect(JSON.parse(events.at(-1)!.split("data: ")[1]!)).toEqual({
    ...{ type: "error", error: { type: "api_error", message: "the model is closed" } },
  });
});

const USE = { type: "tool_use", id: "1", name: "a", input: {} };

test.each([
  ["messages", {}],
  ["messages[0].content[0].type", user([{ type: "image", source: {} }])],
  ["messages[0].content[0].tool_use_id", user([{ type: "tool_result" }])],
  ["messages[0].role", { messages: [{ role: "tool", content: "a" }] }],
  ["no tool_result", { messages: [...user("a").messages, { role: "assistant", content: [USE] }] }],
  ["max_tokens", { ...user("a"), max_tokens: 0 }],
  ["max_tokens", { ...user("a"), max_tokens: 10_000 }],
  ["tools[0].name", { ...user("a"), tools: [{ input_schema: {} }] }],
  ["tool_choice.type", { ...user("a"), tool_choice: { type: "required" } }],
  ["system", { ...user("a"), system: [{ type: "image" }] }],
  ["stop_sequences[0]", { ...user("a"), stop_sequences: [""] }],
  ["tokens do not fit", user("parola ".repeat(1000))],
])("%s: refused", async (name, body) => {
  for (const stream of [false, true]) {
    const { status, type, message } = await refusal(server, PATH, { ...body, stream });
    expect([status, type]).toEqual([400, "invalid_request_error"]);
    expect(message).toContain(name);
  }
});
