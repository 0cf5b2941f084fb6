// Messages as callers write them, made regular: "validate and canonicalize a prompt" of the specification.

import type { ChatMessage } from "../../api/api.js";
import { isObject } from "../../api/is_object.js";
import { toJson } from "../../chat/json.js";
import { LanguageModelToolCall, LanguageModelToolError, LanguageModelToolSuccess } from "../api/tool_values.js";
import type { LanguageModelMessageRole, LanguageModelMessageType } from "../api/types.js";
import { domError } from "../web/errors.js";

/** A message whose neighbouring texts are one. */
export interface Message {
  role: LanguageModelMessageRole;
  parts: Part[];
  prefix: boolean;
}

export type Part =
  | { type: "text"; text: string }
  | { type: "call"; id: string; name: string; arguments: string }
  | { type: "result"; id: string; text: string };

/** A message whose members have their types. */
export interface Written {
  role: LanguageModelMessageRole;
  content: string | { type: LanguageModelMessageType; value: unknown }[];
  prefix: boolean;
}

const ROLES: readonly string[] = ["system", "user", "assistant"] satisfies LanguageModelMessageRole[];
export const TYPES: readonly string[] = [
  "text",
  "image",
  "audio",
  "tool-call",
  "tool-response",
] satisfies LanguageModelMessageType[];
/** Names that templates and grammars take. */
const NAME = /^[\w.-]{1,64}$/;

/** A list of messages, or the text that anything else is. @throws TypeError */
export function convertPrompt(input: unknown): string | Written[] {
  const list = sequence(input);
  return list ? list.map(convertMessage) : `${input}`;
}

/** @throws TypeError */
export function convertMessage(message: unknown): Written {
  if (typeof message !== "object" || message === null) throw new TypeError("a message must be an object");
  const { content, prefix, role } = message as Record<string, unknown>;
  if (content === undefined) throw new TypeError('a message must have "content"');
  const parts = sequence(content);
  return {
    content: parts ? parts.map(convertPart) : `${content}`,
    prefix: Boolean(prefix),
    role: oneOf(ROLES, role, "role") as LanguageModelMessageRole,
  };
}

function convertPart(part: unknown) {
  if (typeof part !== "object" || part === null) throw new TypeError("content must be an object");
  const { type, value } = part as Record<string, unknown>;
  if (value === undefined) throw new TypeError('content must have a "value"');
  return { type: oneOf(TYPES, type, "type") as LanguageModelMessageType, value };
}

/** The items of what can be iterated, undefined for all else: a union of a sequence and a string tells them apart so. */
export function sequence(value: unknown): unknown[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return typeof (value as Iterable<unknown>)[Symbol.iterator] === "function"
    ? [...(value as Iterable<unknown>)]
    : undefined;
}

/** @throws TypeError */
export function oneOf(known: readonly string[], value: unknown, field: string): string {
  const text = `${value}`;
  if (known.includes(text)) return text;
  throw new TypeError(`"${text}" is no ${field}, must be one of ${known.join(", ")}`);
}

/**
 * @param expected types that the session was made for
 * @param hasBegun whether a message stands before these
 * @throws TypeError | DOMException SyntaxError, NotSupportedError, DataError
 */
export function canonicalize(input: string | Written[], expected: ReadonlySet<string>, hasBegun: boolean): Message[] {
  if (typeof input === "string") return [userText(input)];
  if (input.length === 0) return [userText("")];
  return input.map(({ role, content, prefix }, i) => {
    if (prefix && (role !== "assistant" || i < input.length - 1)) {
      throw domError("SyntaxError", "only the last message can be a prefix, and only the assistant's");
    }
    if (role === "system" && (hasBegun || i > 0)) throw new TypeError("a system message can only come first");
    const parts = typeof content === "string" ? [text(content)] : joined(content.map(partOf(role, expected)));
    return { role, parts: parts.length > 0 ? parts : [text("")], prefix };
  });
}

