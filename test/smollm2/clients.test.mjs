// A real instruct model through `zagreus serve`: what the `openai` package and Vercel's AI SDK get is what the model says by itself.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { z } from "zod";
import { ai, createOpenAICompatible, OpenAI } from "../clients/sdks.mjs";
import { serve } from "../clients/server.mjs";
import { all } from "../clients/setup.mjs";
import { smollm2 } from "./model.mjs";
import { QUESTIONS } from "./suite.mjs";

const messages = [{ role: "user", content: "Hello! Who are you?" }];
const KEY = "key-of-the-tests";

let server;
let alone;
let own;
beforeAll(async () => {
  const file = await smollm2();
  server = await serve(["--api-key", KEY, "--context", "1024"], { model: file });
  alone = await load(file, { contextLength: 1024 });
  const greedy = { temperature: 0, maxTokens: 64 };
  const calling = { ...greedy, tools: [QUESTIONS.tool], toolChoice: "required", parallelToolCalls: false };
  const responseFormat = { type: "json_schema", schema: QUESTIONS.schema };
  own = {
    text: await alone.chat(messages, greedy).text(),
    call: (await alone.chat(QUESTIONS.call, calling).message()).tool_calls[0].function,
    json: await alone.chat(QUESTIONS.json, { ...greedy, responseFormat }).text(),
  };
});
afterAll(async () => {
  alone?.close();
  expect(await server?.stop()).toBe(0);
});

test("the model's name is the file's", () => {
  expect(server.name).toMatch(/SmolLM2/i);
});

describe("openai", () => {
  let chat;
  beforeAll(() => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 });
    chat = (body) =>
      client.chat.completions.create({ model: server.name, messages, temperature: 0, max_tokens: 64, ...body });
  });
  const calling = {
    messages: QUESTIONS.call,
    tools: [QUESTIONS.tool],
    tool_choice: "required",
    parallel_tool_calls: false,
  };

  test("content, whole and streamed", async () => {
    const { choices, usage } = await chat();
    expect(choices[0]).toMatchObject({ finish_reason: "stop", message: { content: own.text } });
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
    const chunks = await all(await chat({ stream: true }));
    expect(chunks.map(({ choices: [{ delta }] }) => delta.content ?? "").join("")).toBe(own.text);
    expect(chunks.at(-1).choices[0].finish_reason).toBe("stop");
  });

  test("a tool call, whole and streamed, and its result", async () => {
    const [{ finish_reason, message }] = (await chat(calling)).choices;
    expect(finish_reason).toBe("tool_calls");
    expect(message.tool_calls.map((call) => call.function)).toEqual([own.call]);
    const deltas = (await all(await chat({ ...calling, stream: true }))).flatMap(
      ({ choices: [{ delta }] }) => delta.tool_calls ?? [],
    );
    expect(deltas[0].function.name).toBe("weather");
    expect(deltas.map((delta) => delta.function.arguments ?? "").join("")).toBe(own.call.arguments);
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: '{"sky":"clear","degrees":24}' };
    const answer = await chat({ ...calling, messages: [...QUESTIONS.call, message, result], tool_choice: "none" });
    expect(answer.choices[0].message.content).not.toBe("");
    expect(answer.choices[0].message.tool_calls).toBeUndefined();
  });

  test("a JSON schema", async () => {
    const json_schema = { name: "city", strict: true, schema: QUESTIONS.schema };
    const response_format = { type: "json_schema", json_schema };
    const { choices } = await chat({ messages: QUESTIONS.json, response_format });
    expect(choices[0].message.content).toBe(own.json);
  });
});

describe("AI SDK", () => {
  let common;
  beforeAll(() => {
    const baseURL = `${server.url}/v1`;
    const options = { name: "zagreus", baseURL, apiKey: KEY, includeUsage: true, supportsStructuredOutputs: true };
    common = {
      model: createOpenAICompatible(options)(server.name),
      temperature: 0,
      maxOutputTokens: 64,
      maxRetries: 0,
    };
  });

  test("content, whole and streamed", async () => {
    const { text, finishReason } = await ai.generateText({ ...common, messages });
    expect({ text, finishReason }).toEqual({ text: own.text, finishReason: "stop" });
    expect((await all(ai.streamText({ ...common, messages }).textStream)).join("")).toBe(own.text);
  });

  test("a tool runs, and its result goes back", async () => {
    const asked = [];
    const weather = ai.tool({
      description: QUESTIONS.tool.function.description,
      inputSchema: z.object({ city: z.string().max(24), days: z.number().int().min(1).max(7) }),
      execute: (input) => {
        asked.push(input);
        return { sky: "clear" };
      },
    });
    const { steps } = await ai.generateText({
      ...common,
      messages: QUESTIONS.call,
      tools: { weather },
      toolChoice: { type: "tool", toolName: "weather" },
      stopWhen: ai.isStepCount(2),
    });
    expect(steps.map(({ finishReason }) => finishReason)[0]).toBe("tool-calls");
    expect(steps).toHaveLength(2);
    expect(asked[0]).toEqual(JSON.parse(own.call.arguments));
  });

  test("an object", async () => {
    const schema = z.object({ city: z.string().max(24), country: z.enum(["France", "Italy", "Spain"]) });
    const { object } = await ai.generateObject({ ...common, messages: QUESTIONS.json, schema });
    expect(schema.parse(object)).toEqual(object);
    const streamed = ai.streamObject({ ...common, messages: QUESTIONS.json, schema });
    expect((await all(streamed.partialObjectStream)).at(-1)).toEqual(object);
  });
});
