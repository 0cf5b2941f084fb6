// Finds a text in another in linear time, whatever the two are: JavaScript's own search is quadratic for some.

import type { Runtime } from "./runtime.js";

/** Parts up to this length are left to native code, which may compare all of a part at every position. */
const SHORT = 16;

/**
 * Where `part` stands in `text`, without overlaps, from the left or from the right. An empty part stands between all units.
 * @throws TemplateError when the budget is spent
 */
export function* occurrences(text: string, part: string, runtime: Runtime, fromRight = false): Generator<number, void> {
  const [haystack, needle] = [runtime.plain(text), runtime.plain(part)];
  if (needle.length > haystack.length) return;
  if (needle.length > SHORT) {
    runtime.spend(haystack.length + needle.length);
    yield* linear(haystack, needle, fromRight);
    return;
  }
  runtime.text(haystack.length * Math.max(1, needle.length));
  let at = fromRight ? haystack.length - needle.length : 0;
  while (at >= 0 && at <= haystack.length) {
    const found = fromRight ? haystack.lastIndexOf(needle, at) : haystack.indexOf(needle, at);
    if (found < 0) return;
    runtime.items(1);
    if (needle !== "" || !isWithinCharacter(haystack, found)) yield found;
    at = found + Math.max(1, needle.length) * (fromRight ? -1 : 1);
  }
}

/** Whether the position is between the two units of one character. */
function isWithinCharacter(text: string, position: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(position - 1, position + 1));
}

/** Where it stands first (last), or -1. */
export function find(text: string, part: string, runtime: Runtime, fromRight = false): number {
  for (const position of occurrences(text, part, runtime, fromRight)) return position;
  return -1;
}

/** Knuth, Morris and Pratt; from the right both texts are read backwards. */
function* linear(haystack: string, needle: string, backwards: boolean): Generator<number, void> {
  const length = needle.length;
  const unit = (text: string, i: number) => text.charCodeAt(backwards ? text.length - 1 - i : i);
  const border = new Int32Array(length);
  for (let i = 1, matched = 0; i < length; i++) {
    while (matched > 0 && unit(needle, i) !== unit(needle, matched)) matched = border[matched - 1]!;
    if (unit(needle, i) === unit(needle, matched)) matched++;
    border[i] = matched;
  }
  for (let i = 0, matched = 0; i < haystack.length; i++) {
    while (matched > 0 && unit(haystack, i) !== unit(needle, matched)) matched = border[matched - 1]!;
    if (unit(haystack, i) === unit(needle, matched)) matched++;
    if (matched < length) continue;
    matched = 0;
    yield backwards ? haystack.length - 1 - i : i + 1 - length;
  }
}
