// Hashes that whoever made a file cannot foresee: multiplication by odd secrets, of which the high bits count. For tables; not XXH64
// (hash.ts), which names things for good.

import { splitmix, SPLITMIX_STEP } from "./splitmix";

let first: u64 = 0x9e3779b97f4a7c15;
let second: u64 = 0xd6e8feb86659fd93;

/** Derives the multipliers from a secret. */
export function seedHashes(secret: u64): void {
  first = splitmix(secret + SPLITMIX_STEP) | 1;
  second = splitmix(secret + 2 * SPLITMIX_STEP) | 1;
}

/** Hash of a pair of ids, or of eight bytes. */
// @ts-ignore: decorator
@inline
export function hashPair(key: u64): u64 {
  const h = key * first;
  return (h ^ (h >>> 32)) * second;
}

/** Hash of `length` > 0 bytes. Reads up to 7 bytes past them. */
export function hashBytes(p: usize, length: u32): u64 {
  let hash: u64 = length;
  while (length > 8) {
    hash = hashPair(hash ^ load<u64>(p));
    hash ^= hash >>> 32;
    p += 8;
    length -= 8;
  }
  return hashPair(hash ^ (load<u64>(p) << ((8 - length) << 3)));
}
