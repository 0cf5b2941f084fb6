// Tools: what web platform tests of ai/language-model assert of calls that the caller makes, and calls that are made here.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import {
  type LanguageModelMessageContent,
  LanguageModelToolCall,
  LanguageModelToolError,
  LanguageModelToolSuccess,
} from "zagreus-edge/prompt-api";
import { caught } from "../../support/nano";
import { type Asked, loadShort, nameOf, nanoClass, scripted } from "./harness";

let model: Model;
beforeAll(async () => {
  model = await loadShort();
});
afterAll(() => model.close());

const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const WEATHER = { name: "weather", description: "The weather of a city.", inputSchema: SCHEMA };
const TYPES = {
  expectedInputs: [{ type: "tool-call" }, { type: "tool-response" }],
  expectedOutputs: [{ type: "tool-call" }],
} as const;
const call = (city: string) => `<tool_call>\n{"name": "weather", "arguments": {"city": "${city}"}}\n</tool_call>`;

/** A class of a model that says this, one text after the other; what it was asked is noted. */
function saying(...texts: string[]) {
  const asked: Asked[] = [];
  const LanguageModel = nanoClass(
    scripted(model, () => texts[asked.length - 1] ?? "the end", asked, 8),
    { maxTokens: 200 },
  );
  return { LanguageModel, asked };
}

describe("declarations", () => {
  const circular: Record<string, unknown> = { type: "object" };
  circular.self = circular;
  const refused = { get: (_: object, name: string) => (name === "type" ? "object" : thrown(name)) };
  const thrown = (name: string) => {
    throw new Error(`no ${name}`);
  };
  test.each<[string, unknown, string]>([
    ["no schema", { ...WEATHER, inputSchema: undefined }, "TypeError"],
    ["null as its schema", { ...WEATHER, inputSchema: null }, "TypeError"],
    ["a text as its schema", { ...WEATHER, inputSchema: "object" }, "TypeError"],
    ["a schema without a type", { ...WEATHER, inputSchema: {} }, "TypeError"],
    ["a schema of another type", { ...WEATHER, inputSchema: { type: "string" } }, "TypeError"],
    ["properties that are none", { ...WEATHER, inputSchema: { type: "object", properties: "a" } }, "TypeError"],
    ["a required that is no list", { ...WEATHER, inputSchema: { type: "object", required: "a" } }, "TypeError"],
    ["a schema within itself", { ...WEATHER, inputSchema: circular }, "TypeError"],
    ["a schema that throws", { ...WEATHER, inputSchema: new Proxy({}, refused as ProxyHandler<object>) }, "Error"],
    ["a toJSON() that throws", { ...WEATHER, inputSchema: { ...SCHEMA, toJSON: () => thrown("JSON") } }, "Error"],
    ["an empty name", { ...WEATHER, name: "" }, "TypeError"],
    ["an empty description", { ...WEATHER, description: "" }, "TypeError"],
    ["no name", { ...WEATHER, name: undefined }, "TypeError"],
    ["an execute that is no function", { ...WEATHER, execute: 1 }, "TypeError"],
    ["a name that templates cannot say", { ...WEATHER, name: "the weather" }, "NotSupportedError"],
  ])("%s", async (_, tool, name) => {
    const { LanguageModel } = saying();
    expect(await nameOf(LanguageModel.create({ ...TYPES, tools: [tool as typeof WEATHER] }))).toBe(name);
    expect(await nameOf(LanguageModel.create({ ...TYPES, tools: [WEATHER, tool as typeof WEATHER] }))).toBe(name);
  });

  test("two of a name, and tools whose calls are not expected", async () => {
    const { LanguageModel } = saying();
    expect(await nameOf(LanguageModel.create({ ...TYPES, tools: [WEATHER, WEATHER] }))).toBe("TypeError");
    expect(await nameOf(LanguageModel.create({ tools: [WEATHER] }))).toBe("TypeError");
    const expectedOutputs = [{ type: "text" }] as const;
    expect(await nameOf(LanguageModel.create({ expectedOutputs, tools: [WEATHER] }))).toBe("TypeError");
    const session = await LanguageModel.create({ ...TYPES, tools: [] });
    expect(await session.prompt("a")).toBe("the end");
  });

  test("take room of the window, and are refused where there is none", async () => {
    const { LanguageModel } = saying();
    const [plain, tooled] = await Promise.all([
      LanguageModel.create(),
      LanguageModel.create({ ...TYPES, tools: [WEATHER] }),
    ]);
    expect(tooled.contextUsage).toBe(0);
    expect(tooled.contextWindow).toBeLessThan(plain.contextWindow - 50);
    const many = { ...WEATHER, description: "a city ".repeat(5000) };
    expect(await nameOf(LanguageModel.create({ ...TYPES, tools: [many] }))).toBe("QuotaExceededError");
  });
});

