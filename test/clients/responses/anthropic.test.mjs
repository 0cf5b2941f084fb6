// Anthropic's package against /v1/messages.

import Anthropic from "@anthropic-ai/sdk";
import { beforeAll, expect, test } from "vitest";
import { all, KEY, messages, useServer, weather } from "../setup.mjs";

const fixture = useServer();
const [{ content: system }, user] = messages;
const GREEDY = { temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0 };
let client;
let create;
beforeAll(() => {
  client = new Anthropic({ baseURL: fixture.baseURL.replace(/\/v1$/, ""), apiKey: KEY, maxRetries: 0 });
  const common = { model: fixture.server.name, max_tokens: 12, system, messages: [user], temperature: 0 };
  create = (body) => client.messages.create({ ...common, ...body });
  create.common = common;
});
const { name, description, parameters: input_schema } = weather.function;
const tool = { name, description, input_schema };

test("a message", async () => {
  const { content, stop_reason, usage } = await create({});
  const own = fixture.alone.chat(messages, { ...GREEDY, maxTokens: 12 });
  expect(content).toEqual([{ type: "text", text: await own.text() }]);
  expect(stop_reason).toBe("max_tokens");
  expect(usage.input_tokens + usage.cache_read_input_tokens).toBe(own.usage.promptTokens);
  expect(usage.output_tokens).toBe(12);
});

test("a stream, as the helper puts it together", async () => {
  const whole = await create({});
  const stream = client.messages.stream(create.common);
  let text = "";
  stream.on("text", (delta) => {
    text += delta;
  });
  const final = await stream.finalMessage();
  expect(final.content).toEqual(whole.content);
  expect(final.stop_reason).toBe("max_tokens");
  expect(text).toBe(whole.content[0].text);
  const { input_tokens, cache_read_input_tokens, output_tokens } = whole.usage;
  const { usage } = final;
  expect(usage.input_tokens + usage.cache_read_input_tokens).toBe(input_tokens + cache_read_input_tokens);
  expect(usage.output_tokens).toBe(output_tokens);
});

test("the order of events", async () => {
  const events = await all(
    await create({ stream: true, tools: [tool], tool_choice: { type: "any" }, max_tokens: 120 }),
  );
  const types = events.map(({ type }) => type).join(" ");
  const block = "content_block_start( content_block_delta)* content_block_stop";
  expect(types).toMatch(new RegExp(`^message_start( ${block})+ message_delta message_stop$`));
  const starts = events.filter(({ type }) => type === "content_block_start");
  expect(starts.map(({ index }) => index)).toEqual(starts.map((_, i) => i));
  expect(events[0].message.usage.output_tokens).toBe(0);
  expect(events[0].message.usage.input_tokens + events[0].message.usage.cache_read_input_tokens).toBeGreaterThan(20);
});

test("tools, their results, and a stop sequence", async () => {
  const calling = { tools: [tool, { type: "web_search_20250305", name: "web_search" }], max_tokens: 120 };
  const named = { tool_choice: { type: "tool", name, disable_parallel_tool_use: true } };
  const { content, stop_reason } = await create({ ...calling, ...named });
  expect(stop_reason).toBe("tool_use");
  const [call] = content;
  expect(call).toMatchObject({ type: "tool_use", name, id: expect.any(String) });
  expect([1, 2, 3, 4, 5, 6, 7]).toContain(call.input.days);
  const result = { type: "tool_result", tool_use_id: call.id, content: [{ type: "text", text: "sole" }] };
  const history = [
    user,
    { role: "assistant", content },
    { role: "user", content: [{ type: "text", text: "E?" }, result] },
  ];
  const answer = await create({ ...calling, messages: history, tool_choice: { type: "none" }, max_tokens: 10 });
  const own = [
    ...messages,
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: call.id, type: "function", function: { name, arguments: JSON.stringify(call.input) } }],
    },
    { role: "tool", tool_call_id: call.id, content: "sole" },
    { role: "user", content: "E?" },
  ];
  const options = { ...GREEDY, maxTokens: 10, tools: [weather], toolChoice: "none" };
  const text = await fixture.alone.chat(own, options).text();
  expect(answer.content).toEqual([{ type: "text", text }]);
  const stop = text.slice(3, 6);
  const cut = await create({
    ...calling,
    messages: history,
    tool_choice: { type: "none" },
    max_tokens: 10,
    stop_sequences: [stop],
  });
  expect(cut).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: stop });
});

test("a reply that is begun", async () => {
  const begun = [user, { role: "assistant", content: "Un re" }];
  const { content } = await create({ messages: begun });
  const asked = [messages[0], ...begun];
  const own = fixture.alone.chat(asked, { ...GREEDY, maxTokens: 12, continueFinalMessage: true });
  expect(content).toEqual([{ type: "text", text: await own.text() }]);
});

test("tokens are counted: of a prompt, with tools, of one that does not fit", async () => {
  const { max_tokens: _, temperature: _t, ...asked } = create.common;
  const count = async (body) => (await client.messages.countTokens({ ...asked, ...body })).input_tokens;
  const promptTokens = async (body) => {
    const { usage } = await create({ ...body, max_tokens: 1 });
    return usage.input_tokens + usage.cache_read_input_tokens;
  };
  expect(await count({})).toBe(await promptTokens({}));
  expect(await count({ tools: [tool] })).toBe(await promptTokens({ tools: [tool] }));
  const begun = { messages: [user, { role: "assistant", content: "Un re" }] };
  expect(await count(begun)).toBe(await promptTokens(begun));
  expect(await count({ messages: [{ role: "user", content: "parola ".repeat(2000) }] })).toBeGreaterThan(2000);
  await expect(count({ messages: [] })).rejects.toMatchObject({ status: 400, error: { type: "error" } });
});

test("failures have Anthropic's shape", async () => {
  const failing = (body) =>
    create(body).then(
      () => undefined,
      (error) => error,
    );
  expect(await failing({ messages: [] })).toMatchObject({
    status: 400,
    error: { type: "error", error: { type: "invalid_request_error" } },
  });
  const image = { type: "image", source: { type: "url", url: "x" } };
  const error = await failing({ messages: [user, { role: "user", content: [image] }] });
  expect(error.message).toContain("messages[1].content[0]");
  expect(await failing({ model: "nix" })).toMatchObject({ status: 404, error: { error: { type: "not_found_error" } } });
  const stranger = new Anthropic({ baseURL: fixture.baseURL.replace(/\/v1$/, ""), apiKey: "wrong", maxRetries: 0 });
  await expect(stranger.messages.create(create.common)).rejects.toMatchObject({ status: 401 });
});
