// Vercel's AI SDK with `@ai-sdk/openai-compatible`.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  embedMany,
  generateObject,
  generateText,
  isStepCount,
  Output,
  streamObject,
  streamText,
  tool,
} from "ai";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { until } from "./server.mjs";
import { all, endless, failure, KEY, messages, PROMPT, sampling, useServer } from "./setup.mjs";

const fixture = useServer();
let provider;
let common;
beforeAll(() => {
  const name = "zagreus";
  const options = { name, baseURL: fixture.baseURL, includeUsage: true, supportsStructuredOutputs: true };
  provider = createOpenAICompatible({ ...options, apiKey: KEY });
  const [{ content: instructions }, user] = messages;
  const model = provider(fixture.server.name);
  common = { model, instructions, messages: [user], ...sampling, maxOutputTokens: 12, maxRetries: 0 };
});

const expected = () => fixture.alone.chat(messages, { ...sampling, maxTokens: 12 });
const REASONS = { stop: "stop", length: "length", context: "length" };

describe("text", () => {
  test("generateText", async () => {
    const { text, usage, finishReason, warnings } = await generateText(common);
    const own = expected();
    expect(text).toBe(await own.text());
    expect(finishReason).toBe(REASONS[own.finishReason]);
    expect(usage).toMatchObject({ inputTokens: own.usage.promptTokens, outputTokens: own.usage.completionTokens });
    expect(warnings ?? []).toEqual([]);
  });

  test("streamText", async () => {
    const result = streamText({ ...common, onError: () => {} });
    const own = expected();
    expect((await all(result.textStream)).join("")).toBe(await own.text());
    expect(await result.finishReason).toBe(REASONS[own.finishReason]);
    expect((await result.usage).outputTokens).toBe(own.usage.completionTokens);
  });

  test("a text completion", async () => {
    const { text } = await generateText({
      model: provider.completionModel(fixture.server.name),
      prompt: PROMPT,
      ...sampling,
      maxOutputTokens: 8,
    });
    expect(typeof text).toBe("string");
    expect(text).not.toBe("");
  });
});

describe("tools", () => {
  const inputSchema = z.object({ city: z.string().max(12), days: z.number().int().min(1).max(7) });

  test("calls run, and their results go back", async () => {
    const asked = [];
    const execute = (input) => {
      asked.push(input);
      return { sky: "sereno" };
    };
    const result = await generateText({
      ...common,
      maxOutputTokens: 90,
      tools: { weather: tool({ description: "Weather", inputSchema, execute }) },
      toolChoice: { type: "tool", toolName: "weather" },
      stopWhen: isStepCount(2),
    });
    expect(result.steps).toHaveLength(2);
    expect(result.steps[0].finishReason).toBe("tool-calls");
    expect(asked.length).toBeGreaterThanOrEqual(2);
    for (const input of asked) expect(inputSchema.safeParse(input).success).toBe(true);
    expect(result.steps[1].usage.inputTokens).toBeGreaterThan(result.steps[0].usage.inputTokens);
  });

  test("calls come in deltas", async () => {
    const result = streamText({
      ...common,
      maxOutputTokens: 90,
      tools: { weather: tool({ description: "Weather", inputSchema }) },
      toolChoice: "required",
    });
    const parts = await all(result.stream);
    expect(parts.filter(({ type }) => type === "error")).toEqual([]);
    const deltas = parts.filter(({ type }) => type === "tool-input-delta");
    const calls = await result.toolCalls;
    expect(calls.length).toBeGreaterThan(0);
    expect(deltas.length).toBeGreaterThan(1);
    for (const { toolCallId, input } of calls) {
      expect(inputSchema.safeParse(input).success).toBe(true);
      const own = deltas.filter(({ id }) => id === toolCallId).map(({ delta }) => delta);
      expect(JSON.parse(own.join(""))).toEqual(input);
    }
    expect(await result.finishReason).toBe("tool-calls");
  });
});

describe("objects", () => {
  const schema = z.object({
    title: z.string().max(12),
    kind: z.enum(["fiaba", "poesia"]),
    score: z.number().int().min(0).max(10),
    tags: z.array(z.string().max(6)).max(3),
  });
  const options = () => ({ ...common, maxOutputTokens: 150, temperature: 1.5 });

  test.each([1, 2, 3])("generateObject (seed %i)", async (seed) => {
    const { object } = await generateObject({ ...options(), seed, schema });
    expect(schema.parse(object)).toEqual(object);
  });

  test("streamObject", async () => {
    const result = streamObject({ ...options(), schema });
    const partial = await all(result.partialObjectStream);
    expect(schema.parse(await result.object)).toEqual(partial.at(-1));
    expect(partial.length).toBeGreaterThan(1);
  });

  test("generateText with an output, and with a choice", async () => {
    const { output } = await generateText({ ...options(), output: Output.object({ schema }) });
    expect(schema.parse(output)).toEqual(output);
    const choice = await generateText({ ...options(), output: Output.choice({ options: ["uno", "due"] }) });
    expect(["uno", "due"]).toContain(choice.output);
  });
});

test("embeddings", async () => {
  const values = ["Il re dorme.", "La regina canta.", "Piove."];
  const { embeddings, usage } = await embedMany({ model: provider.embeddingModel(fixture.server.name), values });
  for (const [index, text] of values.entries()) {
    expect(new Float32Array(embeddings[index])).toEqual(await fixture.alone.embed(text));
  }
  expect(usage.tokens).toBeGreaterThan(0);
});

describe("errors", () => {
  test.each([
    [400, () => ({ temperature: -1 })],
    [404, () => ({ model: provider("gpt-none") })],
    [401, () => ({ model: createOpenAICompatible({ name: "a", baseURL: fixture.baseURL, apiKey: "b" })("c") })],
  ])("%i has the server's message", async (status, options) => {
    const error = await failure(generateText({ ...common, ...options() }));
    expect(APICallError.isInstance(error)).toBe(true);
    expect(error.statusCode).toBe(status);
    expect(error.isRetryable).toBe(false);
    expect(error.message).toBe(JSON.parse(error.responseBody).error.message);
  });
});

test("an abort frees the slot", async () => {
  const controller = new AbortController();
  const providerOptions = { zagreus: { logit_bias: endless(fixture.alone) } };
  const result = streamText({
    ...common,
    maxOutputTokens: 400,
    providerOptions,
    abortSignal: controller.signal,
    onError: () => {},
  });
  const before = await fixture.server.metric("zagreus_completion_tokens_total");
  for await (const part of result.stream) if (part.type === "text-delta") controller.abort();
  await until(async () => (await fixture.server.metric("zagreus_requests_running")) === 0, "the model is free");
  expect((await fixture.server.metric("zagreus_completion_tokens_total")) - before).toBeLessThan(300);
});