describe("calls that the caller makes", () => {
  test("are the answer: text first", async () => {
    const { LanguageModel, asked } = saying(`Let me see.\n${call("Seattle")}\n${call("Tokyo")}`, "Rain.");
    const session = await LanguageModel.create({ ...TYPES, tools: [WEATHER] });
    const answer = await session.prompt("Seattle or Tokyo?");
    expect(asked[0]!.prompt).toContain('"name": "weather"');
    expect(answer.map(({ type }: { type: string }) => type)).toEqual(["text", "tool-call", "tool-call"]);
    expect(answer[0].value).toBe("Let me see.");
    const [, { value: first }, { value: second }] = answer;
    expect(first).toBeInstanceOf(LanguageModelToolCall);
    expect(first).toMatchObject({ name: "weather", arguments: { city: "Seattle" }, callID: first.callId });
    expect(second.callID).not.toBe(first.callID);
    const result = new LanguageModelToolSuccess({
      callID: first.callID,
      name: "weather",
      result: [
        { type: "text", value: "rain" },
        { type: "object", value: { degrees: [1, 2] } },
      ],
    });
    const failure = new LanguageModelToolError({
      callId: second.callID,
      name: "weather",
      errorMessage: "no such city",
    });
    const content = [result, failure].map((value) => ({ type: "tool-response" as const, value }));
    expect(await session.prompt([{ role: "user", content }])).toBe("Rain.");
    const { prompt } = asked[1]!;
    expect(prompt).toContain(call("Seattle"));
    expect(prompt).toContain('<tool_response>\nrain\n{"degrees":[1,2]}\n</tool_response>');
    expect(prompt).toContain('<tool_response>\n{"error":"no such city"}\n</tool_response>');
  });

  test("come in streams, also of clones", async () => {
    const { LanguageModel } = saying(`So: ${call("Roma")}`);
    const session = await (await LanguageModel.create({ ...TYPES, tools: [WEATHER] })).clone();
    const chunks: unknown[] = [];
    for await (const chunk of session.promptStreaming("a") as unknown as AsyncIterable<unknown>) chunks.push(chunk);
    expect(chunks.slice(0, -1).join("")).toBe("So:");
    expect(chunks.at(-1)).toMatchObject({ type: "tool-call", value: { name: "weather", arguments: { city: "Roma" } } });
  });

  test("the grammar lets the real model call nothing but what there is", async () => {
    const tools = [{ ...WEATHER, inputSchema: { type: "object", properties: { n: { type: "integer" } } } }];
    const session = await nanoClass(model, { maxTokens: 40 }).create({ ...TYPES, tools });
    const prefix = { role: "assistant", content: '<tool_call>\n{"name": "', prefix: true } as const;
    expect(await session.prompt([{ role: "user", content: "a" }, prefix])).toBeTypeOf("string");
    const schema = { type: "object", properties: { n: { type: "integer", maximum: 9 } } };
    const answer = await session.prompt("a", { responseConstraint: schema });
    expect(Array.isArray(answer) || typeof JSON.parse(answer) === "object").toBe(true);
    expect(await nameOf(session.prompt("a", { responseConstraint: /a/ }))).toBe("NotSupportedError");
  });
});

