// What a reply may be, as a grammar: calls of the tools, free text or JSON, or one of both.

import type { JsonSchema, RefusedTool, ResponseFormat, Tool } from "../api/api.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import { type Steps, schemaToGrammar } from "../grammar/index.js";
import type { ToolUse } from "./check.js";

export interface ReplyFormat {
  format: ResponseFormat | undefined;
  /** Tools that cannot be called, as their parameters cannot be guaranteed. */
  refused: readonly RefusedTool[];
}

/** @throws ZagreusError INVALID_OPTION, and BAD_SCHEMA when no tool is left that can be called */
export function* replyFormat(use: ToolUse, format: ResponseFormat | undefined): Steps<ReplyFormat> {
  if (use.tools.length === 0) return { format, refused: [] };
  const { rules, refused } = yield* callRules(use);
  const text = format === undefined || format.type === "text";
  const grammar = `root ::= calls\n${rules}`;
  if (text && use.optional) return { format: { type: "grammar", grammar, trigger: "<tool_call>" }, refused };
  if (text || !use.optional) return { format: { type: "grammar", grammar }, refused };
  if (format.type === "grammar")
    throw invalidOption("responseFormat.type", "grammar", "another one where tools may be called");
  const answer = yield* schemaToGrammar(format.type === "json_object" ? { type: "object" } : format.schema, "answer");
  return { format: { type: "grammar", grammar: `root ::= calls | answer\n${rules}\n${answer}` }, refused };
}

function* callRules({ tools, parallel }: ToolUse): Steps<{ rules: string; refused: RefusedTool[] }> {
  const refused: RefusedTool[] = [];
  const callable: string[] = [];
  const rules: string[] = [];
  for (const tool of tools) {
    const i = callable.length;
    try {
      const parameters = yield* argumentRules(tool, i);
      callable.push(`tool-${i}`);
      rules.push(`tool-${i} ::= "${tool.function.name}\\", \\"arguments\\": " arguments-${i}`, parameters);
    } catch (error) {
      if (!(error instanceof ZagreusError)) throw error;
      refused.push({ name: tool.function.name, error });
    }
  }
  if (callable.length === 0) throw refused[0]!.error;
  const heads = [
    `calls ::= call${parallel ? ' ("\\n" call)*' : ""}`,
    `call ::= "<tool_call>\\n{\\"name\\": \\"" (${callable.join(" | ")}) "}\\n</tool_call>"`,
  ];
  return { rules: [...heads, ...rules].join("\n"), refused };
}

function* argumentRules({ function: { name, parameters } }: Tool, i: number): Steps<string> {
  try {
    return yield* schemaToGrammar(asObject(parameters), `arguments-${i}`);
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
