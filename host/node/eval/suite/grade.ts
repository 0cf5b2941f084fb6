// Whether an answer passes a case of the makers' tool suite (https://github.com/mii-llm/zagreus-nesso-slm, nesso2/eval): their rules,
// in code of our own.

import { isTruthy, type PythonValue, str, strip, words } from "../python.js";
import { type FoundCall, findCalls } from "./calls.js";

/** What a case wants, by its category. */
export type Spec =
  | { kind: "calls"; tools: string[]; n: number; argkeys?: [string, string[]]; intarg?: [string, string, number] }
  | { kind: "missing"; tool: string; field: string }
  | { kind: "words"; gold: string | null }
  | { kind: "observed"; gold: string | null }
  | { kind: "next"; next: string | null }
  | { kind: "silent" };

export interface Grade {
  passed: boolean;
  calls: FoundCall[];
}

export function grade(spec: Spec, answer: string): Grade {
  const calls = findCalls(answer);
  return { passed: passes(spec, calls, answer), calls };
}

function passes(spec: Spec, calls: readonly FoundCall[], answer: string): boolean {
  const contains = (gold: string) => answer.toLowerCase().includes(gold);
  switch (spec.kind) {
    case "calls":
      return hasCalls(spec, calls);
    case "missing":
      return !fabricates(spec, calls);
    case "words":
      return calls.length === 0 && (spec.gold === null ? words(answer).length >= 2 : contains(spec.gold));
    case "observed":
      return calls.length === 0 && (spec.gold === null || contains(spec.gold));
    case "next":
      return spec.next === null ? calls.length === 0 : calls.some(({ name }) => name === spec.next);
    case "silent":
      return calls.length === 0;
  }
}

function hasCalls(spec: Extract<Spec, { kind: "calls" }>, calls: readonly FoundCall[]): boolean {
  const { tools, n, argkeys, intarg } = spec;
  const wanted = new Set<PythonValue>(tools);
  const names = new Set(calls.map(({ name }) => name));
  if (calls.length !== n || names.size !== wanted.size || [...names].some((name) => !wanted.has(name))) return false;
  if (argkeys) {
    const given = argumentsOf(calls, argkeys[0]);
    if (!given || given.size === 0 || !argkeys[1].every((key) => given.has(key))) return false;
  }
  if (!intarg) return true;
  const [tool, key, integer] = intarg;
  const text = strip(str(argumentsOf(calls, tool)?.get(key) ?? null));
  return text === `${integer}` || text === `${integer}.0`;
}

/** Whether the first call of the tool has made up what nobody said. */
function fabricates({ tool, field }: Extract<Spec, { kind: "missing" }>, calls: readonly FoundCall[]): boolean {
  const value = argumentsOf(calls, tool)?.get(field);
  if (value === undefined || !isTruthy(value)) return false;
  if (tool === "send_email") return str(value).includes("@");
  return tool !== "book_flight" || strip(str(value)) !== "";
}

/** The arguments of the first call of a tool, if they are an object. */
function argumentsOf(calls: readonly FoundCall[], tool: string): Map<string, PythonValue> | undefined {
  const given = calls.find(({ name }) => name === tool)?.arguments;
  return given instanceof Map ? given : undefined;
}
