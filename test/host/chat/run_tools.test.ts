import { setTimeout } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { ChatMessage, ChatOptions, RunnableTool, RunToolsOptions, ToolCall } from "../../../host/core/api/api";
import type { ChatModel } from "../../../host/core/chat/types";
import { ModelCompletion } from "../../../host/core/engine/completion";
import { Pace } from "../../../host/core/engine/pace";
import { answerBy, runTools, startChat } from "../../../host/core/model/chat_completion";
import { caught } from "../../support/nano";

const PACE = new Pace(
  () => setTimeout(0),
  () => {},
);
const USER: ChatMessage[] = [{ role: "user", content: "Quanto fa 2 + 3?" }];
const call = (name: string, args: string) => `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`;

/** A model that says what stands in the script, one text a reply. */
function scripted(replies: string[], finishReason: "stop" | "length" = "stop") {
  const asked: { messages: readonly ChatMessage[]; options: ChatOptions }[] = [];
  const special = { "<|im_start|>": 1, "<|im_end|>": 2 };
  const chatting: ChatModel = {
    info: {
      name: "nesso",
      metadata: {},
      vocabulary: 100,
      contextLength: 64,
      chatTemplate: undefined,
      namedTemplates: {},
      tokenizer: { bos: undefined, eos: 2, addBos: false, end: [], special, userDefined: {} },
    } as never,
    tokenize: () => [3],
    takeTurn: async () => ({ pace: PACE, release() {}, goesWith() {} }),
    complete: () =>
      new ModelCompletion(0n, async function* (record) {
        const text = replies.shift()!;
        for (let at = 0; at < text.length; at += 7) {
          if (at + 7 >= text.length) record.finishReason = finishReason;
          record.tokens.push(3);
          yield { text: text.slice(at, at + 7), token: 3 };
        }
      }),
  };
  const chat = (messages: readonly ChatMessage[], options: ChatOptions = {}) => {
    asked.push({ messages: [...messages], options });
    return startChat(chatting.info, messages, options, answerBy(chatting));
  };
  return { asked, model: { chat } };
}

const tool = (name: string, run: RunnableTool["run"]): RunnableTool => ({
  type: "function",
  function: { name, parameters: { type: "object" } },
  run,
});
const add = tool("add", ({ a, b }) => a + b);
const run = (replies: string[], options: Partial<RunToolsOptions> = {}) =>
  runTools(scripted(replies).model, USER, { tools: [add], ...options });

test("calls run until the model has no more", async () => {
  const { asked, model } = scripted([call("add", '{"a": 2, "b": 3}'), "Fa 5."]);
  const result = await runTools(model, USER, { tools: [add], toolChoice: "required", temperature: 0.5 });
  expect(result).toMatchObject({ steps: 2, finishReason: "stop", message: { role: "assistant", content: "Fa 5." } });
  const { id } = result.messages[1]!.tool_calls![0]!;
  expect(result.messages).toEqual([
    ...USER,
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id, type: "function", function: { name: "add", arguments: '{"a": 2, "b": 3}' } }],
    },
    { role: "tool", tool_call_id: id, name: "add", content: "5" },
    { role: "assistant", content: "Fa 5." },
  ]);
  expect(asked.map(({ options }) => options.toolChoice)).toEqual(["required", "auto"]);
  expect(asked[1]).toMatchObject({ messages: result.messages.slice(0, 3), options: { temperature: 0.5 } });
  expect(asked[0]!.options.tools).toEqual([{ type: "function", function: add.function }]);
});

