// Vercel's AI SDK with `@ai-sdk/openai`, whose model is the Responses API unless one asks for another.

import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, isStepCount, streamText, tool } from "ai";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { all, failure, KEY, messages, useServer } from "../setup.mjs";

const fixture = useServer();
let common;
let bodies;
beforeAll(() => {
  bodies = [];
  const spy = (url, init) => {
    bodies.push(JSON.parse(init.body));
    return fetch(url, init);
  };
  const provider = createOpenAI({ baseURL: fixture.baseURL, apiKey: KEY, fetch: spy });
  const [{ content: instructions }, user] = messages;
  const model = provider(fixture.server.name);
  common = { model, instructions, messages: [user], temperature: 0, maxOutputTokens: 16, maxRetries: 0 };
});

const expected = (conversation) =>
  fixture.alone.chat(conversation, { temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0, maxTokens: 16 });

test("generateText, and a second turn that refers to the first", async () => {
  const first = await generateText(common);
  expect(first.text).toBe(await expected(messages).text());
  expect(first.usage.outputTokens).toBe(16);
  const more = [...common.messages, ...first.response.messages, { role: "user", content: "E poi?" }];
  const second = await generateText({ ...common, messages: more });
  expect(bodies.at(-1).input).toContainEqual({ type: "item_reference", id: expect.stringMatching(/^msg_/) });
  const history = [...messages, { role: "assistant", content: first.text }, { role: "user", content: "E poi?" }];
  expect(second.text).toBe(await expected(history).text());
});

test("streamText", async () => {
  const result = streamText({ ...common, onError: () => {} });
  expect((await all(result.textStream)).join("")).toBe(await expected(messages).text());
  expect(await result.finishReason).toBe("length");
});

test("tools, step by step, whole and streamed", async () => {
  const inputSchema = z.object({ city: z.string().max(12), days: z.number().int().min(1).max(7) });
  const asked = [];
  const execute = (input) => {
    asked.push(input);
    return "sole";
  };
  const tools = { weather: tool({ description: "Weather", inputSchema, execute }) };
  const options = { ...common, tools, maxOutputTokens: 120, stopWhen: isStepCount(2) };
  const { steps } = await generateText({ ...options, toolChoice: "required" });
  expect(steps).toHaveLength(2);
  expect(steps[0].toolCalls.length).toBeGreaterThan(0);
  const streamed = streamText({ ...options, toolChoice: "required", stopWhen: isStepCount(1), onError: () => {} });
  const parts = await all(streamed.fullStream);
  expect(parts.filter(({ type }) => type === "error")).toEqual([]);
  expect(parts.filter(({ type }) => type === "tool-call").length).toBeGreaterThan(0);
  for (const input of asked) expect(inputSchema.safeParse(input).success).toBe(true);
});

test("generateObject", async () => {
  const schema = z.object({ city: z.string().max(12), days: z.number().int().min(1).max(7) });
  const { object } = await generateObject({ ...common, maxOutputTokens: 120, schema });
  expect(schema.safeParse(object).success).toBe(true);
});

test("a reference to what was not kept says what to do", async () => {
  const reference = { type: "text", text: "x", providerOptions: { openai: { itemId: "msg_nix" } } };
  const more = [
    { role: "user", content: "a" },
    { role: "assistant", content: [reference] },
    { role: "user", content: "b" },
  ];
  const error = await failure(generateText({ ...common, messages: more }));
  expect(error.statusCode).toBe(400);
  expect(error.message).toContain("store: false");
});
