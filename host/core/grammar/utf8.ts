// Ranges of code points as the bytes that UTF-8 writes them with.

import type { Range } from "./shared/ranges.js";

/** One range per byte. */
export type ByteRanges = readonly Range[];

/** Last code point that 1, 2, 3 and 4 bytes can write. */
const LAST = [0x7f, 0x7ff, 0xffff, 0x10ffff];

/** Sequences of byte ranges that together write exactly the code points first..last. */
export function utf8Sequences(first: number, last: number): ByteRanges[] {
  for (const limit of LAST) {
    if (first <= limit && last > limit) return [...utf8Sequences(first, limit), ...utf8Sequences(limit + 1, last)];
  }
  if (last <= 0x7f) return [[[first, last]]];
  // Split until all but one byte are either fixed or run over everything that they can be.
  for (let bits = 6; bits <= 18; bits += 6) {
    const mask = 2 ** bits - 1;
    if (first >>> bits === last >>> bits) break;
    if ((first & mask) !== 0)
      return [...utf8Sequences(first, first | mask), ...utf8Sequences((first | mask) + 1, last)];
    if ((last & mask) !== mask) {
      const border = last - (last & mask);
      return [...utf8Sequences(first, border - 1), ...utf8Sequences(border, last)];
    }
  }
  const from = utf8(first);
  const to = utf8(last);
  return [from.map((byte, i) => [byte, to[i]!] as const)];
}

function utf8(code: number): number[] {
  const tail = (shift: number) => 0x80 | ((code >> shift) & 0x3f);
  if (code <= 0x7f) return [code];
  if (code <= 0x7ff) return [0xc0 | (code >> 6), tail(0)];
  if (code <= 0xffff) return [0xe0 | (code >> 12), tail(6), tail(0)];
  return [0xf0 | (code >> 18), tail(12), tail(6), tail(0)];
}
