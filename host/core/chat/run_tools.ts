// Reply, calls, results, next reply: until the model has no more calls.

import type { ChatMessage, ChatPiece, Model, RunnableTool, RunToolsOptions, ToolCall, ToolRun } from "../api/api.js";
import { aborted, invalidOption } from "../api/errors.js";
import { checkSignal } from "../engine/pace.js";
import { collectReply } from "./message.js";

const MAX_STEPS = 100;

/** @throws ZagreusError as chat() does; INVALID_OPTION, ABORTED */
export async function runTools(
  model: Pick<Model, "chat">,
  messages: readonly ChatMessage[],
  options: RunToolsOptions,
): Promise<ToolRun> {
  const { tools, maxSteps = 8, onPiece, onResult, ...chat } = options;
  checkRunnable(tools);
  if (!Number.isInteger(maxSteps) || maxSteps < 1 || maxSteps > MAX_STEPS) {
    throw invalidOption("maxSteps", maxSteps, `an integer from 1 to ${MAX_STEPS}`);
  }
  const declared = tools.map(({ run: _, ...tool }) => tool);
  const conversation = [...messages];
  for (let steps = 1; ; steps++) {
    // A call that is demanded is demanded once: else there would be no last reply.
    const toolChoice = steps === 1 || chat.toolChoice === "none" ? chat.toolChoice : "auto";
    const completion = model.chat(conversation, { ...chat, toolChoice, tools: declared });
    const message = await collectReply(watched(completion, onPiece));
    const { finishReason } = completion;
    conversation.push(message);
    if (finishReason !== "tool_calls") return { messages: conversation, message, finishReason: finishReason!, steps };
    if (steps === maxSteps) return { messages: conversation, message, finishReason: "steps", steps };
    for (const call of message.tool_calls ?? []) {
      const content = await result(tools, call, chat.signal);
      onResult?.(call, content);
      conversation.push({ role: "tool", tool_call_id: call.id, name: call.function.name, content });
    }
  }
}

async function* watched(pieces: AsyncIterable<ChatPiece>, onPiece: RunToolsOptions["onPiece"]) {
  for await (const piece of pieces) {
    onPiece?.(piece);
    yield piece;
  }
}

function checkRunnable(tools: readonly RunnableTool[]): void {
  if (!Array.isArray(tools) || tools.length === 0) throw invalidOption("tools", tools, "at least one tool");
  tools.forEach((tool, i) => {
    if (typeof tool?.run !== "function") throw invalidOption(`tools[${i}].run`, tool?.run, "a function");
  });
}

/** What the model is told. @throws ZagreusError ABORTED */
async function result(
  tools: readonly RunnableTool[],
  call: ToolCall,
  signal: AbortSignal | undefined,
): Promise<string> {
  checkSignal(signal);
  const tool = tools.find(({ function: { name } }) => name === call.function.name);
  try {
    if (!tool) throw new Error(`there is no tool "${call.function.name}"`);
    const value = await untilAborted(signal, async () =>
      tool.run(JSON.parse(call.function.arguments), { call, signal }),
    );
    return typeof value === "string" ? value : (JSON.stringify(value) ?? "null");
  } catch (error) {
    checkSignal(signal);
    return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
  }
}

/** A tool that does not listen to the signal must not keep its caller waiting. */
async function untilAborted<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  let stop = () => {};
  const abort = new Promise<never>((_, reject) => {
    stop = () => reject(aborted(signal?.reason));
    signal?.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([run(), abort]);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
