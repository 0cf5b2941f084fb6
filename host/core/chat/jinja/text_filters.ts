// The filters of jinja2/filters.py for texts and numbers, and transformers' tojson.

import { attribute as lookUp, ownAttribute } from "./python/attributes.js";
import { readFloat, readInteger, roundFloat, toFixed } from "./python/numbers.js";
import { escapeHtml, less, unary } from "./python/operators.js";
import { type Runtime, TemplateError, unsupported } from "./python/runtime.js";
import type { Filter } from "./python/signature.js";
import { capitalize, changeCase, justify, replace, rsplit, splitLines, strip } from "./python/strings.js";
import {
  asText,
  characters,
  countCharacters,
  Dict,
  isIterable,
  isTrue,
  iterate,
  likeInput,
  needInteger,
  needText,
  pairsOf,
  SafeText,
  typeName,
  Undefined,
  type Value,
} from "./python/values.js";
import { joined, str, toJson } from "./python/write.js";

/** A filter on a text whose result is safe if the text is. */
const onText = (apply: (text: string, runtime: Runtime) => string): Filter => [
  "s",
  (runtime, value) => likeInput(value, apply(str(value, runtime), runtime)),
];

const escapeFilter: Filter = [
  "s",
  (runtime, value) => (value instanceof SafeText ? value : new SafeText(escapeHtml(str(value, runtime), runtime))),
];
const otherwise: Filter = [
  "value default_value? boolean?",
  (_, value, other = "", boolean = false) =>
    value instanceof Undefined || (isTrue(boolean) && !isTrue(value)) ? other : value,
];

export const TEXT_FILTERS: Readonly<Record<string, Filter>> = {
  abs: ["x /", (runtime, value) => absolute(value, runtime)],
  attr: ["obj name", (runtime, value, name) => attr(value, needText(name!, "a name"), runtime)],
  capitalize: onText(capitalize),
  center: [
    "value width?",
    (runtime, value, width = 80n) => likeInput(value, justify(str(value, runtime), width, " ", "^", runtime)),
  ],
  d: otherwise,
  default: otherwise,
  e: escapeFilter,
  escape: escapeFilter,
  filesizeformat: ["value binary?", (runtime, value, binary = false) => fileSize(value, isTrue(binary), runtime)],
  float: ["value default?", (runtime, value, other = 0) => orElse(toFloat(value, runtime), other)],
  forceescape: ["value", (runtime, value) => new SafeText(escapeHtml(str(value, runtime), runtime))],
  indent: [
    "s width? first? blank?",
    (runtime, value, width = 4n, first = false, blank = false) =>
      indent(value, width, isTrue(first), isTrue(blank), runtime),
  ],
  int: ["value default? base?", (runtime, value, other = 0n, base = 10n) => toInteger(value, other, base, runtime)],
  lower: onText((text, runtime) => changeCase(text, false, runtime)),
  replace: [
    "s old new count?",
    (runtime, value, old, by, count = null) =>
      replace(str(value, runtime), str(old!, runtime), str(by!, runtime), countOf(count), runtime),
  ],
  round: [
    "value precision? method?",
    (runtime, value, precision = 0n, method = "common") => round(value, precision, method, runtime),
  ],
  safe: ["value", (runtime, value) => new SafeText(str(value, runtime))],
  string: ["object", (runtime, value) => (value instanceof SafeText ? value : str(value, runtime))],
  title: onText(titleWords),
  tojson: [
    "x ensure_ascii? indent? separators? sort_keys?",
    (runtime, value, ascii = false, width = null, separators = null, sorted = false) =>
      json(value, isTrue(ascii), width, separators, isTrue(sorted), runtime),
  ],
  trim: [
    "value chars?",
    (runtime, value, chars = null) => likeInput(value, strip(str(value, runtime), chars, "both", runtime)),
  ],
  truncate: [
    "s length? killwords? end? leeway?",
    (runtime, value, length = 255n, kill = false, end = "...", leeway = 5n) =>
      truncate(value, needInteger(length, "a length"), isTrue(kill), needText(end, "an end"), leeway, runtime),
  ],
  upper: onText((text, runtime) => changeCase(text, true, runtime)),
  urlencode: ["value", urlEncode],
  wordcount: ["s", (runtime, value) => wordCount(str(value, runtime), runtime)],
};

