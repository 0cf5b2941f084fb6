// Byte-pair encoding of one pre-token: of all adjacent pairs the one with the lowest rank merges first, the leftmost on
// ties. Words are short, so a scan for it is fastest; a heap keeps long runs from being quadratic.
//
//     pairs u64[TEXT_BYTES]                  rank << 32 | merged id of the pair that starts at a symbol, or NO_MERGE
//     next, previous, heap, place u16[TEXT_BYTES]     of long words only

import { TEXT_BYTES } from "../layout/abi";
import { carve } from "../runtime/carve";
import { findMerge, NO_MERGE } from "./merges";
import { byteToken, findEntry } from "./vocabulary";

const SHORT: u32 = 128; // bytes; from here on the heap is the faster one

let pairs: usize = 0;
let next: usize = 0;
let previous: usize = 0;
let heap: usize = 0;
let place: usize = 0;

/** Carves the scratch of words. */
export function carveWords(): void {
  pairs = carve(TEXT_BYTES * 8);
  next = carve(TEXT_BYTES * 2);
  previous = carve(TEXT_BYTES * 2);
  heap = carve(TEXT_BYTES * 2);
  place = carve(TEXT_BYTES * 2);
}

/**
 * Tokens of the pre-token of `length` (1..TEXT_BYTES) bytes, written to out: u32[length]. Returns how many. Up to 7
 * bytes after it are read.
 */
export function encodeWord(p: usize, length: u32, out: usize): u32 {
  if (length == 1) {
    store<u32>(out, byteToken(load<u8>(p)));
    return 1;
  }
  const whole = findEntry(p, length, true);
  if (whole >= 0) {
    store<u32>(out, whole);
    return 1;
  }
  for (let i: usize = 0; i < length; i++) store<u32>(out + (i << 2), byteToken(load<u8>(p + i)));
  return length <= SHORT ? mergeShort(out, length) : mergeLong(out, length);
}

// @ts-ignore: decorator
@inline
function pairAt(i: u32): u64 {
  return load<u64>(pairs + i * 8);
}

// @ts-ignore: decorator
@inline
function setPair(i: u32, pair: u64): void {
  store<u64>(pairs + i * 8, pair);
}

/** Merges the symbols ids: u32[n] in place; returns how many are left. */
function mergeShort(ids: usize, n: u32): u32 {
  for (let i: u32 = 0; i + 1 < n; i++) {
    const at = ids + i * 4;
    setPair(i, findMerge(load<u32>(at), load<u32>(at, 4)));
  }
  while (n > 1) {
    let best = NO_MERGE;
    let at: u32 = 0;
    for (let i: u32 = 0; i + 1 < n; i++) {
      const pair = pairAt(i);
      if (pair < best) {
        best = pair;
        at = i;
      }
    }
    if (best == NO_MERGE) break;
    const id = ids + at * 4;
    store<u32>(id, <u32>best);
    n--;
    for (let i = at + 1; i < n; i++) {
      store<u32>(ids + i * 4, load<u32>(ids + i * 4, 4));
      setPair(i, pairAt(i + 1));
    }
    if (at > 0) setPair(at - 1, findMerge(load<u32>(id - 4), <u32>best));
    if (at + 1 < n) setPair(at, findMerge(<u32>best, load<u32>(id, 4)));
  }
  return n;
}

// @ts-ignore: decorator
@inline
function linkAt(links: usize, i: u32): u32 {
  return load<u16>(links + i * 2);
}

// @ts-ignore: decorator
@inline
function setLink(links: usize, i: u32, to: u32): void {
  store<u16>(links + i * 2, to);
}

// @ts-ignore: decorator
@inline
function before(a: u32, b: u32): bool {
  const pairA = pairAt(a);
  const pairB = pairAt(b);
  return pairA < pairB || (pairA == pairB && a < b);
}

/**
 * The same for long words. Symbols stay where their first byte is, linked in both directions (the first's previous and
 * the last's next are themselves); all pairs are in one heap, in which those that cannot merge are at the bottom.
 */
function mergeLong(ids: usize, length: u32): u32 {
  const count = length - 1;
  for (let i: u32 = 0; i < count; i++) {
    const at = ids + i * 4;
    setPair(i, findMerge(load<u32>(at), load<u32>(at, 4)));
    setLink(next, i, i + 1);
    setLink(previous, i + 1, i);
    setLink(heap, i, i);
    setLink(place, i, i);
  }
  setLink(previous, 0, 0);
  setLink(next, count, count);
  for (let i = count >>> 1; i-- > 0; ) siftDown(i, linkAt(heap, i), count);

  while (true) {
    const left = linkAt(heap, 0);
    const best = pairAt(left);
    if (best == NO_MERGE) break;
    const right = linkAt(next, left);
    const after = linkAt(next, right);
    store<u32>(ids + left * 4, <u32>best);
    if (after == right) {
      setLink(next, left, left);
      update(left, NO_MERGE, count);
    } else {
      setLink(next, left, after);
      setLink(previous, after, left);
      update(right, NO_MERGE, count);
      update(left, findMerge(<u32>best, load<u32>(ids + after * 4)), count);
    }
    if (left > 0) {
      const leftmost = linkAt(previous, left);
      update(leftmost, findMerge(load<u32>(ids + leftmost * 4), <u32>best), count);
    }
  }

  let n: u32 = 0;
  for (let i: u32 = 0, last = false; !last; n++) {
    store<u32>(ids + n * 4, load<u32>(ids + i * 4));
    const following = linkAt(next, i);
    last = following == i;
    i = following;
  }
  return n;
}

/** Gives the pair at `symbol` a new value and its place in the heap. */
function update(symbol: u32, pair: u64, count: u32): void {
  setPair(symbol, pair);
  let i = linkAt(place, symbol);
  while (i > 0) {
    const parent = (i - 1) >>> 1;
    const above = linkAt(heap, parent);
    if (!before(symbol, above)) break;
    setLink(heap, i, above);
    setLink(place, above, i);
    i = parent;
  }
  siftDown(i, symbol, count);
}

/** Puts `symbol` at `i` of the heap or below. */
function siftDown(i: u32, symbol: u32, count: u32): void {
  while (true) {
    let child = i * 2 + 1;
    if (child >= count) break;
    let below = linkAt(heap, child);
    if (child + 1 < count && before(linkAt(heap, child + 1), below)) below = linkAt(heap, ++child);
    if (!before(below, symbol)) break;
    setLink(heap, i, below);
    setLink(place, below, i);
    i = child;
  }
  setLink(heap, i, symbol);
  setLink(place, symbol, i);
}
