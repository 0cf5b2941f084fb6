// Tokens that are matched in the text as they stand: of those that start first, the longest. An Aho-Corasick automaton (Commun. ACM 18,
// 1975) of the tokens backwards reads the text from its end: its state after a byte is the longest piece of text from there on that a
// token ends with, so it knows the longest token that starts there, and no text is read more than twice, whatever the tokens are.
//
//     (node, byte) -> the node one byte longer    tags u8[slots], keys u32[slots] = node << 8 | byte    table.ts; the node is slot + 1
//     node -> fallbacks u32[slots]                the longest node that begins as it does (node 0 is the empty one)
//          -> lengths u16[slots][2]               longest token that it begins with, of the user-defined ones and of all
//     byte -> starts u32[256], reach u16[256][2]  the node of this byte, and the longest token that begins with it, likewise
//     the text from marked on -> marks u16[BLOCK] length of the longest token that starts there

import { TOKEN_CONTROL, TOKEN_UNKNOWN, TOKEN_USER_DEFINED } from "../layout/gguf";
import { carve } from "../runtime/carve";
import { hashPair } from "../runtime/keyed_hash";
import { emptySlot, firstGroup, groupCount, slotsEmpty, slotsTagged, tagOf } from "./table";
import { findEntry, tokenBytesAt, tokenLength, tokenType } from "./vocabulary";

/** Bytes of text that are marked at once. */
const BLOCK: usize = 8192;
/** Look-ups of a step of building. */
const STEP: u32 = 65536;

let tags: usize = 0;
let keys: usize = 0;
let fallbacks: usize = 0;
let lengths: usize = 0;
let starts: usize = 0;
let reach: usize = 0;
let marks: usize = 0;
let groups: u32 = 0;
let longest: u32 = 0;

let open: usize = 0; // u32[tokens][2]: those that are still being entered, and the node of what has been
let tokens: u32 = 0;
let depth: u32 = 0; // bytes of them that have been entered
let next: u32 = 0; // of the tokens at this depth
let kept: u32 = 0; // tokens at the next one

/** Whether a token of this type is matched in the text as it stands: 1 always, 2 when special tokens are wanted, 0 never. */
export function specialKind(type: i32): u32 {
  if (type == TOKEN_USER_DEFINED) return 1;
  return type == TOKEN_CONTROL || type == TOKEN_UNKNOWN ? 2 : 0;
}

/** Carves the tables for `count` special tokens of `bytes` bytes in all. */
export function carveSpecials(count: u32, bytes: u32): void {
  groups = groupCount(bytes);
  const slots = <u64>groups * 16;
  tags = carve(slots);
  keys = carve(slots * 4);
  fallbacks = carve(slots * 4);
  lengths = carve(slots * 4);
  starts = carve(1024);
  reach = carve(1024);
  marks = carve(BLOCK * 2);
  open = carve(<u64>count * 8);
}

/** Forgets the special tokens of another vocabulary. */
export function clearSpecials(): void {
  memory.fill(tags, 0, <usize>groups * 16);
  memory.fill(starts, 0, 1024);
  memory.fill(reach, 0, 1024);
  longest = 0;
  tokens = 0;
  depth = 0;
  next = 0;
  kept = 0;
}

/** Takes a token if it is a special one. */
export function addSpecial(id: u32): void {
  const kind = specialKind(tokenType(id));
  const length = tokenLength(id);
  if (kind == 0 || length == 0) return;
  store<u64>(open + tokens * 8, id);
  tokens++;
  longest = max(longest, length);
  const reached = reach + ((<usize>load<u8>(tokenBytesAt(id))) << 2);
  if (kind == 1) store<u16>(reached, max<u32>(length, load<u16>(reached)));
  store<u16>(reached, max<u32>(length, load<u16>(reached, 2)), 2);
}

