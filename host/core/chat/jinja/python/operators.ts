// Python's operators: arithmetic, comparisons, subscripts.

import { percent } from "./format.js";
import { checkInteger } from "./numbers.js";
import { type Runtime, TemplateError, unsupported } from "./runtime.js";
import { find } from "./search.js";
import {
  asText,
  CallArguments,
  characters,
  checkNesting,
  Dict,
  DictView,
  isIterable,
  iterate,
  lengthOf,
  likeInput,
  needInteger,
  PyRange,
  SafeText,
  SURROGATES,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.js";
import { joined, repr } from "./write.js";

export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**";
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

/** @throws TemplateError where Python raises */
export function binary(operator: BinaryOperator, left: Value, right: Value, runtime: Runtime): Value {
  if (operator === "%" && asText(left) !== undefined) return formatText(left, right, runtime);
  for (const side of [left, right]) if (side instanceof Undefined) throw side.fail();
  if (operator === "+") return add(left, right, runtime);
  if (operator === "*") {
    const repeated = repeat(left, right, runtime) ?? repeat(right, left, runtime);
    if (repeated !== undefined) return repeated;
  }
  const [a, b] = [number(left), number(right)];
  if (a === undefined || b === undefined) throw mismatch(operator, left, right);
  return arithmetic(operator, a, b, runtime);
}

/** @throws TemplateError where Python raises */
export function unary(operator: "+" | "-", value: Value): Value {
  if (value instanceof Undefined) throw value.fail();
  const operand = number(value);
  if (operand === undefined) throw new TemplateError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  return operator === "-" ? -operand : operand;
}

function mismatch(operator: string, left: Value, right: Value): TemplateError {
  const types = `'${typeName(left)}' and '${typeName(right)}'`;
  return new TemplateError(`unsupported operand type(s) for ${operator}: ${types}`);
}

function number(value: Value): bigint | number | undefined {
  if (typeof value === "boolean") return BigInt(value);
  return typeof value === "bigint" || typeof value === "number" ? value : undefined;
}

function add(left: Value, right: Value, runtime: Runtime): Value {
  const [a, b] = [written(left), written(right)];
  if (a !== undefined && b !== undefined) {
    runtime.allocate(a.length + b.length);
    if (!(left instanceof SafeText || right instanceof SafeText)) return a + b;
    const safe = (value: Value, text: string) => (value instanceof SafeText ? text : escapeHtml(text, runtime));
    return new SafeText(safe(left, a) + safe(right, b));
  }
  const [first, second] = [sequence(left), sequence(right)];
  if (first !== undefined && second !== undefined && Array.isArray(left) === Array.isArray(right)) {
    runtime.items(first.length + second.length);
    const items = [...first, ...second];
    return Array.isArray(left) ? items : new Tuple(items);
  }
  const [x, y] = [number(left), number(right)];
  if (x === undefined || y === undefined) throw mismatch("+", left, right);
  return arithmetic("+", x, y, runtime);
}

/** What is added as text: a call's arguments are what the caller sent. */
function written(value: Value): string | undefined {
  return value instanceof CallArguments ? value.text : asText(value);
}

function formatText(left: Value, right: Value, runtime: Runtime): string {
  if (left instanceof SafeText) throw unsupported("% of safe text");
  return percent(left as string, right, runtime);
}

function repeat(value: Value, times: Value, runtime: Runtime): Value | undefined {
  if (typeof times !== "bigint" && typeof times !== "boolean") return undefined;
  const count = Math.max(0, needInteger(times, "a count"));
  const text = asText(value);
  if (text !== undefined) {
    runtime.allocate(text.length * count);
    return likeInput(value, text.repeat(text === "" ? 0 : count));
  }
  const items = sequence(value);
  if (items === undefined) return undefined;
  runtime.items(items.length * count);
  const repeated = items.length === 0 ? [] : Array.from({ length: count }, () => items).flat();
  return Array.isArray(value) ? repeated : new Tuple(repeated);
}

/** Bits of the largest power that is computed: more digits than that are refused anyway. */
const MAX_POWER_BITS = 20_000;

function arithmetic(operator: BinaryOperator, a: bigint | number, b: bigint | number, runtime: Runtime): Value {
  if (typeof a === "bigint" && typeof b === "bigint") {
    checkInteger(a, runtime);
    checkInteger(b, runtime);
    return integers(operator, a, b, runtime);
  }
  return floats(operator, Number(a), Number(b));
}

function integers(operator: BinaryOperator, a: bigint, b: bigint, runtime: Runtime): Value {
  switch (operator) {
    case "+":
      return checkInteger(a + b, runtime);
    case "-":
      return checkInteger(a - b, runtime);
    case "*":
      return checkInteger(a * b, runtime);
    case "**": {
      if (b < 0n) return floats("**", Number(a), Number(b));
      const bits = a.toString(2).length * Number(b);
      if (a > 1n || a < -1n) if (bits > MAX_POWER_BITS) throw new TemplateError("a power of it has too many digits");
      return checkInteger(a ** b, runtime);
    }
    case "/":
      if (b === 0n) throw new TemplateError("division by zero");
      if ([a, b].every((value) => Number.isSafeInteger(Number(value)))) return Number(a) / Number(b);
      throw unsupported("division of integers beyond 2**53");
    default: {
      if (b === 0n) throw new TemplateError("integer division or modulo by zero");
      const rest = a % b;
      const shifted = rest !== 0n && rest < 0n !== b < 0n;
      return operator === "%" ? (shifted ? rest + b : rest) : a / b - (shifted ? 1n : 0n);
    }
  }
}

function floats(operator: BinaryOperator, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "**":
      if (a === 0 && b < 0) throw new TemplateError("0.0 cannot be raised to a negative power");
      if (a < 0 && !Number.isInteger(b) && Number.isFinite(b)) throw unsupported("a complex number");
      return power(a, b);
    case "/":
      if (b === 0) throw new TemplateError("float division by zero");
      return a / b;
    default: {
      if (b === 0) throw new TemplateError("float modulo");
      let rest = a % b;
      if (rest !== 0 && rest < 0 !== b < 0) rest += b;
      else if (rest === 0) rest = b < 0 ? -0 : 0;
      if (operator === "%") return rest;
      const quotient = (a - rest) / b;
      return quotient === 0 ? (a < 0 !== b < 0 ? -0 : 0) : Math.round(quotient);
    }
  }
}

