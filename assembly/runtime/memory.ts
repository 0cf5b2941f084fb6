// The fixed part of linear memory, carved from the end of the static data:
//
//     | static data | I/O buffer | failure text | structs | pool | unfinished block, decoded block | info, sections | metadata index | arena
//                   ^ __heap_base, 64-byte aligned                                                                                  ^ arenaBase()
//
// Whatever a thread may read lies in a struct here or in the arena. Instances that share a memory have globals of their own, and would
// reset static data: globals hold only what the caller's thread alone needs (failures, the tokenizer's tables, where a load stands).

import { INFO_SECTION, IO_BYTES, SECTIONS } from "../layout/abi";
import { MAX_BLOCK_BYTES, SUPERBLOCK } from "../layout/blocks";
import { MAX_METADATA } from "../layout/gguf";

export const FAILURE_TEXT_BYTES: usize = 4096;

/** Room for a struct at a fixed address, which its file checks. */
export const STRUCT_BYTES: usize = 128;

// From the failure text on
const CONFIG: usize = FAILURE_TEXT_BYTES;
const HEADER: usize = CONFIG + STRUCT_BYTES;
const WEIGHTS: usize = HEADER + STRUCT_BYTES;
const RUN_STATE: usize = WEIGHTS + STRUCT_BYTES;
const SAMPLER: usize = RUN_STATE + STRUCT_BYTES;
const ADAPTERS: usize = SAMPLER + STRUCT_BYTES;
const POOL: usize = ADAPTERS + STRUCT_BYTES;
const UNFINISHED: usize = POOL + 320;
const DECODED: usize = UNFINISHED + ((MAX_BLOCK_BYTES + 63) & ~63);
const INFO: usize = DECODED + 4 * SUPERBLOCK;
const SECTION_TABLE: usize = INFO + 8 * (INFO_SECTION + SECTIONS);
const METADATA_INDEX: usize = SECTION_TABLE + 8 * (SECTIONS + 1);
const ARENA: usize = METADATA_INDEX + 8 * MAX_METADATA;

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
/** Where model/config.ts keeps the hyperparameters. */
// @ts-ignore: decorator
@inline
export function configAddress(): usize {
  return failureText() + CONFIG;
}
/** Where gguf/header.ts keeps what it knows of the file's header. */
// @ts-ignore: decorator
@inline
export function headerAddress(): usize {
  return failureText() + HEADER;
}
/** Where model/weights.ts keeps where the weights are. */
// @ts-ignore: decorator
@inline
export function weightsAddress(): usize {
  return failureText() + WEIGHTS;
}
/** Where model/run_state.ts keeps where the buffers of a pass are. */
// @ts-ignore: decorator
@inline
export function runStateAddress(): usize {
  return failureText() + RUN_STATE;
}
/** Where sampler/state.ts keeps where the sampler's buffers are. */
// @ts-ignore: decorator
@inline
export function samplerAddress(): usize {
  return failureText() + SAMPLER;
}
/** Where model/adapters.ts keeps where adapters are. */
// @ts-ignore: decorator
@inline
export function adaptersAddress(): usize {
  return failureText() + ADAPTERS;
}
/** Where threads.ts keeps what the threads share. */
// @ts-ignore: decorator
@inline
export function poolAddress(): usize {
  return failureText() + POOL;
}
/** A block of weights whose bytes have not all arrived. u8[MAX_BLOCK_BYTES] */
// @ts-ignore: decorator
@inline
export function unfinishedBlock(): usize {
  return failureText() + UNFINISHED;
}
/** A block of weights as floats, on its way to int8. f32[SUPERBLOCK] */
// @ts-ignore: decorator
@inline
export function decodedBlock(): usize {
  return failureText() + DECODED;
}
/** What info() answers, by INFO_*. f64[INFO_SECTION + SECTIONS] */
// @ts-ignore: decorator
@inline
export function infoTable(): usize {
  return failureText() + INFO;
}
/** Where the sections of the arena begin, and the last one's end. u64[SECTIONS + 1] */
// @ts-ignore: decorator
@inline
export function sectionTable(): usize {
  return failureText() + SECTION_TABLE;
}
/** Of each metadata record its address, and its key's hash. u32[MAX_METADATA][2] */
// @ts-ignore: decorator
@inline
export function metadataIndex(): usize {
  return failureText() + METADATA_INDEX;
}
/** First byte of the arena, 64-byte aligned; the file's header is staged here until the plan is carried out. */
// @ts-ignore: decorator
@inline
export function arenaBase(): usize {
  return (failureText() + ARENA + 63) & ~63;
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
