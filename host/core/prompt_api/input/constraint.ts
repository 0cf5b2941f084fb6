// What an answer must be: a JSON schema or a regular expression.

import type { JsonSchema, ResponseFormat } from "../../api/api.js";
import { compact } from "../../chat/begun.js";
import { checkToolUse } from "../../chat/check.js";
import { replyFormat } from "../../chat/reply_format.js";
import { finishInSlices, schemaToGrammar } from "../../grammar/index.js";
import { domError } from "../web/errors.js";
import type { Message } from "./messages.js";
import type { DeclaredTool } from "./options.js";
import { regexpGrammar } from "./regexp.js";

export type Constraint = { type: "json"; schema: JsonSchema; text: string } | { type: "regexp"; source: string };

/** Flags that change nothing of what a whole text may be. */
const FLAGS = /^[dguy]*$/;

/** @throws TypeError | DOMException NotSupportedError */
export function convertConstraint(value: unknown): Constraint | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError("responseConstraint must be a RegExp or a JSON schema");
  }
  if (value instanceof RegExp) {
    if (FLAGS.test(value.flags)) return { type: "regexp", source: value.source };
    throw domError("NotSupportedError", `flags of a regular expression: "${value.flags}", must be of d, g, u and y`);
  }
  try {
    const text = JSON.stringify(value);
    return { type: "json", schema: JSON.parse(text), text };
  } catch (cause) {
    throw domError("NotSupportedError", `the schema cannot be written as JSON: ${cause}`, cause);
  }
}

/** The messages with the schema in the last one of the user. */
export function withSchema(messages: readonly Message[], constraint: Constraint | undefined): readonly Message[] {
  const at = messages.findLastIndex(({ role }) => role === "user");
  const last = messages[at]?.parts.at(-1);
  if (constraint?.type !== "json" || last?.type !== "text") return messages;
  const text = `${last.text}\n\nAnswer in JSON of this schema: ${constraint.text}`;
  return messages.with(at, { ...messages[at]!, parts: messages[at]!.parts.with(-1, { type: "text", text }) });
}

/**
 * The engine's words for it, with calls of tools as the other way to answer.
 * @param prefix what the answer begins with
 * @throws ZagreusError BAD_SCHEMA | DOMException NotSupportedError
 */
export async function formatOf(
  constraint: Constraint | undefined,
  tools: readonly DeclaredTool[],
  prefix: string,
): Promise<ResponseFormat | undefined> {
  const pause = async () => {};
  if (tools.length > 0) {
    if (constraint?.type === "regexp") {
      throw domError("NotSupportedError", "a regular expression in a session with tools, whose calls do not match it");
    }
    const json = constraint && { type: "json_schema" as const, schema: constraint.schema };
    const { format } = await finishInSlices(replyFormat(checkToolUse({ tools }), json), pause);
    return constraint && prefix && format?.type === "grammar" ? { ...format, prefix: compact(prefix) } : format;
  }
  if (!constraint) return undefined;
  if (constraint.type === "regexp") {
    return { type: "grammar", grammar: await finishInSlices(regexpGrammar(constraint.source), pause), prefix };
  }
  const grammar = await finishInSlices(schemaToGrammar(constraint.schema, "root"), pause);
  return { type: "grammar", grammar, prefix: compact(prefix) };
}
