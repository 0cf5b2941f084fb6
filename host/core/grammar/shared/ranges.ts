// Sets of code points as ranges.

export type Range = readonly [first: number, last: number];

const LAST_CODE_POINT = 0x10ffff;

/** All code points but those of `ranges`, and but the surrogates, which UTF-8 cannot write. */
export function complement(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  let next = 0;
  for (const [first, last] of normalized([...ranges, [0xd800, 0xdfff]])) {
    if (first > next) result.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST_CODE_POINT) result.push([next, LAST_CODE_POINT]);
  return result;
}

/** Ascending and without overlaps. */
export function normalized(ranges: readonly Range[]): Range[] {
  const result: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = result.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}

/** What lies in both. Both are normalized, and so is the result. */
export function intersection(a: readonly Range[], b: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [first, last] = [Math.max(a[i]![0], b[j]![0]), Math.min(a[i]![1], b[j]![1])];
    if (first <= last) result.push([first, last]);
    if (a[i]![1] < b[j]![1]) i++;
    else j++;
  }
  return result;
}

/** Every code point that is no surrogate. */
export const ANY_CHARACTER: readonly Range[] = complement([]);