function power(a: number, b: number): number {
  if (a === 1 || ((a === -1 || a === 1) && !Number.isFinite(b))) return 1;
  const result = a ** b;
  if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b)) throw new TemplateError("Result too large");
  return result;
}

/** @throws TemplateError where Python raises */
export function compare(operator: Comparison, left: Value, right: Value, runtime: Runtime): boolean {
  switch (operator) {
    case "==":
      return equal(left, right, runtime);
    case "!=":
      return !equal(left, right, runtime);
    case "in":
      return contains(right, left, runtime);
    case "not in":
      return !contains(right, left, runtime);
    case "<":
      return less(left, right, runtime, "<");
    case ">":
      return less(right, left, runtime, ">");
    case "<=":
      return lessOrEqual(left, right, runtime, "<=");
    default:
      return lessOrEqual(right, left, runtime, ">=");
  }
}

/** ==. @throws TemplateError for values that are nested too deep */
export function equal(left: Value, right: Value, runtime: Runtime, depth = 0): boolean {
  checkNesting(depth);
  runtime.items(1);
  if (left === right) return !Number.isNaN(left);
  const [a, b] = [asText(left), asText(right)];
  if (a !== undefined && b !== undefined) return a.length === b.length && runtime.plain(a) === runtime.plain(b);
  const [x, y] = [number(left), number(right)];
  // biome-ignore lint/suspicious/noDoubleEquals: it compares bigints and numbers by their values
  if (x !== undefined && y !== undefined) return x == y;
  const [first, second] = [sequence(left), sequence(right)];
  if (first !== undefined && second !== undefined && Array.isArray(left) === Array.isArray(right)) {
    if (lengthOf(left, runtime) !== lengthOf(right, runtime)) return false;
    return first.every((item, i) => equal(item, second[i]!, runtime, depth + 1));
  }
  if (left instanceof Dict && right instanceof Dict) return equalDicts(left, right, runtime, depth);
  if (left instanceof Undefined) return right instanceof Undefined;
  if (left instanceof PyRange && right instanceof PyRange) {
    return repr([left.at(0), BigInt(left.length)], runtime) === repr([right.at(0), BigInt(right.length)], runtime);
  }
  if (left instanceof DictView && right instanceof DictView) throw unsupported("a comparison of dict views");
  return false;
}

function equalDicts(left: Dict, right: Dict, runtime: Runtime, depth: number): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left.entries()) {
    const other = right.get(key);
    if (other === undefined || !(value === other || equal(value, other, runtime, depth + 1))) return false;
  }
  return true;
}

/** The items of a list or a tuple. */
function sequence(value: Value): readonly Value[] | undefined {
  return Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
}

/** <. `sign` is how the template wrote it. @throws TemplateError for types that have no order */
export function less(left: Value, right: Value, runtime: Runtime, sign = "<", depth = 0): boolean {
  return ordered(left, right, runtime, sign, depth, false);
}

function lessOrEqual(left: Value, right: Value, runtime: Runtime, sign: string): boolean {
  return ordered(left, right, runtime, sign, 0, true);
}

function ordered(left: Value, right: Value, runtime: Runtime, sign: string, depth: number, same: boolean): boolean {
  checkNesting(depth);
  runtime.items(1);
  for (const side of [left, right]) if (side instanceof Undefined) throw side.fail();
  const [x, y] = [number(left), number(right)];
  if (x !== undefined && y !== undefined) return same ? x <= y : x < y;
  const [a, b] = [asText(left), asText(right)];
  if (a !== undefined && b !== undefined) {
    const order = compareTexts(runtime.plain(a), runtime.plain(b), runtime);
    return same ? order <= 0 : order < 0;
  }
  const [first, second] = [sequence(left), sequence(right)];
  if (first === undefined || second === undefined || Array.isArray(left) !== Array.isArray(right)) {
    const [one, other] = sign.startsWith(">") ? [right, left] : [left, right];
    const types = `'${typeName(one)}' and '${typeName(other)}'`;
    throw new TemplateError(`'${sign}' not supported between instances of ${types}`);
  }
  const length = Math.min(first.length, second.length);
  let i = 0;
  while (i < length && (first[i] === second[i] || equal(first[i]!, second[i]!, runtime, depth + 1))) i++;
  if (i < length) return ordered(first[i]!, second[i]!, runtime, sign, depth + 1, same);
  return same ? first.length <= second.length : first.length < second.length;
}