const text = (value: string): Part => ({ type: "text", text: value });
const userText = (value: string): Message => ({ role: "user", parts: [text(value)], prefix: false });

function joined(parts: readonly Part[]): Part[] {
  const out: Part[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (last?.type === "text" && part.type === "text") out[out.length - 1] = text(last.text + part.text);
    else out.push(part);
  }
  return out;
}

const partOf =
  (role: LanguageModelMessageRole, expected: ReadonlySet<string>) =>
  ({ type, value }: { type: LanguageModelMessageType; value: unknown }): Part => {
    if (type === "text") {
      if (typeof value === "object" || typeof value === "function") throw new TypeError("a text must be a string");
      return text(`${value}`);
    }
    const speaker = { "tool-call": "assistant", "tool-response": "user", image: role, audio: role }[type];
    if (role !== speaker) throw new TypeError(`content of type "${type}" must be the ${speaker}'s`);
    if (!expected.has(type) || type === "image" || type === "audio") {
      throw domError("NotSupportedError", `content of type "${type}" is not among the session's expectedInputs`);
    }
    return type === "tool-call" ? callOf(value) : resultOf(value);
  };

function callOf(value: unknown): Part {
  if (!(value instanceof LanguageModelToolCall)) throw new TypeError("a tool-call must be a LanguageModelToolCall");
  const { callID: id, name, arguments: given } = value;
  if (!isObject(given)) throw domError("DataError", "arguments of a call must be an object");
  return { type: "call", id, name: toolName(name), arguments: toJson(JSON.parse(json(given))) };
}

function resultOf(value: unknown): Part {
  if (value instanceof LanguageModelToolError) {
    return { type: "result", id: value.callID, text: JSON.stringify({ error: value.errorMessage }) };
  }
  if (!(value instanceof LanguageModelToolSuccess)) {
    throw new TypeError("a tool-response must be a LanguageModelToolSuccess or a LanguageModelToolError");
  }
  const texts = value.result.map(({ type, value }) => {
    if (type === "image" || type === "audio") throw domError("NotSupportedError", `a result of type "${type}"`);
    return typeof value === "string" ? value : json(value);
  });
  return { type: "result", id: value.callID, text: texts.join("\n") };
}

/** @throws DOMException NotSupportedError */
export function toolName(name: string): string {
  if (NAME.test(name)) return name;
  throw domError("NotSupportedError", `"${name}" as a tool's name: 1 to 64 letters, digits, ".", "-" and "_" are`);
}

/** @throws DOMException DataError for what JSON does not say, or says only a part of */
function json(value: unknown): string {
  checkPlain(value, []);
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw domError("DataError", `a value cannot be written as JSON: ${cause}`, cause);
  }
}

function checkPlain(value: unknown, above: readonly unknown[]): void {
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return;
  if (value === undefined && above.length > 0) return;
  if (typeof value !== "object" || above.includes(value)) {
    throw domError("DataError", `JSON has no ${typeof value === "object" ? "object within itself" : typeof value}`);
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return;
  const prototype = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw domError("DataError", `JSON has no ${(value as object).constructor?.name}`);
  }
  for (const inner of Object.values(value as object)) checkPlain(inner, [...above, value]);
}

/** Messages as chat templates know them. */
export function toChat(messages: readonly Message[]): ChatMessage[] {
  return messages.flatMap(({ role, parts }): ChatMessage[] => {
    if (role !== "assistant") {
      return parts.map((part) =>
        part.type === "result"
          ? { role: "tool", tool_call_id: part.id, content: part.text }
          : { role, content: (part as { text: string }).text },
      );
    }
    const content = parts.map((part) => (part.type === "text" ? part.text : "")).join("");
    const calls = parts.filter((part) => part.type === "call");
    if (calls.length === 0) return [{ role, content }];
    const tool_calls = calls.map((call) => ({
      id: call.id,
      type: "function" as const,
      function: { name: call.name, arguments: call.arguments },
    }));
    return [{ role, content: content || null, tool_calls }];
  });
}
