// What stands behind `is`: jinja2/tests.py.

import { binary, type Comparison, compare } from "./python/operators.js";
import { type Runtime, unsupported } from "./python/runtime.js";
import { bind } from "./python/signature.js";
import { isCased } from "./python/strings.js";
import {
  asText,
  CallArguments,
  Callable,
  Dict,
  isIterable,
  type NamedArguments,
  needText,
  PyObject,
  PyRange,
  SafeText,
  Tuple,
  Undefined,
  type Value,
} from "./python/values.js";
import { str } from "./python/write.js";

type Test = readonly [signature: string, holds: (runtime: Runtime, value: Value, other: Value) => boolean];

const simple = (holds: (value: Value) => boolean): Test => ["value", (_, value) => holds(value)];
const comparison = (operator: Comparison): Test => [
  "value other",
  (runtime, value, other) => compare(operator, value, other, runtime),
];
const rest = (divisor: bigint, wanted: bigint): Test => [
  "value",
  (runtime, value) => compare("==", binary("%", value, divisor, runtime), wanted, runtime),
];

const TESTS: Readonly<Record<string, Test>> = {
  "!=": comparison("!="),
  "<": comparison("<"),
  "<=": comparison("<="),
  "==": comparison("=="),
  ">": comparison(">"),
  ">=": comparison(">="),
  boolean: simple((value) => typeof value === "boolean"),
  callable: simple((value) => value instanceof Callable || isFunction(value)),
  defined: simple((value) => !(value instanceof Undefined)),
  divisibleby: ["value num", (runtime, value, num) => compare("==", binary("%", value, num, runtime), 0n, runtime)],
  eq: comparison("=="),
  equalto: comparison("=="),
  escaped: simple((value) => value instanceof SafeText),
  even: rest(2n, 0n),
  false: simple((value) => value === false),
  filter: simple(() => {
    throw unsupported('the test "filter"');
  }),
  float: simple((value) => typeof value === "number"),
  ge: comparison(">="),
  greaterthan: comparison(">"),
  gt: comparison(">"),
  in: comparison("in"),
  integer: simple((value) => typeof value === "bigint"),
  iterable: simple(isIterable),
  le: comparison("<="),
  lessthan: comparison("<"),
  lower: ["value", (runtime, value) => isCased(str(value, runtime), false, runtime)],
  lt: comparison("<"),
  mapping: simple((value) => value instanceof Dict),
  ne: comparison("!="),
  none: simple((value) => value === null),
  number: simple((value) => ["bigint", "number", "boolean"].includes(typeof value)),
  odd: rest(2n, 1n),
  sameas: ["value other", (_, value, other) => isSame(value, other)],
  sequence: simple(isSequence),
  string: simple((value) => asText(value) !== undefined || (value instanceof CallArguments && value.isText)),
  test: ["value", (runtime, value) => isTest(runtime.plain(needText(value, "a test's name")))],
  true: simple((value) => value === true),
  undefined: simple((value) => value instanceof Undefined),
  upper: ["value", (runtime, value) => isCased(str(value, runtime), true, runtime)],
};

export function isTest(name: string): boolean {
  return Object.hasOwn(TESTS, name);
}

/** @throws TemplateError for arguments that the test does not take, and where Python raises */
export function holds(
  name: string,
  value: Value,
  args: readonly Value[],
  named: NamedArguments,
  runtime: Runtime,
): boolean {
  const [signature, test] = TESTS[name]!;
  const [first, other] = bind(name, signature, [value, ...args], named);
  return test(runtime, first!, other === undefined ? null : other);
}

function isFunction(value: Value): boolean {
  return value instanceof PyObject && ["Macro", "LoopContext", "Undefined"].includes(value.type);
}

/** `is` of Python, for what is surely one object or not. */
function isSame(value: Value, other: Value): boolean {
  return value === other;
}

function isSequence(value: Value): boolean {
  if (asText(value) !== undefined || Array.isArray(value)) return true;
  return value instanceof Tuple || value instanceof Dict || value instanceof PyRange || value instanceof Undefined;
}
