// What OpenAI's API calls things, for whoever answers in its words.

import type { ChatFinishReason, Usage } from "../api/api.js";

/** OpenAI's usage. */
export interface ApiUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
}

export function apiUsage({ promptTokens, completionTokens, reusedTokens }: Omit<Usage, "prefilledTokens">): ApiUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: reusedTokens },
  };
}

/** What every object of an answer starts with. */
export function envelope(prefix: string, object: string, model: string) {
  const id = `${prefix}-${crypto.randomUUID().replaceAll("-", "")}`;
  return { id, object, created: Math.floor(Date.now() / 1000), model };
}

/** Why a text ended, in OpenAI's words. */
export type ApiFinishReason = "stop" | "length" | "tool_calls";

/** The reason in OpenAI's words: a full context is "length" too, and a loop is a text that has come to its end. */
export function finishReason(reason: ChatFinishReason | undefined): ApiFinishReason {
  if (reason === "loop") return "stop";
  return reason === "stop" || reason === "tool_calls" ? reason : "length";
}

/** What is new in a chat's message: its text and calls, one call at a time, because some clients look at the first alone. */
export function chatDeltas({ text, toolCalls = [] }: { text: string; toolCalls?: readonly object[] }): object[] {
  const [first, ...more] = toolCalls.map((call) => ({ tool_calls: [call] }));
  const said = { ...(text && { content: text }), ...first };
  return text || first ? [said, ...more] : [];
}

/** A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export const event = (data: object | "[DONE]") => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
