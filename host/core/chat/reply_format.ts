// What a reply may be, as a grammar: calls of the tools, free text or JSON, or one of both.

import type { JsonSchema, ResponseFormat, Tool } from "../api/api.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import { schemaToGrammar, type Steps } from "../grammar/index.js";
import type { ToolUse } from "./check.js";

/** @throws ZagreusError BAD_SCHEMA for parameters whose validity cannot be guaranteed, INVALID_OPTION */
export function replyFormat(use: ToolUse, format: ResponseFormat | undefined): ResponseFormat | undefined {
  if (use.tools.length === 0) return format;
  const calls = callRules(use);
  const text = format === undefined || format.type === "text";
  if (text && use.optional) return { type: "grammar", grammar: `root ::= calls\n${calls}`, trigger: "<tool_call>" };
  if (text || !use.optional) return { type: "grammar", grammar: `root ::= calls\n${calls}` };
  if (format.type === "grammar")
    throw invalidOption("responseFormat.type", "grammar", "another one where tools may be called");
  const schema = format.type === "json_object" ? { type: "object" } : format.schema;
  return { type: "grammar", grammar: `root ::= calls | answer\n${calls}\n${schemaToGrammar(schema, "answer")}` };
}

function callRules({ tools, parallel }: ToolUse): string {
  const name = (i: number) => `tool-${i}`;
  return [
    `calls ::= call${parallel ? ' ("\\n" call)*' : ""}`,
    `call ::= "<tool_call>\\n{\\"name\\": \\"" (${tools.map((_, i) => name(i)).join(" | ")}) "}\\n</tool_call>"`,
    ...tools.map((tool, i) => `${name(i)} ::= "${tool.function.name}\\", \\"arguments\\": " arguments-${i}`),
    ...tools.map((tool, i) => argumentRules(tool, i)),
  ].join("\n");
}

function argumentRules({ function: { name, parameters } }: Tool, i: number): string {
  try {
    return schemaToGrammar(asObject(parameters), `arguments-${i}`);
  } catch (error) {
    if (!(error instanceof ZagreusError)) throw error;
    const { code, message, field, value } = error;
    throw new ZagreusError(code, `parameters of the tool "${name}": ${message}`, { field, value, cause: error });
  }
}

const WITHOUT_TYPE = ["$ref", "anyOf", "oneOf", "allOf", "enum", "const"];

/** Arguments are an object, also where the schema does not say so; without a schema there are none. */
function asObject(parameters: JsonSchema | undefined): JsonSchema {
  if (parameters === undefined) return { type: "object", properties: {}, additionalProperties: false };
  if (typeof parameters === "boolean") return { type: "object" };
  return WITHOUT_TYPE.some((keyword) => keyword in parameters) ? parameters : { ...parameters, type: "object" };
}
