// What each thread needs while it attends:
//
//     Heads | scores f32[3][capacity] | weights u8[3][capacity] | block scales f32[3][capacity / BLOCK] | queries u8[3][headSize] |
//     factors f32[3] | offsets f32[3][2]

import { Heads } from "../kernels/attention";
import { BLOCK } from "../layout/kv";
import { carve } from "../runtime/carve";
import { align64 } from "../runtime/memory";
import { threadCount } from "../runtime/threads";
import { config, kvCapacity } from "./config";

const HEADS_BYTES: usize = (offsetof<Heads>() + 63) & ~63;

/** Bytes of one thread's scratch. */
// @ts-ignore: decorator
@inline
function scratchBytes(): usize {
  const capacity = kvCapacity();
  return <usize>align64(HEADS_BYTES + 15 * capacity + (12 * capacity) / BLOCK + 3 * config.headSize + 36);
}

/** The scratch of thread `thread`; `scratch` is run.scratch. */
// @ts-ignore: decorator
@inline
export function scratchOf(scratch: usize, thread: i32): Heads {
  return changetype<Heads>(scratch + <usize>thread * scratchBytes());
}

/** Carves the scratch of all threads. */
export function carveScratch(): usize {
  return carve(<u64>threadCount() * scratchBytes());
}

/** Says in each thread's scratch where its buffers are. */
export function prepareScratch(scratch: usize): void {
  const capacity = kvCapacity();
  for (let thread = 0; thread < threadCount(); thread++) {
    const heads = scratchOf(scratch, thread);
    heads.headSize = config.headSize;
    heads.capacity = capacity;
    heads.scores = changetype<usize>(heads) + HEADS_BYTES;
    heads.weights = heads.scores + 12 * capacity;
    heads.blockScales = heads.weights + 3 * capacity;
    heads.queries = heads.blockScales + (12 * capacity) / BLOCK;
    heads.factors = heads.queries + 3 * config.headSize;
    heads.offsets = heads.factors + 12;
  }
}
