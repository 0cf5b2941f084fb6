// Attention of all tokens and heads of a batch, over the KV cache. What is shared between threads is one token's query heads over one
// key-value head; each thread has scratch of its own.

import { config, kvCapacity } from "./config";
import {
  BLOCK,
  mix,
  mixFloat,
  quantizeQuery,
  scaleScores,
  score,
  scoreFloat,
  softmax,
  weigh,
} from "./kernels/attention";
import { keyScales, keys, valueScales, values } from "./kv_cache";
import { KV_INT8 } from "./layout/abi";
import { run, scratchBytes } from "./run_state";
import { parameter, setParameter, share } from "./threads";

/** run.attended = softmax(q k / sqrt(headSize)) v for the queries of `count` tokens from position `first` on. */
export function attend(layer: i32, count: i32, first: i32): void {
  setParameter(0, layer);
  setParameter(1, first);
  share(attendShared, count * config.kvHeads);
}

function attendShared(chunk: i32, thread: i32): void {
  const layer = <i32>parameter(0);
  const token = chunk / config.kvHeads;
  const kv = chunk % config.kvHeads;
  const positions = <i32>parameter(1) + token + 1;
  const sharing = config.heads / config.kvHeads; // query heads that read the same keys and values
  const scratch = run.scratch + <usize>thread * scratchBytes();
  for (let done = 0; done < sharing; ) {
    const heads = config.kvType == KV_INT8 && sharing - done >= 3 ? 3 : 1;
    const offset = <usize>((token * config.heads + kv * sharing + done) * config.headSize) * 4;
    if (config.kvType == KV_INT8) attendInt8(heads, offset, layer, kv, positions, scratch);
    else attendFloat(offset, layer, kv, positions, scratch);
    done += heads;
  }
}

const LOG2E: f32 = 1.44269504088896341;

// A thread's scratch (run_state.ts draws it) is cut for three heads.

/** One query head, or three, over int8 keys and values; `offset` bytes into the queries and the results. */
function attendInt8(heads: i32, offset: usize, layer: i32, kv: i32, positions: i32, scratch: usize): void {
  const size = config.headSize;
  const capacity = kvCapacity();
  const blocks = capacity / BLOCK;
  const usedBlocks = <usize>((positions + BLOCK - 1) / BLOCK);
  const scores = scratch;
  const weights = scores + 12 * capacity;
  const blockScales = weights + 6 * capacity;
  const queries = blockScales + 12 * blocks;
  const queryScales = queries + 6 * size;
  // Scores are in powers of two: softmax(x) = 2^(x log2 e) / sum.
  const scale: f32 = LOG2E / sqrt<f32>(<f32>size);
  for (let h: usize = 0; h < <usize>heads; h++) {
    const queryScale = quantizeQuery(queries + 2 * h * size, run.query + offset + 4 * h * size, size);
    store<f32>(queryScales + 4 * h, queryScale * scale);
  }
  score(heads == 3, scores, 4 * capacity, queries, keys(layer, kv), positions, size);
  for (let h: usize = 0; h < <usize>heads; h++) {
    const head = scores + 4 * h * capacity;
    const largest = scaleScores(head, load<f32>(queryScales + 4 * h), keyScales(layer, kv), positions);
    const headScales = blockScales + 4 * h * blocks;
    const sum = weigh(weights + 2 * h * capacity, headScales, head, largest, valueScales(layer, kv), positions);
    for (let at = headScales; at < headScales + 4 * usedBlocks; at += 4) store<f32>(at, load<f32>(at) / sum);
  }
  const target = run.attended + offset;
  mix(heads == 3, target, weights, 2 * capacity, blockScales, 4 * blocks, values(layer, kv), positions, size);
}

/** One query head over f32 keys and values. */
function attendFloat(offset: usize, layer: i32, kv: i32, positions: i32, scores: usize): void {
  const size = config.headSize;
  scoreFloat(scores, run.query + offset, 1 / sqrt<f32>(<f32>size), keys(layer, kv), positions, size);
  mixFloat(run.attended + offset, scores, 1 / softmax(scores, positions), values(layer, kv), positions, size);
}
