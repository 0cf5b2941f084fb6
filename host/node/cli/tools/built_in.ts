// Tools that come with the command, for what small models are bad at. None is offered unless it is asked for.

import { InvalidArgumentError } from "commander";
import type { RunnableTool } from "../../index.js";
import { type ClockQuestion, tellTime } from "./clock.js";
import { evaluate, shownNumber } from "./expression.js";
import { convert, QUANTITIES } from "./units.js";

const BUILT_IN: Record<string, RunnableTool> = {
  calculator: tool(
    "calculator",
    'Computes an arithmetic expression, such as "12.5 * (3 + 4)", "15% of 80", "sqrt(2) ^ 3".',
    { expression: { type: "string", maxLength: 100 } },
    ["expression"],
    ({ expression }: { expression: string }) => ({ result: shownNumber(evaluate(expression)) }),
  ),
  time: tool(
    "time",
    "Tells the date, the weekday and the time now, or of another day.",
    {
      zone: { type: "string", maxLength: 50, description: "time zone such as Europe/Rome; without it: here" },
      date: { type: "string", format: "date", description: "a day instead of today" },
      days: { type: "integer", description: "days to add" },
    },
    [],
    (question: ClockQuestion) => tellTime(question),
  ),
  units: tool(
    "units",
    `Converts between units of ${QUANTITIES.join(", ")}.`,
    {
      value: { type: "number" },
      from: { type: "string", maxLength: 30, description: "unit, such as mi or km/h" },
      to: { type: "string", maxLength: 30 },
    },
    ["value", "from", "to"],
    ({ value, from, to }: { value: number; from: string; to: string }) => ({ result: convert(value, from, to) }),
  ),
};

/** The built-in tools of "calculator,units"; "all" is all. Given again, there are more. */
export function builtInTools(names: string, before: RunnableTool[] = []): RunnableTool[] {
  const wanted = names === "all" ? Object.keys(BUILT_IN) : names.split(",").map((name) => name.trim());
  for (const name of wanted) {
    if (Object.hasOwn(BUILT_IN, name)) continue;
    throw new InvalidArgumentError(`Allowed choices are ${Object.keys(BUILT_IN).join(", ")}, all.`);
  }
  return [...new Set([...before, ...wanted.map((name) => BUILT_IN[name]!)])];
}

function tool<Arguments>(
  name: string,
  description: string,
  properties: object,
  required: string[],
  run: (args: Arguments) => unknown,
): RunnableTool {
  const parameters = { type: "object", properties, required, additionalProperties: false };
  return { type: "function", function: { name, description, parameters }, run };
}
