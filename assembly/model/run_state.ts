// Buffers of a forward pass. `batch` = MAX_BATCH rows; all f32 unless said.

import { activationBytes } from "../kernels/matmul/activations";
import { ropeFrequencies } from "../kernels/rope";
import { RELAXED } from "../kernels/simd";
import { MAX_BATCH } from "../layout/abi";
import { BLOCK } from "../layout/kv";
import { align64, runStateAddress } from "../runtime/memory";
import { threadCount } from "../runtime/threads";
import { config, kvCapacity, kvWidth, queryWidth } from "./config";
import { weights } from "./weights";

@unmanaged
export class RunState {
  x: usize; // the residual stream: [batch][hidden]
  normed: usize; // [batch][hidden]
  quantized: usize; // input of a matrix: [batch] of activations (kernels/matmul/activations.ts), wide enough for any
  query: usize; // [batch][heads * headSize]
  key: usize; // [batch][kvHeads * headSize]
  value: usize; // [batch][kvHeads * headSize]
  attended: usize; // [batch][heads * headSize]
  gate: usize; // [batch][intermediate]
  up: usize; // [batch][intermediate]
  turns: usize; // rotations of each position: [batch][headSize / 2][4]
  frequencies: usize; // f64[headSize / 2]
  scratch: usize; // attend.ts, of each thread
  cache: usize; // kv_cache.ts: keys and values
  cacheScales: usize; // their scales
  keyBiases: usize; // and what a query's bias adds to the scores
  tokens: usize; // u32[batch]
  history: usize; // tokens in the KV cache: u32[context]
}

// @ts-ignore: decorator
@lazy
export const run = changetype<RunState>(runStateAddress());

let end: u64 = 0;

function take(bytes: u64): usize {
  const at = end;
  end = align64(at + bytes);
  return <usize>at;
}

/** Lays the buffers out from `at` and returns their end; touches no memory behind it. */
export function carveRunState(at: u64): u64 {
  end = at;
  const row: u64 = 4 * MAX_BATCH;
  const widest = max(max(config.hidden, queryWidth()), config.intermediate);
  run.x = take(row * config.hidden);
  run.normed = take(row * config.hidden);
  run.quantized = take(<u64>MAX_BATCH * activationBytes(widest, RELAXED));
  run.query = take(row * queryWidth());
  run.key = take(row * kvWidth());
  run.value = take(row * kvWidth());
  run.attended = take(row * queryWidth());
  run.gate = take(row * config.intermediate);
  run.up = take(row * config.intermediate);
  run.turns = take(row * config.headSize * 2);
  run.frequencies = take(<u64>config.headSize * 4);
  run.scratch = take(<u64>threadCount() * scratchBytes());
  run.tokens = take(row);
  run.history = take(<u64>config.context * 4);
  return end;
}

/** What can be computed only when the weights are there. */
export function prepareRunState(): void {
  ropeFrequencies(run.frequencies, config.headSize, config.ropeTheta, config.ropeScale, weights().ropeFactors);
}

// Scratch of a thread, for three heads that go together in attention:
//
//     scores f32[3][capacity] | weights u8[3][capacity] | block scales f32[3][capacity / BLOCK] | queries u8[3][headSize] |
//     query scales f32[3]

/** Bytes of one thread's scratch. */
export function scratchBytes(): usize {
  const capacity = kvCapacity();
  return <usize>align64(15 * capacity + (12 * capacity) / BLOCK + 3 * config.headSize + 12);
}
