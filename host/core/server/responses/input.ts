// What a response is to answer: items, as the messages of a chat.

import type { ChatMessage } from "../../api/api.js";
import { badRequest } from "../http/errors.js";
import { parse } from "../openai/fields.js";
import { items as known, type ResponsesBody } from "./schemas.js";

/** An item as it is kept, in few words. */
export type Item =
  | { type: "message"; role: "system" | "developer" | "user" | "assistant"; content: string }
  | { type: "function_call"; call_id: string; name: string; arguments: string }
  | { type: "function_call_output"; call_id: string; output: string };

/** What others' servers have done or thought; the model neither did nor thought it. */
const SKIPPED = new Set([
  ...["reasoning", "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"],
  ...["mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call"],
]);

/** The items of an input. @param lookUp finds what a reference means. @throws ApiError 400 */
export function itemsOf(input: ResponsesBody["input"], lookUp: (id: string, path: string) => object): Item[] {
  if (typeof input === "string") return [{ type: "message", role: "user", content: input }];
  return input.flatMap((item, i) => itemOf(item, `input[${i}]`, lookUp));
}

function itemOf(item: unknown, path: string, lookUp: (id: string, path: string) => object): Item[] {
  const type = typeOf(item, path);
  if (SKIPPED.has(type)) return [];
  switch (type) {
    case "message": {
      const { role, content } = parse(known.message, item, path);
      return [{ type, role, content: joined(content ?? "") }];
    }
    case "function_call": {
      const { call_id, name, arguments: given } = parse(known.function_call, item, path);
      return [{ type, call_id, name, arguments: given || "{}" }];
    }
    case "function_call_output": {
      const { call_id, output } = parse(known.function_call_output, item, path);
      return [{ type, call_id, output: typeof output === "string" ? output : output.map(shown).join("\n") }];
    }
    case "item_reference": {
      const { id } = parse(known.item_reference, item, path);
      return itemOf(lookUp(id, `${path}.id`), path, lookUp);
    }
  }
  const types = [...Object.keys(known), ...SKIPPED].join(", ");
  throw badRequest(`${path}.type is ${JSON.stringify(type)}, must be one of ${types}`, `${path}.type`);
}

/** Clients leave it out where a role or an id says enough. */
function typeOf(item: unknown, path: string): string {
  if (typeof item !== "object" || item === null) throw badRequest(`${path} must be an item, an object`, path);
  if ("type" in item && typeof item.type === "string") return item.type;
  if ("role" in item) return "message";
  if ("id" in item) return "item_reference";
  throw badRequest(`${path}.type is missing`, `${path}.type`);
}

const joined = (content: string | { text: string }[]) =>
  typeof content === "string" ? content : content.map(({ text }) => text).join("\n");

const shown = (part: { type: string; text?: unknown }) =>
  typeof part.text === "string" ? part.text : `[${part.type}, which cannot be shown]`;

/** Items as messages: what an assistant said and called in one go is one message, and so is what systems say at the beginning. */
export function messagesOf(instructions: string | undefined, items: readonly Item[]): ChatMessage[] {
  const messages: ChatMessage[] = instructions ? [{ role: "system", content: instructions }] : [];
  for (const item of items) {
    const last = messages.at(-1);
    if (item.type === "function_call_output") {
      messages.push({ role: "tool", content: item.output, tool_call_id: item.call_id });
    } else if (item.type === "function_call") {
      const { call_id: id, name, arguments: given } = item;
      const call = { id, type: "function", function: { name, arguments: given } } as const;
      if (last?.role !== "assistant") messages.push({ role: "assistant", content: null, tool_calls: [call] });
      else last.tool_calls = [...(last.tool_calls ?? []), call];
    } else addText(messages, item.role === "developer" ? "system" : item.role, item.content);
  }
  return messages;
}

function addText(messages: ChatMessage[], role: "system" | "user" | "assistant", content: string): void {
  const last = messages.at(-1);
  const goesOn = last?.role === role && (role === "assistant" || (role === "system" && messages.length === 1));
  if (goesOn) last.content = [last.content, content].filter(Boolean).join("\n\n") || null;
  else if (content !== "" || role === "user") messages.push({ role, content });
}