test("parallel calls run one after the other, and their results go back in order", async () => {
  const order: string[] = [];
  const slow = tool("slow", async (args, { call: made, signal }) => {
    order.push(`begin ${args.n}`);
    await setTimeout(5);
    order.push(`end ${args.n}`);
    expect(made.function.name).toBe("slow");
    expect(signal).toBeUndefined();
    return { n: args.n };
  });
  const results: [ToolCall, string][] = [];
  const onPiece = vi.fn();
  const calls = `Attendi.\n${call("slow", '{"n": 1}')}\n${call("slow", '{"n": 2}')}`;
  const options = { tools: [slow], onPiece, onResult: (...result: [ToolCall, string]) => results.push(result) };
  const { messages } = await run([calls, "ok"], options);
  expect(order).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
  expect(messages.map(({ content }) => content)).toEqual([USER[0]!.content, "Attendi.", '{"n":1}', '{"n":2}', "ok"]);
  expect(results.map(([made, result]) => [made.id, result])).toEqual(
    messages[1]!.tool_calls!.map(({ id }, i) => [id, `{"n":${i + 1}}`]),
  );
  expect(
    onPiece.mock.calls
      .flat()
      .map(({ text }) => text)
      .join(""),
  ).toBe("Attendi.ok");
});

const THROWN: [string, RunnableTool["run"], string][] = [
  ["an error", () => Promise.reject(new Error("no such city")), '{"error":"no such city"}'],
  [
    "something else",
    () => {
      throw "x";
    },
    '{"error":"x"}',
  ],
  ["what is no JSON", () => 5n, expect.stringMatching(/^\{"error":".*BigInt/)],
  ["nothing", () => undefined, "null"],
  ["text", () => "as it is", "as it is"],
];
test.each(THROWN)("a function that gives %s answers the model", async (_, f, content) => {
  const { messages } = await run([call("f", "{}"), "ok"], { tools: [tool("f", f)] });
  expect(messages[2]).toMatchObject({ role: "tool", content });
  expect(messages).toHaveLength(4);
});

test("after maxSteps replies it ends, with the calls that were not run", async () => {
  const f = vi.fn(() => 1);
  const result = await run([call("f", "{}"), call("f", "{}"), call("f", "{}")], { tools: [tool("f", f)], maxSteps: 2 });
  expect(result).toMatchObject({
    steps: 2,
    finishReason: "steps",
    message: { tool_calls: [{ function: { name: "f" } }] },
  });
  expect(f).toHaveBeenCalledTimes(1);
  expect(result.messages).toHaveLength(4);
});

test("a call that was cut is not run", async () => {
  const f = vi.fn();
  const { model } = scripted(['<tool_call>\n{"name": "f", "arguments": {"x": '], "length");
  const result = await runTools(model, USER, { tools: [tool("f", f)] });
  expect(result).toMatchObject({ steps: 1, finishReason: "length" });
  expect(f).not.toHaveBeenCalled();
});

test("an abort ends it, also while a function runs that does not listen", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const deaf = tool("deaf", () => {
    void setTimeout(5).then(() => controller.abort(reason));
    return new Promise(() => {});
  });
  const error = await caught(run([call("deaf", "{}"), "never"], { tools: [deaf], signal: controller.signal }));
  expect(error).toMatchObject({ code: "ABORTED", cause: reason });
});

test("messages that are no list are refused", async () => {
  for (const messages of [undefined, null, "Ciao"]) {
    const error = await caught(runTools(scripted([]).model, messages as never, { tools: [add] }));
    expect(error).toMatchObject({ code: "INVALID_OPTION", field: "messages" });
  }
});

test("what does not fit the model's context is refused before the reply is read", async () => {
  const { chat } = scripted([]).model;
  const error = await caught(() => chat(USER, { overflow: { keep: 63 } }));
  expect(error).toMatchObject({ code: "INVALID_OPTION", field: "overflow.keep" });
});

test.each([
  [{ tools: [] }, "tools"],
  [{ tools: [{ type: "function", function: { name: "f" } }] }, "tools[0].run"],
  [{ maxSteps: 0 }, "maxSteps"],
  [{ maxSteps: 1.5 }, "maxSteps"],
])("%j is refused", async (options, field) => {
  expect(await caught(run(["x"], options as never))).toMatchObject({ code: "INVALID_OPTION", field });
});
