// Byte-pair encoding of one pre-token: of all adjacent pairs the one with the lowest rank merges first, the leftmost on
// ties. Words are short, so a scan for it is fastest; a heap keeps long runs from being quadratic. SentencePiece's stretches
// (sentencepiece.ts) merge likewise, by the keys of their scores.
//
//     pairs u64[TEXT_BYTES]                  rank or key << 32 | merged id of the pair that starts at a symbol, or NO_MERGE
//     next, previous, heap, place u16[TEXT_BYTES]     of long words only

import { TEXT_BYTES } from "../layout/abi";
import { carve } from "../runtime/carve";
import { sequenceLength } from "../runtime/utf8";
import { findMerge, NO_MERGE } from "./merges";
import { findScored, scored } from "./sentencepiece";
import { wholeWords } from "./split/index";
import { byteToken, findEntry, NO_TOKEN, unknownToken } from "./vocabulary";

const SHORT: u32 = 128; // bytes; from here on the heap is the faster one
const RANK: u64 = 0xffffffff00000000;

let word: usize = 0; // that is being merged
let wordBytes: u32 = 0;
/** Bytes that had no token, since forgetDropped(). */
export let droppedBytes: u32 = 0;
/** Counts them anew. */
export function forgetDropped(): void {
  droppedBytes = 0;
}

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
 * Tokens of the pre-token of `length` (1..TEXT_BYTES) bytes, written to out: u32[length]. Returns how many: bytes without a token have
 * kept their neighbours from merging, and are gone. Up to 7 bytes after it are read.
 */
export function encodeWord(p: usize, length: u32, out: usize): u32 {
  if (scored) return encodeStretch(p, length, out);
  const whole = wholeWords ? findEntry(p, length, true) : -1;
  if (whole >= 0) {
    store<u32>(out, whole);
    return 1;
  }
  let missing = false;
  for (let i: usize = 0; i < length; i++) {
    const token = byteToken(load<u8>(p + i));
    store<u32>(out + (i << 2), token);
    missing = missing || token == NO_TOKEN;
  }
  const count = length <= SHORT ? mergeShort(out, length) : mergeLong(out, length);
  return missing ? dropMissing(out, count) : count;
}

function dropMissing(ids: usize, count: u32): u32 {
  let n: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const id = load<u32>(ids + i * 4);
    if (id == NO_TOKEN) droppedBytes++;
    else store<u32>(ids + n++ * 4, id);
  }
  return n;
}

/** The same of SentencePiece. What is left of a character without a token are the tokens of its bytes, or else the unknown token. */
function encodeStretch(p: usize, length: u32, out: usize): u32 {
  word = p;
  wordBytes = length;
  for (let i: u32 = 0; i < length; i += sequenceLength(load<u8>(p + i))) {
    const id = findEntry(p + i, sequenceLength(load<u8>(p + i)), true);
    store<u32>(out + i * 4, id < 0 ? NO_TOKEN : id);
  }
  mergeLinked(out, length);
  let n: u32 = 0;
  for (let i: u32 = 0; i < length; ) {
    const end = symbolEnd(i);
    const id = load<u32>(out + i * 4);
    if (id == NO_TOKEN) n = encodeBytes(p + i, end - i, out, n);
    else store<u32>(out + n++ * 4, id);
    i = end;
  }
  return n;
}

/** Adds the tokens of a character's bytes behind the first `n`; returns how many there are then. */
function encodeBytes(p: usize, bytes: u32, out: usize, n: u32): u32 {
  for (let i: u32 = 0; i < bytes; i++) {
    const token = byteToken(load<u8>(p + i));
    if (token != NO_TOKEN) {
      store<u32>(out + n++ * 4, token);
      continue;
    }
    droppedBytes += bytes - i;
    if (i == 0 && unknownToken >= 0) store<u32>(out + n++ * 4, unknownToken);
    break;
  }
  return n;
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
  return pairA < (pairB & RANK) || ((pairA ^ pairB) < (<u64>1) << 32 && a < b);
}

/** The same for long words. */
function mergeLong(ids: usize, length: u32): u32 {
  word = 0;
  wordBytes = length;
  mergeLinked(ids, length);
  let n: u32 = 0;
  for (let i: u32 = 0; i < length; i = symbolEnd(i), n++) store<u32>(ids + n * 4, load<u32>(ids + i * 4));
  return n;
}

/** Where the symbol at `i` ends. */
// @ts-ignore: decorator
@inline
function symbolEnd(i: u32): u32 {
  const following = linkAt(next, i);
  return following == i ? wordBytes : following;
}

/** What the symbols at `left` and `right` merge to. */
function joined(ids: usize, left: u32, right: u32): u64 {
  if (scored) return findScored(word + left, symbolEnd(right) - left);
  return findMerge(load<u32>(ids + left * 4), load<u32>(ids + right * 4));
}

/**
 * Merges symbols where they are: each stays where its first byte is, linked in both directions (the first's previous and the last's
 * next are themselves); all pairs are in one heap, in which those that cannot merge are at the bottom.
 */
function mergeLinked(ids: usize, length: u32): void {
  const count = linkSymbols(ids, length) - 1;
  for (let i = count >>> 1; i-- > 0; ) siftDown(i, linkAt(heap, i), count);
  while (count > 0) {
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
      update(left, joined(ids, left, after), count);
    }
    if (left > 0) {
      const leftmost = linkAt(previous, left);
      update(leftmost, joined(ids, leftmost, left), count);
    }
  }
}

/** Links the bytes, or the characters of SentencePiece, and enters their pairs; returns how many they are. */
function linkSymbols(ids: usize, length: u32): u32 {
  let count: u32 = 0;
  let last: u32 = 0;
  for (let i: u32 = 0; i < length; count++) {
    setLink(previous, i, last);
    setLink(next, last, i);
    setLink(heap, count, i);
    setLink(place, i, count);
    last = i;
    i += scored ? sequenceLength(load<u8>(word + i)) : 1;
  }
  setLink(next, last, last);
  for (let i: u32 = 0; i != last; ) {
    const right = linkAt(next, i);
    setPair(i, joined(ids, i, right));
    i = right;
  }
  return count;
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