/** By code points, where JavaScript goes by UTF-16 units. */
function compareTexts(a: string, b: string, runtime: Runtime): number {
  runtime.text(Math.min(a.length, b.length));
  if (a === b) return 0;
  if (!SURROGATES.test(a) && !SURROGATES.test(b)) return a < b ? -1 : 1;
  const [first, second] = [characters(a, runtime), characters(b, runtime)];
  for (let i = 0; i < Math.min(first.length, second.length); i++) {
    const difference = first[i]!.codePointAt(0)! - second[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return first.length - second.length;
}

/** `item in container`. @throws TemplateError where Python raises */
export function contains(container: Value, item: Value, runtime: Runtime): boolean {
  const text = asText(container);
  if (text !== undefined) {
    const part = asText(item);
    if (part === undefined) {
      throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    }
    return find(text, part, runtime) >= 0;
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.kind === "keys") return container.dict.has(item);
  if (!isIterable(container)) throw new TemplateError(`argument of type '${typeName(container)}' is not iterable`);
  for (const one of iterate(container, runtime)) if (one === item || equal(one, item, runtime)) return true;
  return false;
}

/** `value[index]`; undefined where Python raises TypeError or LookupError. */
export function item(value: Value, index: Value, runtime: Runtime): Value | undefined {
  if (value instanceof Dict) {
    if (Array.isArray(index) || index instanceof Dict) return undefined;
    return value.get(index);
  }
  if (typeof index !== "bigint" && typeof index !== "boolean") return undefined;
  const at = needInteger(index, "an index");
  const text = asText(value);
  if (text !== undefined) {
    const character = element(characters(text, runtime), at);
    return character === undefined ? undefined : likeInput(value, character);
  }
  const items = sequence(value);
  if (items !== undefined) return element(items, at);
  if (!(value instanceof PyRange)) return undefined;
  const position = at < 0 ? at + value.length : at;
  return position >= 0 && position < value.length ? value.at(position) : undefined;
}

function element<T>(items: ArrayLike<T>, index: number): T | undefined {
  return items[index < 0 ? index + items.length : index];
}

/** `value[start:stop:step]`. @throws TemplateError where Python raises */
export function slice(value: Value, bounds: readonly (Value | undefined)[], runtime: Runtime): Value {
  if (value instanceof Undefined) throw value.fail();
  const text = asText(value);
  const source = text === undefined ? sequence(value) : characters(text, runtime);
  if (source === undefined) {
    if (value instanceof PyRange) throw unsupported("a slice of a range");
    throw new TemplateError(`'${typeName(value)}' object is not subscriptable by a slice`);
  }
  const [start, stop, step] = bounds.map((bound) =>
    bound === undefined || bound === null ? undefined : needInteger(bound, "slice indices"),
  );
  const picked = pick(source as ArrayLike<Value>, start, stop, step, runtime);
  if (text !== undefined)
    return likeInput(value, typeof picked === "string" ? picked : joined(picked as string[], runtime));
  return Array.isArray(value) ? (picked as Value[]) : new Tuple(picked as Value[]);
}

function pick(
  source: ArrayLike<Value>,
  start: number | undefined,
  stop: number | undefined,
  step = 1,
  runtime: Runtime,
): Value[] | string {
  if (step === 0) throw new TemplateError("slice step cannot be zero");
  const { length } = source;
  const clamp = (index: number) => {
    const at = index < 0 ? index + length : index;
    return step > 0 ? Math.max(0, Math.min(length, at)) : Math.max(-1, Math.min(length - 1, at));
  };
  const from = start === undefined ? (step > 0 ? 0 : length - 1) : clamp(start);
  const to = stop === undefined ? (step > 0 ? length : -1) : clamp(stop);
  if (typeof source === "string" && step === 1) {
    runtime.text(Math.max(0, to - from));
    return from < to ? (source as string).slice(from, to) : "";
  }
  const picked: Value[] = [];
  for (let i = from; step > 0 ? i < to : i > to; i += step) {
    runtime.items(1);
    picked.push(source[i]!);
  }
  return picked;
}

const HTML: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;" };

/** markupsafe.escape(). */
export function escapeHtml(text: string, runtime: Runtime): string {
  runtime.text(text.length);
  const special = /[&<>'"\ue000-\uf8ff]/g;
  if (special.test(text)) runtime.items(2 * text.length);
  const escaped = text.replace(special, (character) => HTML[runtime.plain(character)] ?? character);
  runtime.allocate(escaped.length);
  return escaped;
}