/** Goes on entering the tokens that were taken, one byte of each after the other; false when there is no more to do. */
export function enterSpecials(): bool {
  for (let work: u32 = 0; work < STEP && tokens > 0; ) {
    const place = open + next * 8;
    const id = load<u32>(place);
    const length = tokenLength(id);
    const node = load<u32>(place, 4);
    const byte = <u32>load<u8>(tokenBytesAt(id) + (length - 1 - depth));
    let child = childOf(node, byte);
    if (child == 0) {
      let shorter = node;
      let fallback: u32 = 0;
      while (shorter != 0 && fallback == 0) {
        shorter = load<u32>(fallbacks + (shorter - 1) * 4);
        fallback = childOf(shorter, byte);
        work++;
      }
      child = enter(node, byte, fallback);
    }
    if (depth + 1 == length) {
      if (specialKind(tokenType(id)) == 1) store<u16>(lengths + (child - 1) * 4, length);
      store<u16>(lengths + (child - 1) * 4, length, 2);
    } else {
      store<u64>(open + kept * 8, ((<u64>child) << 32) | id);
      kept++;
    }
    work++;
    if (++next < tokens) continue;
    tokens = kept;
    kept = 0;
    next = 0;
    depth++;
  }
  return tokens > 0;
}

/** The node of `byte` behind `node`, or 0. */
function childOf(node: u32, byte: u32): u32 {
  if (node == 0) return load<u32>(starts + (byte << 2));
  const key = (node << 8) | byte;
  const hash = hashPair(key);
  const tag = tagOf(hash);
  let group = firstGroup(hash, groups);
  while (true) {
    const groupTags = v128.load(tags + group * 16);
    for (let found = slotsTagged(groupTags, tag); found != 0; found &= found - 1) {
      const slot = (group << 4) + ctz(found);
      if (load<u32>(keys + slot * 4) == key) return slot + 1;
    }
    if (slotsEmpty(groupTags)) return 0;
    if (++group == groups) group = 0;
  }
}

/** Makes it; `fallback` is the longest node that begins as it does. */
function enter(node: u32, byte: u32, fallback: u32): u32 {
  const key = (node << 8) | byte;
  const hash = hashPair(key);
  const slot = emptySlot(tags, groups, hash);
  store<u8>(tags + slot, tagOf(hash));
  store<u32>(keys + slot * 4, key);
  store<u32>(fallbacks + slot * 4, fallback);
  store<u32>(lengths + slot * 4, fallback == 0 ? 0 : load<u32>(lengths + (fallback - 1) * 4));
  if (node == 0) store<u32>(starts + (byte << 2), slot + 1);
  return slot + 1;
}

let marked: usize = 0;
let markedEnd: usize = 0;

/** A new text comes. */
export function resetSpecials(): void {
  marked = 0;
  markedEnd = 0;
}

/** Marks a block of the text that begins at `p`. */
function mark(p: usize, end: usize, all: bool): void {
  marked = p;
  markedEnd = min(end, p + BLOCK);
  const length = lengths + (all ? 2 : 0);
  let node: u32 = 0;
  for (let q = min(end, markedEnd + longest); q-- > p; ) {
    const byte = <u32>load<u8>(q);
    let longer = childOf(node, byte);
    while (longer == 0 && node != 0) {
      node = load<u32>(fallbacks + (node - 1) * 4);
      longer = childOf(node, byte);
    }
    node = longer;
    if (q < markedEnd) store<u16>(marks + (q - p) * 2, node == 0 ? 0 : load<u16>(length + (node - 1) * 4));
  }
}

/** Id of the special token at the address that nextSpecial() returned, or -1; */
export let specialId: i32 = -1;
/** its length. */
export let specialLength: u32 = 0;

/**
 * Where the next special token starts, a user-defined one or, with `all`, any: `end` if there is none. With `more`, text may follow, and
 * a byte that could be the first of a token which does not end in this text counts too, with specialId = -1.
 */
export function nextSpecial(p: usize, end: usize, all: bool, more: bool): usize {
  specialId = -1;
  const reached = reach + (all ? 2 : 0);
  for (; p < end; p++) {
    const most = <usize>load<u16>(reached + ((<usize>load<u8>(p)) << 2));
    if (most == 0) continue;
    if (more && end - p < most) return p;
    if (p >= markedEnd) mark(p, end, all);
    specialLength = load<u16>(marks + (p - marked) * 2);
    if (specialLength == 0) continue;
    specialId = findEntry(p, specialLength, false);
    return p;
  }
  return end;
}
