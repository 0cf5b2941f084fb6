// A reply as one message.

import type { ChatCompletion, ChatPiece, ToolCall, ToolCallDelta } from "../api/api.js";

export type AssistantMessage = Awaited<ReturnType<ChatCompletion["message"]>>;

/** Ready to be appended to the messages; content is null when there are only calls. */
export async function collectReply(pieces: AsyncIterable<ChatPiece>): Promise<AssistantMessage> {
  let text = "";
  const calls: ToolCall[] = [];
  for await (const piece of pieces) {
    text += piece.text;
    for (const delta of piece.toolCalls ?? []) addDelta(calls, delta);
  }
  if (calls.length === 0) return { role: "assistant", content: text };
  return { role: "assistant", content: text === "" ? null : text, tool_calls: calls };
}

/** Puts what is new of a call among the calls. */
export function addDelta(
  calls: ToolCall[],
  { index, id = "", function: { name = "", arguments: more } }: ToolCallDelta,
): void {
  const call = calls[index];
  if (call) call.function.arguments += more;
  else calls[index] = { id, type: "function", function: { name, arguments: more } };
}
