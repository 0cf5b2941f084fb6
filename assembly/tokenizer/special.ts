// Tokens that are matched in the text as they stand: sorted by their bytes, so that those which begin as the text does
// are one range, which shrinks with each byte looked at: at most MAX_TOKEN_BYTES at each byte of the text.

import { carve } from "../runtime/carve";
import { specialKind, tokenBytesAt, tokenLength } from "./vocabulary";

let sorted: usize = 0; // u32[count]
let firstBytes: usize = 0; // u8[256]: the kinds of special tokens that start with a byte
let count: u32 = 0;
let kinds: u32 = 0;

/** Length of the special token that specialAt() found. */
export let specialLength: u32 = 0;
/** Whether the text ended before a longer special token could be told. */
let specialOpen: bool = false;

/** Carves the list for a vocabulary of `vocabulary` tokens. */
export function carveSpecials(vocabulary: u32): void {
  firstBytes = carve(256);
  sorted = carve(<u64>vocabulary * 4);
}

// @ts-ignore: decorator
@inline
function token(i: u32): u32 {
  return load<u32>(sorted + i * 4);
}

/** Forgets the special tokens of another vocabulary. */
export function clearSpecials(): void {
  memory.fill(firstBytes, 0, 256);
  count = 0;
  kinds = 0;
}

/** Enters a token if it is a special one. */
export function addSpecial(id: u32): void {
  const kind = specialKind(id);
  if (kind == 0 || tokenLength(id) == 0) return;
  store<u32>(sorted + count * 4, id);
  count++;
  kinds |= kind;
  const filter = firstBytes + load<u8>(tokenBytesAt(id));
  store<u8>(filter, load<u8>(filter) | kind);
}

/** Steps that sorting all of them takes. */
export function sortingSteps(): u32 {
  return (count >>> 1) + max<u32>(count, 1) - 1;
}

/** Step number `step` of sorting: heapsort, which first makes the heap and then takes the largest off it. */
export function sortSpecial(step: u32): void {
  const heaped = count >>> 1;
  if (step < heaped) return sift(heaped - 1 - step, count);
  const n = count - 1 - (step - heaped);
  const last = token(n);
  store<u32>(sorted + n * 4, token(0));
  store<u32>(sorted, last);
  sift(0, n);
}

/** Heapsort's step: moves entry `i` down in the heap of the first `n`. */
function sift(i: u32, n: u32): void {
  const id = token(i);
  while (true) {
    let child = i * 2 + 1;
    if (child >= n) break;
    if (child + 1 < n && less(token(child), token(child + 1))) child++;
    if (!less(id, token(child))) break;
    store<u32>(sorted + i * 4, token(child));
    i = child;
  }
  store<u32>(sorted + i * 4, id);
}

function less(a: u32, b: u32): bool {
  const lengthA = tokenLength(a);
  const lengthB = tokenLength(b);
  const order = memory.compare(tokenBytesAt(a), tokenBytesAt(b), min(lengthA, lengthB));
  return order != 0 ? order < 0 : lengthA < lengthB;
}

/** First of the entries low..high - 1 whose byte `depth` is `byte` at least. */
function firstFrom(low: u32, high: u32, depth: u32, byte: u32): u32 {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (<u32>load<u8>(tokenBytesAt(token(middle)) + depth) < byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Id of the longest special token of the wanted kinds at `p`, or -1. Sets specialLength and specialOpen. */
function specialAt(p: usize, end: usize, wanted: u32): i32 {
  let low: u32 = 0;
  let high = count;
  let best = -1;
  for (let depth: u32 = 0; low < high; depth++) {
    const id = token(low);
    if (depth > 0 && tokenLength(id) == depth) {
      if (specialKind(id) & wanted) {
        best = id;
        specialLength = depth;
      }
      if (++low == high) break;
    }
    if (p + depth == end) {
      specialOpen = true;
      return best;
    }
    const byte = <u32>load<u8>(p + depth);
    low = firstFrom(low, high, depth, byte);
    high = firstFrom(low, high, depth, byte + 1);
  }
  specialOpen = false;
  return best;
}

/** Id of the special token at the address that nextSpecial() returned, or -1. */
export let specialId: i32 = -1;

/**
 * Where the next special token of the wanted kinds (1 user defined | 2 control) starts: `end` if there is none. With
 * `open`, text may follow, and a special token that it could complete counts too, with specialId = -1.
 */
export function nextSpecial(p: usize, end: usize, wanted: u32, open: bool): usize {
  specialId = -1;
  if ((kinds & wanted) == 0) return end;
  for (; p < end; p++) {
    if ((<u32>load<u8>(firstBytes + load<u8>(p)) & wanted) == 0) continue;
    const id = specialAt(p, end, wanted);
    if (open && specialOpen) return p;
    if (id >= 0) {
      specialId = id;
      return p;
    }
  }
  return end;
}
