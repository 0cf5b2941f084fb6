// Schemas of strangers: what the grammar does not take is taken without its bounds, or not at all.

import type { JsonSchema, RefusedTool, Tool } from "../index.js";

/** Keywords that only narrow what is valid, so that a server can check them as well. */
const BOUNDS = new Set(
  `minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems uniqueItems
  contains minContains maxContains minProperties maxProperties propertyNames patternProperties not if then else dependentRequired
  dependentSchemas dependencies unevaluatedProperties unevaluatedItems`.split(/\s+/),
);
const NAMED = new Set(["properties", "$defs", "definitions"]);
const VALUES = new Set(["enum", "const", "default", "examples", "required"]);

/** A schema without bounds: all that it allowed is still allowed. */
export function relaxed(schema: JsonSchema): JsonSchema {
  return relaxedValue(schema, false) as JsonSchema;
}

function relaxedValue(value: unknown, isMap: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => relaxedValue(item, false));
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([key]) => isMap || !BOUNDS.has(key));
  const entries = kept.map(([key, inner]) => {
    if (!isMap && VALUES.has(key)) return [key, inner];
    return [key, relaxedValue(inner, !isMap && NAMED.has(key))];
  });
  return Object.fromEntries(entries);
}

export interface Kept<T extends Tool> {
  tools: T[];
  /** Left out, with the model's reason. */
  refused: readonly RefusedTool[];
}

/** Which of some tools a model refuses, each with its reason. */
export type Refusals = (tools: readonly Tool[]) => Promise<readonly RefusedTool[]>;

/** The tools that the model can be led to call: as they are, relaxed where that is needed, without those that cannot be kept even so. */
export async function keepable<T extends Tool>(tools: readonly T[], refusals: Refusals): Promise<Kept<T>> {
  const strict = await refusals(tools);
  if (strict.length === 0) return { tools: [...tools], refused: [] };
  const offered = tools.map((tool) => {
    const { parameters } = tool.function;
    const isRefused = strict.some(({ name }) => name === tool.function.name);
    return isRefused && parameters
      ? { ...tool, function: { ...tool.function, parameters: relaxed(parameters) } }
      : tool;
  });
  const refused = await refusals(offered);
  return { tools: offered.filter((tool) => !refused.some(({ name }) => name === tool.function.name)), refused };
}

/** A chat fails where all tools are refused; this one never is. */
export const NEVER_REFUSED: Tool = {
  type: "function",
  function: { name: "-", parameters: { type: "object", properties: {} } },
};
