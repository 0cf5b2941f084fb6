// A token sequence: what is in its pages of the KV cache (kv_cache.ts), and what else goes on from one token to the next.
//
//     Sequence[config.sequences] | of each: history u32[context] | table u32[pages of the context] | parameters, SAMPLER_* | scales

import { SAMPLER_BYTES } from "../layout/abi";
import { MAX_ADAPTERS } from "../layout/adapters";
import { BLOCK } from "../layout/kv";
import { carve } from "../runtime/carve";
import { align64 } from "../runtime/memory";
import { config, kvCapacity } from "./config";
import { run } from "./run_state";

@unmanaged
export class Sequence {
  random: u64; // state of the sampler's generator
  length: i32; // positions in the KV cache
  history: usize; // their tokens: u32[context]
  table: usize; // the page of every BLOCK positions: u32[contextPages()]
  parameters: usize; // SAMPLER_*
  scales: usize; // of adapters, by slot: f32[MAX_ADAPTERS]; 0: without that one
  heldBytes: u32; // what detokenizer.ts holds back: Held
  heldCount: u32;
  heldBlank: bool;
}

const STRUCT: usize = (offsetof<Sequence>() + 63) & ~63;

/** Pages that a sequence has at most. */
export function contextPages(): i32 {
  return <i32>(kvCapacity() / BLOCK);
}

function bytesEach(): u64 {
  return align64(4 * config.context) + align64(4 * contextPages()) + align64(SAMPLER_BYTES) + align64(4 * MAX_ADAPTERS);
}

/** Sequence `index`. */
// @ts-ignore: decorator
@inline
export function sequenceAt(index: i32): Sequence {
  return changetype<Sequence>(run.sequences + <usize>index * STRUCT);
}

/** Carves all sequences. */
export function carveSequences(): void {
  run.sequences = carve(<u64>config.sequences * (STRUCT + bytesEach()));
}

/** Empty sequences; the first one has the pages from 0 on, so that whoever needs but one has nothing to say about pages. */
export function prepareSequences(): void {
  let at = run.sequences + <usize>config.sequences * STRUCT;
  for (let i = 0; i < config.sequences; i++) {
    const s = sequenceAt(i);
    memory.fill(changetype<usize>(s), 0, STRUCT);
    s.history = at;
    s.table = s.history + <usize>align64(4 * config.context);
    s.parameters = s.table + <usize>align64(4 * contextPages());
    s.scales = s.parameters + <usize>align64(SAMPLER_BYTES);
    memory.fill(s.scales, 0, 4 * MAX_ADAPTERS);
    at += <usize>bytesEach();
  }
  const first = sequenceAt(0);
  for (let i = 0; i < contextPages(); i++) store<u32>(first.table + 4 * <usize>i, i);
}