function orElse(value: Value | undefined, otherwise: Value): Value {
  return value === undefined ? otherwise : value;
}

function countOf(count: Value): number {
  return count === null ? -1 : needInteger(count, "count");
}

function absolute(value: Value, runtime: Runtime): Value {
  if (typeof value === "number") return Math.abs(value);
  const number = unary("+", value) as bigint;
  runtime.items(1);
  return number < 0n ? -number : number;
}

function attr(value: Value, name: string, runtime: Runtime): Value {
  if (value instanceof Undefined) return lookUp(value, name, runtime);
  const own = ownAttribute(value, name, runtime);
  return own === undefined ? new Undefined(`'${typeName(value)} object' has no attribute '${name}'`) : own;
}

const UNITS = ["k", "M", "G", "T", "P", "E", "Z", "Y"];

function fileSize(value: Value, binary: boolean, runtime: Runtime): string {
  const bytes = toFloat(value, runtime);
  if (bytes === undefined) throw new TemplateError("filesizeformat takes a number");
  if (!Number.isFinite(bytes)) throw unsupported("filesizeformat of such a number");
  const base = binary ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  runtime.items(20);
  const power = UNITS.findIndex((_, i) => bytes < base ** (i + 2));
  const unit = power < 0 ? UNITS.length - 1 : power;
  const amount = toFixed((base * bytes) / base ** (unit + 2), 1);
  return `${amount} ${binary ? UNITS[unit]!.toUpperCase() : UNITS[unit]}${binary ? "i" : ""}B`;
}

/** float(value); undefined where Python raises TypeError or ValueError. */
function toFloat(value: Value, runtime: Runtime): number | undefined {
  if (value instanceof Undefined) throw value.fail();
  const text = asText(value);
  if (text !== undefined) return readFloat(runtime.plain(text), runtime);
  return value === null || typeof value === "object" ? undefined : Number(value);
}

function toInteger(value: Value, other: Value, base: Value, runtime: Runtime): Value {
  if (value instanceof Undefined) throw value.fail();
  if (typeof value === "bigint") return value;
  if (typeof value === "boolean") return BigInt(value);
  const text = asText(value);
  if (text !== undefined) {
    const integer = readInteger(runtime.plain(text), needInteger(base, "a base"), runtime);
    if (integer !== undefined) return integer;
  }
  const float = toFloat(value, runtime);
  if (typeof value === "number" && float !== undefined && Math.abs(float) === 1 / 0) {
    throw new TemplateError("cannot convert float infinity to integer");
  }
  return float === undefined || !Number.isFinite(float) ? other : BigInt(Math.trunc(float));
}

function indent(value: Value, width: Value, first: boolean, blank: boolean, runtime: Runtime): Value {
  const indention = asText(width) ?? spaces(needInteger(width, "a width"), runtime);
  const text = needText(value, "what is indented");
  const lines = splitLines(`${text}\n`, false, runtime);
  const separator = `\n${blank ? indention : ""}`;
  const rest = lines.slice(1).map((line) => (!blank && line !== "" ? indention + line : line));
  runtime.spend(lines.length * (1 + indention.length / 16));
  const body = joined([lines[0]!, ...rest], runtime, separator);
  return likeInput(value, first ? indention + body : body);
}

function spaces(width: number, runtime: Runtime): string {
  runtime.allocate(Math.max(0, width));
  return " ".repeat(Math.max(0, width));
}

