// Sorting by bytes, in time linear in them whatever they are: most significant byte first (McIlroy, Bostic, McIlroy: Engineering
// Radix Sort, 1993).

import { Rest, type Steps } from "./shared/slices.js";

/** Texts that are better compared with each other. */
const FEW = 16;
const WORK_PER_STEP = 65_536;
/** What a text costs beside its bytes. */
const TEXT_WORK = 4;

/**
 * Numbers of the texts that are not empty, sorted by their bytes; equal ones stay in order.
 * @param offsets of text i: data[offsets[i]] up to data[offsets[i + 1]]
 */
export function* sortedTexts(data: Uint8Array, offsets: Int32Array): Steps<Int32Array> {
  const rest = new Rest(WORK_PER_STEP);
  const all = new Int32Array(offsets.length - 1);
  let count = 0;
  for (let text = 0; text < all.length; text++) {
    if (offsets[text + 1]! > offsets[text]!) all[count++] = text;
    yield* rest.after(1);
  }
  const sorted = all.subarray(0, count);
  const moved = new Int32Array(count);
  /** 1 + the byte of a text at a depth, 0 behind its end. */
  const at = (text: number, depth: number) => {
    const place = offsets[text]! + depth;
    return place < offsets[text + 1]! ? data[place]! + 1 : 0;
  };
  const open: [from: number, to: number, depth: number][] = [[0, sorted.length, 0]]; // which are equal up to the depth
  for (let group = open.pop(); group; group = open.pop()) {
    const [from, to, depth] = group;
    if (to - from <= FEW) {
      yield* rest.after(TEXT_WORK * (to - from) + insert(sorted, from, to, depth, at));
      continue;
    }
    const ends = new Int32Array(257);
    for (let i = from; i < to; i++) ends[at(sorted[i]!, depth)]!++;
    for (let key = 0, end = from; key < 257; key++) ends[key] = end += ends[key]!;
    for (let i = to - 1; i >= from; i--) moved[--ends[at(sorted[i]!, depth)]!] = sorted[i]!;
    sorted.set(moved.subarray(from, to), from);
    for (let key = 1; key < 257; key++) {
      const end = key < 256 ? ends[key + 1]! : to; // by now, ends are where the keys begin
      if (end - ends[key]! > 1) open.push([ends[key]!, end, depth + 1]);
    }
    yield* rest.after(TEXT_WORK * (to - from) + 257);
  }
  return sorted;
}

/** Sorts a few. @returns the bytes that were looked at */
function insert(
  sorted: Int32Array,
  from: number,
  to: number,
  depth: number,
  at: (text: number, depth: number) => number,
): number {
  let work = 0;
  for (let i = from + 1; i < to; i++) {
    const text = sorted[i]!;
    let place = i;
    for (; place > from; place--) {
      const before = sorted[place - 1]!;
      let d = depth;
      while (at(before, d) === at(text, d) && at(text, d) !== 0) d++;
      work += d - depth + 1;
      if (at(before, d) <= at(text, d)) break;
      sorted[place] = before;
    }
    sorted[place] = text;
  }
  return work;
}
