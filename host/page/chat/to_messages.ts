// A conversation as models take it.

import type { ChatMessage } from "../../core/api/api.js";
import type { Message } from "./tree.js";

/** Calls that were never made, as somebody stopped, are not in it. */
export function toMessages(messages: readonly Message[], system: string): ChatMessage[] {
  const answered = new Set(messages.map(({ callId }) => callId));
  const said = messages.map(({ role, text, calls, callId, name }): ChatMessage => {
    if (role === "tool") return { role, content: text, tool_call_id: callId, name };
    const made = calls?.filter(({ id }) => answered.has(id)) ?? [];
    return made.length > 0 ? { role, content: text || null, tool_calls: made } : { role, content: text };
  });
  return system.trim() === "" ? said : [{ role: "system", content: system }, ...said];
}

const CUT: Message["ended"][] = ["stopped", "length", "failed"];

/** Whether a reply can be gone on with. */
export const isCut = ({ role, text, calls, ended }: Message) =>
  role === "assistant" && text !== "" && !calls && CUT.includes(ended);
