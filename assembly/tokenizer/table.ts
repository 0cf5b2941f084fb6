// Hash tables of 16-slot groups, for keyed hashes (runtime/keyed_hash.ts). A slot's tag is 0 while it is empty, else 0x80 | 7 bits of
// the hash; a group's tags are one vector, so that a look-up compares 16 of them at once and touches a slot only when its tag is right:
//
//     tags u8[16 * groups] | slots[16 * groups]
//
// A group that is full goes on in the next one. At three quarters full, most look-ups end in their first group.

/** Groups for a table of `entries`; there is always an empty slot. */
export function groupCount(entries: u32): u32 {
  return entries / 12 + 1;
}

/** Whether two runs of `length` > 0 bytes are equal. Reads up to 7 bytes past them. */
export function equalBytes(a: usize, b: usize, length: u32): bool {
  while (length > 8) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
    length -= 8;
  }
  return (load<u64>(a) ^ load<u64>(b)) << ((8 - length) << 3) == 0;
}

/** The group at which the look-up of a hash begins. */
// @ts-ignore: decorator
@inline
export function firstGroup(hash: u64, groups: u32): u32 {
  return <u32>(((hash >>> 32) * groups) >>> 32);
}

/** The tag of a slot with a hash. */
// @ts-ignore: decorator
@inline
export function tagOf(hash: u64): u32 {
  return (<u32>hash & 0x7f) | 0x80;
}

/** Bit i is set when slot i of the group has the tag. */
// @ts-ignore: decorator
@inline
export function slotsTagged(group: v128, tag: u32): u32 {
  return i8x16.bitmask(i8x16.eq(group, i8x16.splat(<i8>tag)));
}

/** Bit i is set when slot i of the group is empty. */
// @ts-ignore: decorator
@inline
export function slotsEmpty(group: v128): u32 {
  return ~i8x16.bitmask(group) & 0xffff;
}

/** The first empty slot for an entry with a hash. */
export function emptySlot(tags: usize, groups: u32, hash: u64): u32 {
  let group = firstGroup(hash, groups);
  let empty = slotsEmpty(v128.load(tags + group * 16));
  while (empty == 0) {
    if (++group == groups) group = 0;
    empty = slotsEmpty(v128.load(tags + group * 16));
  }
  return (group << 4) + ctz(empty);
}
