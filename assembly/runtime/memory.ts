// The fixed part of linear memory, carved from the end of the static data:
//
//     | static data | I/O buffer 1 MiB | failure text 4 KiB | config | header | run state | crew | carry | decoded | metadata index | arena ... |
//                   ^ __heap_base, 64-byte aligned                                                                             ^ arenaBase()
//
// Nothing mutable lives in static data: instances that share a memory would reset it.

import { IO_BYTES } from "../layout/abi";
import { MAX_BLOCK_BYTES, SUPERBLOCK } from "../layout/blocks";
import { MAX_METADATA } from "../layout/gguf";

export const FAILURE_TEXT_BYTES: usize = 4096;
const CONFIG_BYTES: usize = 256;
const HEADER_BYTES: usize = 128;
const RUN_STATE_BYTES: usize = 192;
const CREW_BYTES: usize = 320;
const CARRY_BYTES: usize = (MAX_BLOCK_BYTES + 63) & ~63;
const DECODED_BYTES: usize = 4 * SUPERBLOCK;

/** The I/O buffer: chunks of the file while loading, text afterwards. u8[IO_BYTES] */
// @ts-ignore: decorator
@inline
export function io(): usize {
  return (__heap_base + 63) & ~63;
}
/** The field named by the last failure. u8[FAILURE_TEXT_BYTES] */
// @ts-ignore: decorator
@inline
export function failureText(): usize {
  return io() + IO_BYTES;
}
/** Where `config` lies. */
// @ts-ignore: decorator
@inline
export function configAddress(): usize {
  return failureText() + FAILURE_TEXT_BYTES;
}
/** Where gguf/header.ts keeps what it knows of the file's header. */
// @ts-ignore: decorator
@inline
export function headerAddress(): usize {
  return configAddress() + CONFIG_BYTES;
}
/** Where the run state lies. */
// @ts-ignore: decorator
@inline
export function runStateAddress(): usize {
  return headerAddress() + HEADER_BYTES;
}
/** Where threads.ts keeps what the threads share. */
// @ts-ignore: decorator
@inline
export function crewAddress(): usize {
  return runStateAddress() + RUN_STATE_BYTES;
}
/** A block of weights whose bytes have not all arrived. u8[MAX_BLOCK_BYTES] */
// @ts-ignore: decorator
@inline
export function carry(): usize {
  return crewAddress() + CREW_BYTES;
}
/** A block of weights as floats, on its way to int8. f32[SUPERBLOCK] */
// @ts-ignore: decorator
@inline
export function decoded(): usize {
  return carry() + CARRY_BYTES;
}
/** Addresses of the metadata records. u32[MAX_METADATA] */
// @ts-ignore: decorator
@inline
export function metadataIndex(): usize {
  return decoded() + DECODED_BYTES;
}
/** First byte of the arena; the file's header is staged here until the plan is carried out. */
// @ts-ignore: decorator
@inline
export function arenaBase(): usize {
  return metadataIndex() + 4 * MAX_METADATA;
}

/** Rounds up to a cache line. */
// @ts-ignore: decorator
@inline
export function align64(bytes: u64): u64 {
  return (bytes + 63) & ~63;
}

/** Grows linear memory so that `end` is inside it; false when the engine refuses. */
export function ensure(end: u64): bool {
  const have = (<u64>memory.size()) << 16;
  if (end <= have) return true;
  if (end > <u64>u32.MAX_VALUE) return false;
  return memory.grow(<i32>((end - have + 0xffff) >> 16)) != -1;
}
