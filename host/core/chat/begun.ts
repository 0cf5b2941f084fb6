// A reply that is begun: the model goes on with it.

import type { ChatMessage, ResponseFormat } from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { type Steps, schemaToGrammar } from "../grammar/index.js";
import { checkMessages } from "./check.js";
import { InputCopier } from "./json.js";
import type { RenderedChat } from "./render.js";

/**
 * The messages that a reply answers, and what the last one has begun of it.
 * @throws ZagreusError INVALID_OPTION where the last message is no text of an assistant
 */
export function takeBegun(messages: readonly ChatMessage[], goesOn: unknown): [readonly ChatMessage[], string] {
  if (goesOn === undefined || goesOn === false) return [messages, ""];
  if (goesOn !== true) throw invalidOption("continueFinalMessage", goesOn, "true or false");
  const { role, tool_calls, content } = checkMessages(messages, new InputCopier()).at(-1)!;
  const path = `messages[${messages.length - 1}]`;
  if (role !== "assistant") throw invalidOption(`${path}.role`, role, '"assistant", to be continued');
  if (tool_calls !== undefined) throw invalidOption(`${path}.tool_calls`, tool_calls, "absent, to be continued");
  return [messages.slice(0, -1), content ?? ""];
}

/** The prompt with the beginning of the reply behind it. */
export function withBegun(rendered: RenderedChat, begun: string): RenderedChat {
  const parts = [...rendered.parts];
  if (typeof parts.at(-1) === "string") parts[parts.length - 1] += begun;
  else if (begun) parts.push(begun);
  return { ...rendered, text: rendered.text + begun, parts };
}

/** What the rest of a reply has to be, so that the whole is what the format says. @throws ZagreusError BAD_SCHEMA */
export function* restOf(format: ResponseFormat | undefined, begun: string): Steps<ResponseFormat | undefined> {
  if (begun === "" || format === undefined || format.type === "text") return format;
  if (format.type === "grammar") return format.trigger === undefined ? { ...format, prefix: begun } : format;
  const schema = format.type === "json_object" ? { type: "object" as const } : format.schema;
  return { type: "grammar", grammar: yield* schemaToGrammar(schema, "root"), prefix: compact(begun) };
}

/** The beginning of a JSON text without white space between its parts, which grammars know little of. */
export function compact(json: string): string {
  const chunks = json.match(/"(?:[^"\\]|\\.)*(?:"|\\?$)|\s+|[{}[\]:,]|[^\s"{}[\]:,]+/gs) ?? [];
  const isWord = (chunk: string | undefined) => chunk !== undefined && !/^[\s"{}[\]:,]/.test(chunk);
  return chunks
    .filter((chunk, i) => !/^\s/.test(chunk) || (isWord(chunks[i - 1]) && !/^[}\],]/.test(chunks[i + 1] ?? "")))
    .join("");
}