function round(value: Value, precision: Value, method: Value, runtime: Runtime): Value {
  const digits = needInteger(precision, "a precision");
  if (value instanceof Undefined) throw value.fail();
  const number = unary("+", value);
  if (Math.abs(digits) > 400) throw unsupported("a precision above 400");
  runtime.spend(512);
  if (method === "common") {
    if (typeof number === "number") return roundFloat(number, digits);
    if (digits < 0) throw unsupported("rounding an integer to tens");
    return number;
  }
  if (method !== "ceil" && method !== "floor") throw new TemplateError("method must be common, ceil or floor");
  if (!Number.isSafeInteger(Number(number)) && typeof number === "bigint")
    throw unsupported("rounding of such an integer");
  const scale = 10 ** digits;
  return Math[method](Number(number) * scale) / scale;
}

const LONE_SURROGATES = /\p{Cs}/gu;
const WORD_STARTS = /([-\s({[<]+)/;

/** title() of Jinja: words begin behind spaces, hyphens and brackets. */
function titleWords(text: string, runtime: Runtime): string {
  runtime.items(text.length);
  const plain = runtime.plain(text);
  let at = 0;
  const words = plain.split(WORD_STARTS).map((word) => {
    const own = text.slice(at, at + word.length);
    at += word.length;
    const [head = ""] = own;
    return head.toUpperCase() + own.slice(head.length).toLowerCase();
  });
  return joined(words, runtime);
}

function json(
  value: Value,
  ascii: boolean,
  width: Value,
  separators: Value,
  sorted: boolean,
  runtime: Runtime,
): string {
  const style = {
    ascii,
    indent: width === null ? undefined : (asText(width) ?? spaces(Math.min(needInteger(width, "indent"), 64), runtime)),
    sorted,
    less: (a: Value, b: Value) => less(a, b, runtime),
  };
  if (typeof width === "bigint" && width > 64n) throw unsupported("an indent above 64");
  if (style.indent !== undefined && style.indent.length > 64) throw unsupported("an indent above 64 characters");
  if (separators === null) return toJson(value, style, runtime);
  const [item, key, ...more] = [...iterate(separators, runtime)].map((one) => needText(one, "a separator"));
  if (item === undefined || key === undefined || more.length > 0) throw new TemplateError("separators must be two");
  runtime.items(item.length + key.length);
  if (item.length + key.length > 64) throw unsupported("separators above 64 characters");
  return toJson(value, { ...style, item, key }, runtime);
}

function truncate(value: Value, length: number, kill: boolean, end: string, leeway: Value, runtime: Runtime): Value {
  const text = needText(value, "what is truncated");
  const room = leeway === null ? 5 : needInteger(leeway, "a leeway");
  const endLength = countCharacters(end, runtime);
  if (length < endLength || room < 0) throw new TemplateError(`expected length >= ${endLength}, and leeway >= 0`);
  if (countCharacters(text, runtime) <= length + room) return value;
  const kept = Array.from(characters(text, runtime))
    .slice(0, length - endLength)
    .join("");
  const cut = kill ? kept : (rsplit(kept, " ", 1n, runtime)[0] as string);
  if (value instanceof SafeText) throw unsupported("truncate of safe text");
  return joined([cut, end], runtime);
}

function urlEncode(runtime: Runtime, value: Value): string {
  const quote = (one: Value, query: boolean) => urlQuote(runtime.plain(str(one, runtime)), query, runtime);
  if (asText(value) !== undefined || !isIterable(value)) return quote(value, false);
  const pairs = value instanceof Dict ? value.entries() : pairsOf(value, "urlencode", runtime);
  return joined(
    Array.from(pairs, ([key, one]) => `${quote(key, true)}=${quote(one, true)}`),
    runtime,
    "&",
  );
}

function urlQuote(text: string, query: boolean, runtime: Runtime): string {
  runtime.items(text.length);
  const encoded = encodeURIComponent(text.replace(LONE_SURROGATES, "\ufffd")).replace(/[!'()*]/g, (one) => {
    return `%${one.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  runtime.allocate(encoded.length);
  return query ? encoded.replaceAll("%20", "+") : encoded.replaceAll("%2F", "/");
}

function wordCount(text: string, runtime: Runtime): bigint {
  runtime.items(text.length);
  return BigInt(runtime.plain(text).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0);
}
