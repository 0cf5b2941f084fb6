// A reply as one message.

import type { ChatCompletion, ChatPiece, ToolCall } from "../api/api.js";
import { addDelta } from "../stream/calls.js";

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
