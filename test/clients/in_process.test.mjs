// Every client in the process of the model: `fetch: server.fetch` instead of a network.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, isStepCount, streamText, tool } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createServer } from "../../dist/server.js";
import { loadAlone, until } from "./server.mjs";
import { all, endless, failure, messages, sampling, weather } from "./setup.mjs";

const baseURL = "http://zagreus/v1";
const apiKey = "any";
const parameters = z.object({ city: z.string().max(12), days: z.number().int().min(1).max(7) });

let alone;
let server;
let name;
beforeAll(async () => {
  alone = await loadAlone();
  server = createServer(alone);
  name = alone.info.name;
});
afterAll(async () => {
  await server?.close();
  alone?.close();
});

const expected = () => alone.chat(messages, { ...sampling, maxTokens: 12 }).text();
async function metric(wanted) {
  const text = await (await server.fetch("http://zagreus/metrics")).text();
  return Number(new RegExp(`^${wanted}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1]);
}
/** Runs what aborts a generation that would not end, and waits until the model is free. */
async function expectToStop(run) {
  const before = (await metric("zagreus_completion_tokens_total")) || 0;
  await run();
  await until(async () => (await metric("zagreus_requests_running")) === 0, "the model is free");
  expect((await metric("zagreus_completion_tokens_total")) - before).toBeLessThan(300);
}

describe("openai", () => {
  let client;
  beforeAll(() => {
    client = new OpenAI({ apiKey, baseURL, fetch: server.fetch, maxRetries: 0 });
  });
  const chat = (body, options) =>
    client.chat.completions.create({ model: name, messages, ...sampling, max_tokens: 12, ...body }, options);

  test("whole, and as a stream", async () => {
    expect((await chat()).choices[0].message.content).toBe(await expected());
    const chunks = await all(await chat({ stream: true }));
    expect(chunks.map(({ choices }) => choices[0].delta.content ?? "").join("")).toBe(await expected());
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual([name]);
  });

  test("tools", async () => {
    const { choices } = await chat({ max_tokens: 120, tools: [weather], tool_choice: "required" });
    const call = choices[0].message.tool_calls[0];
    expect(parameters.safeParse(JSON.parse(call.function.arguments))).toMatchObject({ success: true });
  });

  test.each(["an abort", "a loop that is left"])("%s frees the model", async (how) => {
    await expectToStop(async () => {
      const controller = new AbortController();
      const body = { stream: true, max_tokens: 400, logit_bias: endless(alone) };
      for await (const _ of await chat(body, { signal: controller.signal })) {
        if (how === "an abort") controller.abort();
        else break;
      }
    });
  });

  test("an abort before the answer is the client's own error", async () => {
    const controller = new AbortController();
    const body = { max_tokens: 400, logit_bias: endless(alone) };
    const answer = failure(chat(body, { signal: controller.signal }));
    setTimeout(() => controller.abort(), 30);
    expect(await answer).toBeInstanceOf(OpenAI.APIUserAbortError);
  });

  test("errors have their status", async () => {
    expect(await failure(chat({ temperature: -1 }))).toMatchObject({ status: 400, param: "temperature" });
    expect(await failure(chat({ model: "gpt-none" }))).toBeInstanceOf(OpenAI.NotFoundError);
  });
});

describe("AI SDK", () => {
  let common;
  beforeAll(() => {
    const provider = createOpenAICompatible({ name: "zagreus", baseURL, fetch: server.fetch });
    const [{ content: instructions }, user] = messages;
    common = { model: provider(name), instructions, messages: [user], ...sampling, maxOutputTokens: 12, maxRetries: 0 };
  });

  test("whole, and as a stream", async () => {
    expect((await generateText(common)).text).toBe(await expected());
    expect((await all(streamText(common).textStream)).join("")).toBe(await expected());
  });

  test("tools", async () => {
    const asked = [];
    const execute = (input) => asked.push(input);
    const { steps } = await generateText({
      ...common,
      maxOutputTokens: 90,
      tools: { weather: tool({ description: "Weather", inputSchema: parameters, execute }) },
      toolChoice: { type: "tool", toolName: "weather" },
      stopWhen: isStepCount(2),
    });
    expect(steps).toHaveLength(2);
    for (const input of asked) expect(parameters.safeParse(input)).toMatchObject({ success: true });
  });

  test("an abort frees the model", async () => {
    await expectToStop(async () => {
      const controller = new AbortController();
      const providerOptions = { zagreus: { logit_bias: endless(alone) } };
      const options = { ...common, maxOutputTokens: 400, providerOptions, abortSignal: controller.signal };
      for await (const part of streamText({ ...options, onError: () => {} }).stream) {
        if (part.type === "text-delta") controller.abort();
      }
    });
  });
});

describe("LangChain.js", () => {
  const conversation = [new SystemMessage(messages[0].content), new HumanMessage(messages[1].content)];
  const { seed, temperature } = sampling;
  const chat = (options) =>
    new ChatOpenAI({
      model: name,
      apiKey,
      maxRetries: 0,
      temperature,
      maxTokens: 12,
      configuration: { baseURL, fetch: server.fetch },
      ...options,
    });

  test("whole, and as a stream", async () => {
    expect((await chat().invoke(conversation, { seed })).content).toBe(await expected());
    const chunks = await all(await chat().stream(conversation, { seed }));
    expect(chunks.map(({ content }) => content).join("")).toBe(await expected());
  });

  test("tools", async () => {
    const known = langchainTool(({ city }) => city, { name: "weather", description: "Weather", schema: parameters });
    const model = chat({ maxTokens: 90 }).bindTools([known], { tool_choice: "weather" });
    const { tool_calls } = await model.invoke(conversation, { seed });
    expect(tool_calls.length).toBeGreaterThan(0);
    expect(parameters.safeParse(tool_calls[0].args)).toMatchObject({ success: true });
  });

  test("an abort frees the model", async () => {
    await expectToStop(async () => {
      const controller = new AbortController();
      const model = chat({ maxTokens: 400, logitBias: endless(alone) });
      const read = async () => {
        for await (const _ of await model.stream(conversation, { signal: controller.signal })) controller.abort();
      };
      await failure(read());
    });
  });
});
