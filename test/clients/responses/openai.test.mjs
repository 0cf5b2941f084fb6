// The `openai` package: responses, as its helpers read them.

import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { checkResponseEvents } from "../../host/server/responses/response_events.mjs";
import { all, messages, sampling, useOpenAI, weather } from "../setup.mjs";

const fixture = useOpenAI();
const [{ content: instructions }, user] = messages;
const common = () => ({
  model: fixture.server.name,
  instructions,
  input: user.content,
  ...sampling,
  max_output_tokens: 12,
});
const create = (body, options) => fixture.client.responses.create({ ...common(), ...body }, options);
const tool = { type: "function", ...weather.function, strict: true };
const expected = () => fixture.alone.chat(messages, { ...sampling, maxTokens: 12 });

describe("text", () => {
  test("create", async () => {
    const response = await create({});
    const own = expected();
    expect(response.output_text).toBe(await own.text());
    expect(response.usage).toMatchObject({
      input_tokens: own.usage.promptTokens,
      output_tokens: own.usage.completionTokens,
    });
    expect(await fixture.client.responses.retrieve(response.id)).toEqual(response);
    await fixture.client.responses.delete(response.id);
    await expect(fixture.client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 });
  });

  test("input items, a page after the other, and of those before", async () => {
    const first = await create({
      input: [user, { role: "assistant", content: "Io" }, { role: "user", content: "E poi?" }],
    });
    const { inputItems } = fixture.client.responses;
    const list = (id, query) => all(inputItems.list(id, query));
    const asc = await list(first.id, { order: "asc", limit: 1 });
    expect(asc.map(({ role, content: [{ type, text }] }) => [role, type, text])).toEqual([
      ["user", "input_text", user.content],
      ["assistant", "output_text", "Io"],
      ["user", "input_text", "E poi?"],
    ]);
    expect(await list(first.id)).toEqual([...asc].reverse());
    const second = await create({ previous_response_id: first.id, input: "Ancora" });
    const texts = (await list(second.id, { order: "asc" })).map(({ content }) => content[0].text);
    expect(texts).toEqual([user.content, "Io", "E poi?", first.output_text, "Ancora"]);
    await expect(list("resp_0")).rejects.toMatchObject({ status: 404 });
    await expect(list(first.id, { limit: 0 })).rejects.toMatchObject({ status: 400 });
    await expect(list(first.id, { after: "x" })).rejects.toMatchObject({ status: 400 });
  });

  test("input tokens: of a prompt, with tools, of what is gone on with", async () => {
    const count = async (body) => {
      const { model, instructions, input } = common();
      const asked = { model, instructions, input, ...body };
      return (await fixture.client.responses.inputTokens.count(asked)).input_tokens;
    };
    const first = await create({});
    expect(await count({})).toBe(first.usage.input_tokens);
    expect(await count({ tools: [tool] })).toBe((await create({ tools: [tool] })).usage.input_tokens);
    const more = { previous_response_id: first.id, input: "E poi?" };
    expect(await count(more)).toBe((await create(more)).usage.input_tokens);
    expect(await count({ input: "parola ".repeat(2000) })).toBeGreaterThan(2000);
    await expect(count({ input: [], instructions: undefined })).rejects.toMatchObject({ status: 400 });
  });

  test("a stream of events, in order", async () => {
    const events = await all(await create({ stream: true }));
    const response = checkResponseEvents(events);
    expect(response.output[0].content[0].text).toBe(await expected().text());
  });

  test("the stream helper", async () => {
    const stream = fixture.client.responses.stream(common());
    let text = "";
    stream.on("response.output_text.delta", ({ delta }) => {
      text += delta;
    });
    const final = await stream.finalResponse();
    expect(final.output_text).toBe(await expected().text());
    expect(text).toBe(final.output_text);
  });

  test("goes on from the response before", async () => {
    const first = await create({});
    const second = await create({ input: "E poi?", previous_response_id: first.id });
    const history = [
      messages[0],
      user,
      { role: "assistant", content: first.output_text },
      { role: "user", content: "E poi?" },
    ];
    expect(second.output_text).toBe(await fixture.alone.chat(history, { ...sampling, maxTokens: 12 }).text());
    const failed = create({ previous_response_id: "resp_0" });
    await expect(failed).rejects.toMatchObject({ status: 400, code: "previous_response_not_found" });
  });
});

describe("tools and structure", () => {
  const calling = { tools: [tool], tool_choice: "required", max_output_tokens: 120 };

  test("calls, and what they give", async () => {
    const { output } = await create(calling);
    const [call] = output;
    expect(call).toMatchObject({ type: "function_call", name: "weather", status: "completed" });
    expect(JSON.parse(call.arguments)).toHaveProperty("days");
    const result = { type: "function_call_output", call_id: call.call_id, output: "sole" };
    const answer = await create({
      ...calling,
      tool_choice: "none",
      input: [user, ...output, result],
      max_output_tokens: 8,
    });
    expect(answer.output[0].type).toBe("message");
  });

  test("streamed calls make the same call", async () => {
    const whole = await create(calling);
    const events = await all(await create({ ...calling, stream: true }));
    const calls = ({ output }) => output.map(({ name, arguments: given }) => [name, given]);
    expect(calls(checkResponseEvents(events))).toEqual(calls(whole));
  });

  test("parse: functions and formats of zod", async () => {
    const days = z.object({ city: z.string().max(12), days: z.number().int().min(1).max(7) });
    const tools = [zodResponsesFunction({ name: "weather", parameters: days })];
    const called = await fixture.client.responses.parse({ ...common(), ...calling, tools });
    expect(days.safeParse(called.output[0].parsed_arguments).success).toBe(true);
    const text = { format: zodTextFormat(days, "answer") };
    const { output_parsed } = await fixture.client.responses.parse({ ...common(), text, max_output_tokens: 120 });
    expect(days.safeParse(output_parsed).success).toBe(true);
    const stream = fixture.client.responses.stream({ ...common(), text, max_output_tokens: 120 });
    expect((await stream.finalResponse()).output_parsed).toEqual(output_parsed);
  });
});

describe("failures", () => {
  test("name the field", async () => {
    await expect(create({ background: true })).rejects.toMatchObject({ status: 400, param: "background" });
    await expect(create({ input: "parola ".repeat(2000), stream: true })).rejects.toMatchObject({
      status: 400,
      code: "context_length_exceeded",
    });
  });

  test("a client that leaves", async () => {
    const stream = await create({ stream: true, max_output_tokens: 400 });
    for await (const event of stream) if (event.type === "response.output_text.delta") break;
    expect((await create({})).status).toMatch(/complete/);
  });
});
