// LangChain.js with `@langchain/openai`.

import { HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { until } from "./server.mjs";
import { all, endless, failure, KEY, messages, PROMPT, sampling, useServer } from "./setup.mjs";

const fixture = useServer();
const conversation = [new SystemMessage(messages[0].content), new HumanMessage(messages[1].content)];
const { seed, temperature } = sampling;

let connection;
beforeAll(() => {
  connection = { model: fixture.server.name, apiKey: KEY, maxRetries: 0, configuration: { baseURL: fixture.baseURL } };
});

const chat = (options) => new ChatOpenAI({ ...connection, temperature, maxTokens: 12, ...options });
const expected = () => fixture.alone.chat(messages, { ...sampling, maxTokens: 12 });

describe("chat", () => {
  test("invoke", async () => {
    const message = await chat().invoke(conversation, { seed });
    const own = expected();
    expect(message.content).toBe(await own.text());
    const { promptTokens, completionTokens } = own.usage;
    expect(message.usage_metadata).toMatchObject({ input_tokens: promptTokens, output_tokens: completionTokens });
    expect(message.response_metadata.finish_reason).toBe(own.finishReason);
  });

  test("stream", async () => {
    const chunks = await all(await chat().stream(conversation, { seed }));
    const own = expected();
    expect(chunks.map(({ content }) => content).join("")).toBe(await own.text());
    const whole = chunks.reduce((sum, chunk) => sum.concat(chunk));
    expect(whole.usage_metadata.output_tokens).toBe(own.usage.completionTokens);
    expect(whole.response_metadata.finish_reason).toBe(own.finishReason);
  });

  test("batch", async () => {
    const texts = await chat({ maxConcurrency: 4 }).batch(Array(6).fill(conversation), { seed });
    expect(new Set(texts.map(({ content }) => content))).toEqual(new Set([await expected().text()]));
  });

  test("log-probabilities", async () => {
    const message = await chat({ logprobs: true, topLogprobs: 2 }).invoke(conversation, { seed });
    const { content } = message.response_metadata.logprobs;
    expect(content[0].top_logprobs).toHaveLength(2);
  });
});

describe("tools", () => {
  const parameters = z.object({ city: z.string().max(12), days: z.number().int().min(1).max(7) });
  const weather = tool(({ city, days }) => `${city}: ${days} giorni di sole`, {
    name: "weather",
    description: "Weather",
    schema: parameters,
  });

  test.each(["invoke", "stream"])("%s: a call runs, and its result goes back", async (how) => {
    const model = chat({ maxTokens: 90 }).bindTools([weather], { tool_choice: "weather", parallel_tool_calls: false });
    const reply =
      how === "invoke"
        ? await model.invoke(conversation, { seed })
        : (await all(await model.stream(conversation, { seed }))).reduce((sum, chunk) => sum.concat(chunk));
    expect(reply.tool_calls).toHaveLength(1);
    expect(reply.invalid_tool_calls ?? []).toEqual([]);
    expect(parameters.safeParse(reply.tool_calls[0].args).success).toBe(true);
    const result = await weather.invoke(reply.tool_calls[0]);
    expect(result).toBeInstanceOf(ToolMessage);
    const answer = await chat().invoke([...conversation, reply, result], { seed });
    expect(answer.usage_metadata.input_tokens).toBeGreaterThan(expectedPrompt());
  });

  const expectedPrompt = () => fixture.alone.tokenize(messages.map(({ content }) => content).join("")).length;
});

describe("structured output", () => {
  const schema = z.object({ title: z.string().max(12), pages: z.number().int().min(1).max(99), read: z.boolean() });

  test.each(["jsonSchema", "functionCalling"])("%s", async (method) => {
    const model = chat({ maxTokens: 120, temperature: 1.5 }).withStructuredOutput(schema, { method, name: "book" });
    for (const seed of [1, 2, 3]) {
      const book = await model.invoke(conversation, { seed });
      expect(schema.parse(book)).toEqual(book);
    }
  });

  test("jsonMode", async () => {
    const json = { type: "object", properties: {} };
    const model = chat({ maxTokens: 40, temperature: 1.5 }).withStructuredOutput(json, { method: "jsonMode" });
    expect(await model.invoke(conversation, { seed })).toBeTypeOf("object");
  });

  test("jsonSchema in a stream", async () => {
    const model = chat({ maxTokens: 120, temperature: 1.5 }).withStructuredOutput(schema, { method: "jsonSchema" });
    const parts = await all(await model.stream(conversation, { seed }));
    expect(schema.safeParse(parts.at(-1))).toMatchObject({ success: true });
  });
});

test("a text completion", async () => {
  const model = new OpenAI({ ...connection, temperature, maxTokens: 8 });
  const text = await model.invoke(PROMPT);
  expect(typeof text).toBe("string");
  expect((await all(await model.stream(PROMPT))).length).toBeGreaterThan(0);
});

test("embeddings", async () => {
  const texts = ["Il re dorme.", "La regina canta."];
  const embeddings = new OpenAIEmbeddings(connection);
  const vectors = await embeddings.embedDocuments(texts);
  expect(vectors.map((vector) => new Float32Array(vector))).toEqual([
    await fixture.alone.embed(texts[0]),
    await fixture.alone.embed(texts[1]),
  ]);
  expect(await embeddings.embedQuery(texts[1])).toEqual(vectors[1]);
});

test("errors keep their status", async () => {
  expect(await failure(chat({ apiKey: "wrong" }).invoke(conversation))).toMatchObject({ status: 401 });
  expect(await failure(chat({ model: "gpt-none" }).invoke(conversation))).toMatchObject({ status: 404 });
  expect(await failure(chat({ temperature: -1 }).invoke(conversation))).toMatchObject({ status: 400 });
  expect(await failure(chat().invoke([new HumanMessage("Il re ".repeat(600))]))).toMatchObject({ status: 400 });
});

test("an abort frees the slot", async () => {
  const controller = new AbortController();
  const model = chat({ maxTokens: 400, logitBias: endless(fixture.alone) });
  const before = await fixture.server.metric("zagreus_completion_tokens_total");
  const read = async () => {
    for await (const _ of await model.stream(conversation, { signal: controller.signal })) controller.abort();
  };
  await failure(read());
  await until(async () => (await fixture.server.metric("zagreus_requests_running")) === 0, "the model is free");
  expect((await fixture.server.metric("zagreus_completion_tokens_total")) - before).toBeLessThan(300);
});
