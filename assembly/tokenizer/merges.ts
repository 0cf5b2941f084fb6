// The merges: (left id, right id) -> rank and merged id. A slot, found through tags as in table.ts:
//
//     left 21 bits | right 21 bits | merged 21 bits      u64
//     rank                                               u32
//
// 21 bits hold every id below MAX_VOCABULARY, and 12 bytes keep Llama-3's 280,147 merges in 4.9 MB.

import { carve } from "../runtime/carve";
import { hashPair } from "../runtime/keyed_hash";
import { emptySlot, firstGroup, groupCount, slotsEmpty, slotsTagged, tagOf } from "./table";
import { decodeByteLevel, decodedEnd, findEntry, NO_TOKEN } from "./vocabulary";

const SLOT_BYTES: usize = 12;
/** What findMerge() returns for a pair that does not merge; larger than any merge. */
export const NO_MERGE: u64 = u64.MAX_VALUE;

let tags: usize = 0;
let slots: usize = 0;
let groups: u32 = 0;

/** Carves a table for `count` merges. */
export function carveMerges(count: u32): void {
  groups = groupCount(count);
  tags = carve(<u64>groups * 16);
  slots = carve(<u64>groups * 16 * SLOT_BYTES);
}

/** Empties the table. */
export function clearMerges(): void {
  memory.fill(tags, 0, <usize>groups * 16);
}

/** Rank << 32 | merged id of a pair, or NO_MERGE. NO_TOKEN merges with nothing. */
export function findMerge(left: u32, right: u32): u64 {
  if (max(left, right) == NO_TOKEN) return NO_MERGE;
  const pair = ((<u64>left) << 21) | right;
  const hash = hashPair(pair);
  const tag = tagOf(hash);
  let group = firstGroup(hash, groups);
  while (true) {
    const groupTags = v128.load(tags + group * 16);
    for (let found = slotsTagged(groupTags, tag); found != 0; found &= found - 1) {
      const slot = slots + <usize>((group << 4) + ctz(found)) * SLOT_BYTES;
      const entry = load<u64>(slot);
      if (entry >>> 21 == pair) return ((<u64>load<u32>(slot, 8)) << 32) | (entry & 0x1fffff);
    }
    if (slotsEmpty(groupTags)) return NO_MERGE;
    if (++group == groups) group = 0;
  }
}

/**
 * Enters the merge "left right" of the byte-level alphabet; false when it is malformed, a duplicate or not of the
 * vocabulary.
 */
export function addMerge(rank: u32, p: usize, length: u32, scratch: usize): bool {
  const end = p + length;
  const space = decodeByteLevel(p, end, scratch);
  const middle = decodedEnd;
  if (space >= end || load<u8>(space) != 0x20) return false;
  if (decodeByteLevel(space + 1, end, middle) != end) return false;
  const left = findEntry(scratch, <u32>(middle - scratch), true);
  const right = findEntry(middle, <u32>(decodedEnd - middle), true);
  const merged = findEntry(scratch, <u32>(decodedEnd - scratch), true);
  if ((left | right | merged) < 0 || findMerge(left, right) != NO_MERGE) return false;

  const pair = ((<u64>left) << 21) | right;
  const hash = hashPair(pair);
  const index = <usize>emptySlot(tags, groups, hash);
  store<u8>(tags + index, tagOf(hash));
  store<u64>(slots + index * SLOT_BYTES, (pair << 21) | merged);
  store<u32>(slots + index * SLOT_BYTES, rank, 8);
  return true;
}