describe("calls and results of the past", () => {
  const past = (init: object) => new LanguageModelToolCall({ callID: "1", name: "weather", ...init });
  const assistant = (...content: LanguageModelMessageContent[]) => ({ role: "assistant", content }) as const;
  const response = (value: unknown) =>
    ({
      role: "user",
      content: [
        {
          type: "tool-response",
          value: new LanguageModelToolSuccess({ callID: "1", name: "weather", result: [{ type: "text", value }] }),
        },
      ],
    }) as const;

  test("are told as if they had been", async () => {
    const { LanguageModel, asked } = saying();
    const content = [{ city: "Paris" }, {}, undefined].map((given) => ({
      type: "tool-call" as const,
      value: past({ arguments: given }),
    }));
    const session = await LanguageModel.create({
      ...TYPES,
      tools: [WEATHER],
      initialPrompts: [{ role: "user", content: "a" }, assistant(...content), response("fine")],
    });
    expect(await session.prompt("Go on.")).toBe("the end");
    expect(asked[0]!.prompt).toContain(call("Paris"));
    expect(asked[0]!.prompt.split('"arguments": {}').length).toBe(3);
    expect(asked[0]!.prompt).toContain("<tool_response>\nfine\n</tool_response>");
  });

  const within: Record<string, unknown> = {};
  within.self = within;
  test.each<[string, string, object]>([
    ["DataError", "arguments that are a list", assistant({ type: "tool-call", value: past({ arguments: [] }) })],
    ["DataError", "arguments within themselves", assistant({ type: "tool-call", value: past({ arguments: within }) })],
    ["DataError", "a result within itself", response(within)],
    ["DataError", "a function", response(() => {})],
    ["DataError", "a bigint", response({ n: 1n })],
    ["DataError", "an object of the platform's", response(new Map())],
    ["TypeError", "a user's call", { role: "user", content: [{ type: "tool-call", value: past({}) }] }],
    ["TypeError", "an assistant's result", { ...response("a"), role: "assistant" }],
    ["TypeError", "a call that is none", assistant({ type: "tool-call", value: {} as LanguageModelToolCall })],
    [
      "NotSupportedError",
      "an image as the result",
      {
        role: "user",
        content: [
          {
            type: "tool-response",
            value: new LanguageModelToolSuccess({ callID: "1", name: "a", result: [{ type: "image", value: {} }] }),
          },
        ],
      },
    ],
  ])("%s: %s", async (name, _, message) => {
    const session = await saying().LanguageModel.create({ ...TYPES, tools: [WEATHER] });
    expect(await nameOf(session.prompt([message as { role: "user"; content: string }]))).toBe(name);
  });

  test("need to be expected", async () => {
    const { expectedOutputs } = TYPES;
    const session = await saying().LanguageModel.create({ expectedOutputs, tools: [WEATHER] });
    const messages = [assistant({ type: "tool-call", value: past({}) }), response("a")];
    for (const message of messages) expect(await nameOf(session.prompt([message]))).toBe("NotSupportedError");
  });

  test("their classes want what they need", () => {
    expect(past({})).toMatchObject({ callID: "1", callId: "1", arguments: {} });
    expect(() => new LanguageModelToolCall({ name: "a" })).toThrow(TypeError);
    expect(() => new LanguageModelToolError({ callID: "1", name: "a" } as never)).toThrow(TypeError);
    const result = [{ type: "soup", value: 1 }] as never;
    expect(() => new LanguageModelToolSuccess({ callID: "1", name: "a", result })).toThrow(TypeError);
  });
});

describe("calls that are made here", () => {
  test("run at once, and the answer is the last", async () => {
    const { LanguageModel, asked } = saying(`Let me see. ${call("Seattle")}\n${call("Tokyo")}`, "Tokyo.");
    let running = 0;
    let most = 0;
    const execute = async ({ city }: { city: string }) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      if (city === "Tokyo") throw new Error("closed");
      return `${city}: rain`;
    };
    const session = await LanguageModel.create({ ...TYPES, tools: [{ ...WEATHER, execute }] });
    const texts: string[] = [];
    for await (const text of session.promptStreaming("Where?") as unknown as AsyncIterable<string>) texts.push(text);
    expect(texts.join("")).toBe("Let me see.Tokyo.");
    expect(most).toBe(2);
    expect(asked[1]!.prompt).toContain("<tool_response>\nSeattle: rain\n</tool_response>");
    expect(asked[1]!.prompt).toContain('<tool_response>\n{"error":"closed"}\n</tool_response>');
    await session.prompt("And?");
    expect(asked[2]!.prompt).toContain(call("Seattle"));
  });

  test("end after five rounds, with an answer", async () => {
    const { LanguageModel, asked } = saying(...Array(5).fill(call("Roma")), "enough");
    const session = await LanguageModel.create({ ...TYPES, tools: [{ ...WEATHER, execute: () => "sun" }] });
    expect(await session.prompt("a")).toBe("enough");
    expect(asked.length).toBe(6);
    expect(asked[5]!.options.responseFormat).toBeUndefined();
  });

  test("an abort ends them", async () => {
    const { LanguageModel } = saying(call("Roma"));
    const controller = new AbortController();
    const reason = new Error("of the signal");
    const execute = () => controller.abort(reason);
    const session = await LanguageModel.create({ ...TYPES, tools: [{ ...WEATHER, execute }] });
    expect(await caught(session.prompt("a", { signal: controller.signal }))).toBe(reason);
    expect(session.contextUsage).toBe(0);
  });
});
