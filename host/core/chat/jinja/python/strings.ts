// The methods of Python's str.

import { type Runtime, TemplateError, unsupported } from "./runtime.js";
import { find, occurrences } from "./search.js";
import {
  asText,
  characters,
  countCharacters,
  iterate,
  needInteger,
  needText,
  SURROGATES,
  Tuple,
  typeName,
  type Value,
} from "./values.js";
import { joined } from "./write.js";

/** What str.isspace() is true of, as a class of a regular expression has it. */
export const WHITE_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${WHITE_SPACE}]+`, "g");
const ONE_SPACE = new RegExp(`[${WHITE_SPACE}]`);
/** What splitlines() splits at, but for \r\n. */
const LINE_ENDS = "\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029";
const LINE_END = new RegExp(`\\r\\n|[${LINE_ENDS}]`, "g");

type Sides = "both" | "left" | "right";

/** strip(), lstrip(), rstrip(): without characters, white space. */
export function strip(text: string, set: Value, sides: Sides, runtime: Runtime): string {
  const goes = set === null ? isSpace : memberOf(runtime.plain(needText(set, "strip characters")), runtime);
  let start = 0;
  let end = text.length;
  const at = (i: number) => {
    runtime.spend(1);
    return goes(text[i]!);
  };
  if (sides !== "right") while (start < end && at(start)) start++;
  if (sides !== "left") while (end > start && at(end - 1)) end--;
  return text.slice(start, end);
}

function isSpace(unit: string): boolean {
  return ONE_SPACE.test(unit);
}

function memberOf(set: string, runtime: Runtime): (unit: string) => boolean {
  if (SURROGATES.test(set)) throw unsupported("stripping of characters beyond U+FFFF");
  runtime.items(set.length);
  const wanted = new Set(set);
  return (unit) => wanted.has(runtime.isGuard(unit) ? runtime.plain(unit) : unit);
}

/** split(): at a separator, or at runs of white space. @throws TemplateError for an empty separator */
export function split(text: string, separator: Value, limit: Value, runtime: Runtime): Value[] {
  const max = limitOf(limit);
  if (separator === null) return splitSpaces(text, max, runtime);
  const mark = separatorText(separator);
  const parts: Value[] = [];
  let at = 0;
  for (const position of occurrences(text, mark, runtime)) {
    if (parts.length >= max) break;
    parts.push(text.slice(at, position));
    at = position + mark.length;
  }
  return [...parts, text.slice(at)];
}

function limitOf(limit: Value): number {
  const max = needInteger(limit, "maxsplit");
  return max < 0 ? Number.POSITIVE_INFINITY : max;
}

function separatorText(separator: Value): string {
  const mark = needText(separator, "a separator");
  if (mark === "") throw new TemplateError("empty separator");
  return mark;
}

function splitSpaces(text: string, max: number, runtime: Runtime): Value[] {
  const parts: Value[] = [];
  let at = 0;
  runtime.text(2 * text.length);
  for (const match of text.matchAll(SPACES)) {
    runtime.items(1);
    if (match.index > at) {
      if (parts.length >= max) break;
      parts.push(text.slice(at, match.index));
    }
    at = match.index + match[0].length;
  }
  const rest = text.slice(at);
  if (rest !== "") parts.push(parts.length >= max ? strip(rest, null, "right", runtime) : rest);
  return parts;
}

/** rsplit(). @throws TemplateError for an empty separator */
export function rsplit(text: string, separator: Value, limit: Value, runtime: Runtime): Value[] {
  const max = limitOf(limit);
  if (separator === null) return rsplitSpaces(text, max, runtime);
  const mark = separatorText(separator);
  const parts: Value[] = [];
  let end = text.length;
  for (const position of occurrences(text, mark, runtime, true)) {
    if (parts.length >= max) break;
    parts.push(text.slice(position + mark.length, end));
    end = position;
  }
  return [...parts, text.slice(0, end)].reverse();
}

function rsplitSpaces(text: string, max: number, runtime: Runtime): Value[] {
  const words = splitSpaces(text, Number.POSITIVE_INFINITY, runtime) as string[];
  if (words.length <= max) return words;
  const kept = max === 0 ? [] : words.slice(-max);
  let end = text.length;
  for (const word of [...kept].reverse()) end = text.lastIndexOf(word, end - word.length);
  return [strip(text.slice(0, end), null, "right", runtime), ...kept];
}

/** splitlines(). */
export function splitLines(text: string, keepEnds: boolean, runtime: Runtime): string[] {
  const lines: string[] = [];
  let at = 0;
  runtime.text(2 * text.length);
  for (const match of text.matchAll(LINE_END)) {
    runtime.items(1);
    const end = match.index + match[0].length;
    lines.push(text.slice(at, keepEnds ? end : match.index));
    at = end;
  }
  if (at < text.length) lines.push(text.slice(at));
  return lines;
}

/** replace(); all occurrences without a count. */
export function replace(text: string, old: string, by: string, count: number, runtime: Runtime): string {
  const max = count < 0 ? Number.POSITIVE_INFINITY : count;
  const parts: string[] = [];
  let [at, done] = [0, 0];
  for (const position of occurrences(text, old, runtime)) {
    if (done++ >= max) break;
    parts.push(text.slice(at, position), by);
    at = position + old.length;
  }
  parts.push(text.slice(at));
  return joined(parts, runtime);
}

/** Titlecase letters that are not what toUpperCase() gives. */
const TITLE: Record<string, string> = { ǆ: "ǅ", Ǆ: "ǅ", ǉ: "ǈ", Ǉ: "ǈ", ǌ: "ǋ", Ǌ: "ǋ", ǳ: "ǲ", Ǳ: "ǲ" };

function titleCase(character: string): string {
  if (/[\u1f80-\u1ffc]/.test(character)) throw unsupported("title case of Greek letters with an iota below");
  if (/[\u10d0-\u10ff]/.test(character)) return character;
  const upper = character.toUpperCase();
  const [first = "", ...rest] = upper;
  return TITLE[character] ?? first + rest.join("").toLowerCase();
}

/** capitalize(). */
export function capitalize(text: string, runtime: Runtime): string {
  runtime.allocate(text.length);
  return firstUp(text);
}

function firstUp(text: string): string {
  const [first = ""] = text;
  return titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

/** title(): the first letter of every run of letters. */
export function title(text: string, runtime: Runtime): string {
  runtime.items(text.length);
  return text.replace(/\p{Cased}+/gu, firstUp);
}

function swapCase(text: string, runtime: Runtime): string {
  runtime.items(text.length);
  if (text.includes("Σ")) throw unsupported("swapcase() of Σ");
  return Array.from(text, (one) => (one === one.toUpperCase() ? one.toLowerCase() : one.toUpperCase())).join("");
}

/** upper() or lower(). */
export function changeCase(text: string, upper: boolean, runtime: Runtime): string {
  runtime.allocate(4 * text.length);
  return upper ? text.toUpperCase() : text.toLowerCase();
}

/** Whether letters are there and all of them are of that case. */
export function isCased(text: string, upper: boolean, runtime: Runtime): boolean {
  runtime.text(4 * text.length);
  const [wanted, other] = upper ? [/\p{Uppercase}/u, /\p{Lowercase}/u] : [/\p{Lowercase}/u, /\p{Uppercase}/u];
  return wanted.test(text) && !other.test(text) && !/\p{Lt}/u.test(text);
}

function startsWith(
  text: string,
  prefixes: Value,
  start: Value,
  end: Value,
  atEnd: boolean,
  runtime: Runtime,
): boolean {
  const part = runtime.plain(sliced(text, start, end, runtime));
  const all = prefixes instanceof Tuple ? prefixes.items : [prefixes];
  return all.some((prefix) => {
    const wanted = runtime.plain(needText(prefix, atEnd ? "endswith first arg" : "startswith first arg"));
    runtime.text(wanted.length);
    return atEnd ? part.endsWith(wanted) : part.startsWith(wanted);
  });
}

function without(text: string, affix: Value, atEnd: boolean, runtime: Runtime): string {
  const { length } = needText(affix, "an affix");
  if (length === 0 || !startsWith(text, affix, null, null, atEnd, runtime)) return text;
  return atEnd ? text.slice(0, -length) : text.slice(length);
}

function sliced(text: string, start: Value, end: Value, runtime: Runtime): string {
  if (start === null && end === null) return text;
  const all = Array.from(characters(text, runtime));
  runtime.items(all.length);
  const bound = (value: Value) => (value === null ? undefined : needInteger(value, "slice indices"));
  return all.slice(bound(start), bound(end)).join("");
}

function position(text: string, part: Value, bounds: Value[], fromRight: boolean, runtime: Runtime): number {
  if (bounds.some((bound) => bound !== null)) throw unsupported("find() with a start or an end");
  const found = find(text, needText(part, "a part"), runtime, fromRight);
  return found < 0 ? -1 : countCharacters(text.slice(0, found), runtime);
}

function foundPosition(text: string, part: Value, bounds: Value[], fromRight: boolean, runtime: Runtime): bigint {
  const at = position(text, part, bounds, fromRight, runtime);
  if (at < 0) throw new TemplateError("substring not found");
  return BigInt(at);
}

function count(text: string, part: string, runtime: Runtime): bigint {
  if (part === "") return BigInt(countCharacters(text, runtime) + 1);
  let found = 0;
  for (const _ of occurrences(text, part, runtime)) found++;
  return BigInt(found);
}

/** center(), ljust(), rjust(). */
export function justify(text: string, width: Value, fill: Value, side: "<" | ">" | "^", runtime: Runtime): string {
  const filler = needText(fill, "The fill character");
  if (countCharacters(filler, runtime) !== 1)
    throw new TemplateError("The fill character must be exactly one character long");
  const missing = needInteger(width, "a width") - countCharacters(text, runtime);
  if (missing <= 0) return text;
  runtime.allocate(text.length + missing * filler.length);
  const odd = missing & needInteger(width, "a width") & 1;
  const before = side === "<" ? 0 : side === ">" ? missing : Math.floor(missing / 2) + odd;
  return filler.repeat(before) + text + filler.repeat(missing - before);
}

function partition(text: string, separator: Value, fromRight: boolean, runtime: Runtime): Tuple {
  const mark = separatorText(separator);
  const at = find(text, mark, runtime, fromRight);
  if (at < 0) return new Tuple(fromRight ? ["", "", text] : [text, "", ""]);
  return new Tuple([text.slice(0, at), text.slice(at, at + mark.length), text.slice(at + mark.length)]);
}

/** separator.join(items). @throws TemplateError for an item that is no str */
export function join(separator: string, items: Value, runtime: Runtime): string {
  const parts: string[] = [];
  for (const item of iterate(items, runtime)) {
    const text = asText(item);
    if (text === undefined) {
      throw new TemplateError(`sequence item ${parts.length}: expected str instance, ${typeName(item)} found`);
    }
    parts.push(text);
  }
  return joined(parts, runtime, separator);
}

function fillZeros(text: string, width: Value, runtime: Runtime): string {
  const missing = needInteger(width, "a width") - countCharacters(text, runtime);
  if (missing <= 0) return text;
  runtime.allocate(text.length + missing);
  const sign = /^[+-]?/.exec(text)![0];
  return sign + "0".repeat(missing) + text.slice(sign.length);
}

/** A test of all characters, of which there must be one; `unsure` are those that JavaScript cannot tell. */
function isAll(text: string, pattern: string, unsure: RegExp | undefined, name: string, runtime: Runtime): boolean {
  runtime.text(4 * text.length);
  if (unsure?.test(text)) throw unsupported(`${name}() of such characters`);
  return new RegExp(`^[${pattern}]+$`, "u").test(runtime.plain(text));
}

export type Method = readonly [
  signature: string,
  call: (self: string, runtime: Runtime, ...args: (Value | undefined)[]) => Value,
];

const edge = (sides: Sides): Method => ["chars? /", (self, runtime, set = null) => strip(self, set, sides, runtime)];
const place = (side: "<" | ">" | "^"): Method => [
  "width fillchar? /",
  (self, runtime, width, fill = " ") => justify(self, width!, fill, side, runtime),
];
const test = (name: string, pattern: string, unsure?: RegExp): Method => [
  "/",
  (self, runtime) => isAll(self, pattern, unsure, name, runtime),
];
const begins = (atEnd: boolean): Method => [
  "prefix start? end? /",
  (self, runtime, prefix, start = null, end = null) => startsWith(self, prefix!, start, end, atEnd, runtime),
];
const finds = (fromRight: boolean): Method => [
  "sub start? end? /",
  (self, runtime, sub, start = null, end = null) => BigInt(position(self, sub!, [start, end], fromRight, runtime)),
];
const indexes = (fromRight: boolean): Method => [
  "sub start? end? /",
  (self, runtime, sub, start = null, end = null) => foundPosition(self, sub!, [start, end], fromRight, runtime),
];

/** By name: what they take, and what they do. format() is in attributes.ts, since it looks up attributes. */
export const STRING_METHODS: Readonly<Record<string, Method>> = {
  capitalize: ["/", (self, runtime) => capitalize(self, runtime)],
  center: place("^"),
  count: ["sub /", (self, runtime, sub) => count(self, needText(sub!, "a part"), runtime)],
  endswith: begins(true),
  find: finds(false),
  index: indexes(false),
  isalnum: test("isalnum", "\\p{L}\\p{Nd}", /[\p{No}\p{Nl}]/u),
  isalpha: test("isalpha", "\\p{L}"),
  isascii: ["/", (self, runtime) => /^[\0-\x7f]*$/.test(runtime.plain(self))],
  isdecimal: test("isdecimal", "\\p{Nd}"),
  isdigit: test("isdigit", "\\p{Nd}", /\p{No}/u),
  islower: ["/", (self, runtime) => isCased(self, false, runtime)],
  isnumeric: test("isnumeric", "\\p{N}", /[\u3400-\u9fff\uf900-\ufaff]/),
  isspace: test("isspace", WHITE_SPACE),
  istitle: ["/", (self, runtime) => /\p{Cased}/u.test(self) && title(self, runtime) === self],
  isupper: ["/", (self, runtime) => isCased(self, true, runtime)],
  join: ["iterable /", (self, runtime, items) => join(self, items!, runtime)],
  ljust: place("<"),
  lower: ["/", (self, runtime) => changeCase(self, false, runtime)],
  lstrip: edge("left"),
  partition: ["sep /", (self, runtime, separator) => partition(self, separator!, false, runtime)],
  removeprefix: ["prefix /", (self, runtime, prefix) => without(self, prefix!, false, runtime)],
  removesuffix: ["suffix /", (self, runtime, suffix) => without(self, suffix!, true, runtime)],
  replace: [
    "old new count? /",
    (self, runtime, old, by, max = -1n) =>
      replace(
        self,
        needText(old!, "replace() argument 1"),
        needText(by!, "replace() argument 2"),
        needInteger(max, "count"),
        runtime,
      ),
  ],
  rfind: finds(true),
  rindex: indexes(true),
  rjust: place(">"),
  rpartition: ["sep /", (self, runtime, separator) => partition(self, separator!, true, runtime)],
  rsplit: ["sep? maxsplit?", (self, runtime, separator = null, max = -1n) => rsplit(self, separator, max, runtime)],
  rstrip: edge("right"),
  split: ["sep? maxsplit?", (self, runtime, separator = null, max = -1n) => split(self, separator, max, runtime)],
  splitlines: ["keepends?", (self, runtime, keep = false) => splitLines(self, keep !== false && keep !== 0n, runtime)],
  startswith: begins(false),
  strip: edge("both"),
  swapcase: ["/", (self, runtime) => swapCase(self, runtime)],
  title: ["/", (self, runtime) => title(self, runtime)],
  upper: ["/", (self, runtime) => changeCase(self, true, runtime)],
  zfill: ["width /", (self, runtime, width) => fillZeros(self, width!, runtime)],
};

/** Methods of str that exist in Python and not here. */
export const LEFT_OUT = [
  "casefold",
  "encode",
  "expandtabs",
  "isidentifier",
  "isprintable",
  "maketrans",
  "translate",
  "format_map",
];
