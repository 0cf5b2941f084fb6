// Classes of characters that regular expressions name (ECMA-262, CharacterClassEscape).

import { ANY_CHARACTER, complement, intersection, normalized, type Range } from "../../shared/ranges.js";

const DIGITS: Range[] = [[0x30, 0x39]];
export const WORD: readonly Range[] = [[0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]]; // biome-ignore format: a table
const SPACE: Range[] = [[0x09, 0x0d], [0x20, 0x20], [0xa0, 0xa0], [0x1680, 0x1680], [0x2000, 0x200a], [0x2028, 0x2029], [0x202f, 0x202f], [0x205f, 0x205f], [0x3000, 0x3000], [0xfeff, 0xfeff]]; // biome-ignore format: a table
const LINE_ENDS: Range[] = [[0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]]; // biome-ignore format: a table

/** What "." stands for. */
export const NO_LINE_END: readonly Range[] = complement(LINE_ENDS);

/** By the letter behind the backslash. */
export const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

const properties = new Map<string, readonly Range[] | undefined>();
const MAX_PROPERTIES = 64;

/**
 * The characters with a Unicode property such as "L", "Lu" or "Script=Greek", as this runtime's tables have them.
 * Undefined when there is no such property.
 */
export function unicodeProperty(name: string): readonly Range[] | undefined {
  if (!properties.has(name)) {
    if (properties.size >= MAX_PROPERTIES) properties.clear();
    properties.set(name, scan(name));
  }
  return properties.get(name);
}

/**
 * One pass of the runtime's own regular expressions over all characters, a plane at a time; planes in which nothing is assigned, or
 * all is private, are alike from end to end but for the last two code points.
 */
function scan(name: string): Range[] | undefined {
  if (!/^\w+(=\w+)?$/.test(name)) return undefined;
  let pattern: RegExp;
  try {
    pattern = new RegExp(`\\p{${name}}+`, "gu");
  } catch {
    return undefined;
  }
  const found: Range[] = [];
  for (let plane = 0; plane <= 0x100000; plane += 0x10000) {
    const isUniform = plane > 0x30000 && plane !== 0xe0000;
    const parts: Range[] = isUniform
      ? [[plane, plane + 0xfffd], [plane + 0xfffe, plane + 0xffff]] // biome-ignore format: two ranges
      : intersection(ANY_CHARACTER, [[plane, plane + 0xffff]]);
    for (const part of parts) found.push(...(isUniform ? matchOne(pattern, part) : matchAll(pattern, part)));
  }
  return normalized(found);
}

const matchOne = (pattern: RegExp, part: Range): Range[] =>
  String.fromCodePoint(part[0]).search(pattern) === 0 ? [part] : [];

function matchAll(pattern: RegExp, [first, last]: Range): Range[] {
  const text = textOf(first, last);
  const width = first > 0xffff ? 2 : 1;
  return Array.from(text.matchAll(pattern), ({ 0: run, index }): Range => {
    const start = first + index / width;
    return [start, start + run.length / width - 1];
  });
}

/** The characters first..last, which are all in one plane. */
function textOf(first: number, last: number): string {
  const chunk = 4096;
  let text = "";
  for (let from = first; from <= last; from += chunk) {
    const points = Array.from({ length: Math.min(chunk, last - from + 1) }, (_, i) => from + i);
    text += String.fromCodePoint(...points);
  }
  return text;
}
