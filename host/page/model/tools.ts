// Two tools for models to call.

import type { RunnableTool, ToolCall } from "../../core/api/api.js";

export const TOOLS: readonly RunnableTool[] = [
  {
    type: "function",
    function: {
      name: "current_time",
      description: "The current date and time",
      parameters: { type: "object", properties: {}, additionalProperties: false },
    },
    run: () => new Date().toString(),
  },
  {
    type: "function",
    function: {
      name: "calculate",
      description: "Computes an arithmetic expression",
      parameters: {
        type: "object",
        properties: {
          expression: { type: "string", maxLength: 100, description: "such as (2 + 3) * 4.5; knows + - * / ^ ( )" },
        },
        required: ["expression"],
        additionalProperties: false,
      },
    },
    run: ({ expression }: { expression: string }) => String(calculate(expression)),
  },
];

/** What a call of one of `tools` gives; what fails is told to the model. */
export async function runCall(
  call: ToolCall,
  tools: readonly RunnableTool[] = TOOLS,
  signal?: AbortSignal,
): Promise<string> {
  const { name, arguments: text } = call.function;
  const tool = tools.find((tool) => tool.function.name === name);
  if (!tool) return `{"error": "there is no such tool"}`;
  try {
    return String(await tool.run(JSON.parse(text || "{}"), { call, signal }));
  } catch (error) {
    return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
  }
}

type Operation = (a: number, b: number) => number;
/** By how tightly they bind. */
const OPERATIONS: Record<string, Operation>[] = [
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "*": (a, b) => a * b, "/": (a, b) => a / b },
];

/** The value of an arithmetic expression. @throws Error */
export function calculate(expression: string): number {
  const tokens = expression.match(/\d+(\.\d+)?|\.\d+|\S/g) ?? [];
  let at = 0;
  const take = (token: string) => tokens[at] === token && ++at > 0;

  const level = (depth: number): number => {
    const operations = OPERATIONS[depth];
    if (!operations) return signed();
    let value = level(depth + 1);
    while (Object.hasOwn(operations, tokens[at] ?? "")) value = operations[tokens[at++]!]!(value, level(depth + 1));
    return value;
  };
  const signed = (): number => (take("-") ? -signed() : power());
  const power = (): number => {
    const base = atom();
    return take("^") ? base ** signed() : base;
  };
  const atom = (): number => {
    if (take("(")) {
      const value = level(0);
      if (!take(")")) throw new Error(`")" is missing in "${expression}"`);
      return value;
    }
    const token = tokens[at++] ?? "the end";
    if (!/\d/.test(token)) throw new Error(`"${token}" is where a number must be, in "${expression}"`);
    return Number(token);
  };

  const value = level(0);
  if (at < tokens.length) throw new Error(`"${tokens[at]}" is too much in "${expression}"`);
  return value;
}
