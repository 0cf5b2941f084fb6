// GBNF as text.

import { intersection, type Range } from "../../shared/ranges.js";

/** A literal. */
export function literal(text: string): string {
  const safe = text.replace(/["\\\p{Cc}\p{Cs}\u2028\u2029]/gu, (char) => escaped(char.codePointAt(0)!));
  return `"${safe}"`;
}

/** A class of characters. */
export function charClass(ranges: readonly Range[]): string {
  return `[${ranges.map(([first, last]) => (first === last ? code(first) : `${code(first)}-${code(last)}`)).join("")}]`;
}

/** One of several; undefined when there is none. */
export function choice(items: readonly (string | undefined)[]): string | undefined {
  const possible = [...new Set(items.filter((item) => item !== undefined))];
  return possible.length > 1 ? `(${possible.join(" | ")})` : possible[0];
}

/** `least` to `most` times. */
export function repeat(item: string, least: number, most = Number.POSITIVE_INFINITY): string {
  if (most === 0) return '""';
  if (least === 1 && most === 1) return item;
  return `(${item}){${least},${most === Number.POSITIVE_INFINITY ? "" : most}}`;
}

/** One character of the ranges as it may stand in a JSON string, with escapes only where it has to have one. */
export function jsonChar(ranges: readonly Range[]): string | undefined {
  const has = (wanted: number) => ranges.some(([first, last]) => first <= wanted && wanted <= last);
  const plain = plainRanges(ranges);
  const escapes = Array.from({ length: 0x20 }, (_, control) => control)
    .concat(0x22, 0x5c)
    .filter(has)
    .map((special) => literal(JSON.stringify(String.fromCharCode(special)).slice(1, -1)));
  return choice([plain.length > 0 ? charClass(plain) : undefined, ...escapes]);
}

/** The characters of the ranges, which are normalized, that may stand in a JSON string as they are. */
export const plainRanges = (ranges: readonly Range[]): Range[] => intersection(ranges, PLAIN);

/** What may stand in a JSON string as it is. */
const PLAIN: readonly Range[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0xd7ff],
  [0xe000, 0x10ffff],
];

function code(point: number): string {
  const char = String.fromCodePoint(point);
  return /[a-zA-Z0-9]/.test(char) ? char : escaped(point);
}

function escaped(point: number): string {
  const hex = (digits: number) => point.toString(16).padStart(digits, "0");
  if (point <= 0xff) return `\\x${hex(2)}`;
  return point <= 0xffff ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}
