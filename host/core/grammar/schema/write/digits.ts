// Ranges of numbers digit by digit.

import { choice } from "./gbnf_text.js";

/**
 * The numbers low..high of 10^-places each, both above 0.
 *
 *     digitsBetween(8n, 13n, 0)   ->  [8-9] | "1" [0-3]
 *     digitsBetween(95n, 105n, 1) ->  "9" "." [5-9] | "1" "0" "." [0-5]
 */
export function digitsBetween(low: bigint, high: bigint, places: number): string | undefined {
  if (low > high) return undefined;
  const digits = (value: bigint) => String(value).padStart(places + 1, "0");
  const [first, last] = [digits(low), digits(high)];
  if (first.length === last.length) return sameLength(first, last, places);
  const items = [sameLength(first, "9".repeat(first.length), places)];
  if (last.length > first.length + 1) {
    const tail = places > 0 ? ` "." [0-9]{${places}}` : "";
    const between = [first.length, last.length - 2].map((length) => length - places).join();
    items.push(`[1-9] [0-9]{${between}}${tail}`);
  }
  items.push(sameLength(`1${"0".repeat(last.length - 1)}`, last, places));
  return choice(items);
}

/**
 * The digit strings from `first` to `last`, which have the same length; `places` digits come behind the point.
 *
 *     sameLength("120", "129", 0)  ->  "1" "2" [0-9]{1}
 *     sameLength("17", "32", 1)    ->  "1" "." [7-9] | [2-2] "." [0-9]{1} | "3" "." [0-2]
 *
 * @param begun whether digits stand before it, so that a point may come first
 */
function sameLength(first: string, last: string, places: number, begun = false): string {
  const { length } = first;
  if (length === 0) return '""';
  const point = begun && places > 0 && length === places ? '"." ' : "";
  if (isFirst(first) && isLast(last)) return anyDigits(length, places, point);
  const [a, b] = [Number(first[0]), Number(last[0])];
  const rest = (from: string, to: string) => sameLength(from, to, places, true);
  const [low, high] = [first.slice(1), last.slice(1)];
  if (a === b) return `${point}"${a}" ${rest(low, high)}`;
  const [zeros, nines] = ["0".repeat(length - 1), "9".repeat(length - 1)];
  const [from, to] = [isFirst(low) ? a : a + 1, isLast(high) ? b : b - 1];
  return choice([
    isFirst(low) ? undefined : `${point}"${a}" ${rest(low, nines)}`,
    from <= to ? `${point}[${from}-${to}] ${rest(zeros, nines)}` : undefined,
    isLast(high) ? undefined : `${point}"${b}" ${rest(zeros, high)}`,
  ])!;
}

const isFirst = (digits: string) => /^0*$/.test(digits);
const isLast = (digits: string) => /^9*$/.test(digits);

/** anyDigits(3, 1, "")  ->  [0-9]{2} "." [0-9]{1} */
function anyDigits(length: number, places: number, point: string): string {
  if (places === 0 || length <= places) return `${point}[0-9]{${length}}`;
  return `[0-9]{${length - places}} "." [0-9]{${places}}`;
}
