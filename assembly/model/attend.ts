// Attention of all tokens and heads of a batch, over the KV cache. What is shared between threads is one token's query heads over one
// key-value head; each thread has scratch of its own.

import { closeScores, mix, quantizeQuery, score, weigh } from "../kernels/attention";
import { mixFloat, scoreFloat, softmax } from "../kernels/attention_float";
import { rotate, rotated } from "../kernels/hadamard";
import { KV_INT8 } from "../layout/abi";
import { BLOCK } from "../layout/kv";
import { parameter, setParameter, share } from "../runtime/threads";
import { config, kvCapacity } from "./config";
import { keyBiases, keys, keyScales, values, valueScales } from "./kv_cache";
import { run, scratchBytes } from "./run_state";

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
  const blockScales = weights + 3 * capacity;
  const queries = blockScales + 12 * blocks;
  const factors = queries + 3 * size;
  // Scores are in powers of two: softmax(x) = 2^(x log2 e) / sum. The cache is rotated, so queries are, and results are rotated back.
  const scale: f32 = LOG2E / sqrt<f32>(<f32>size) / <f32>rotated(size);
  for (let h: usize = 0; h < <usize>heads; h++) {
    rotate(run.query + offset + 4 * h * size, size);
    const queryScale = quantizeQuery(queries + h * size, run.query + offset + 4 * h * size, size);
    store<f32>(factors + 4 * h, queryScale * scale);
  }
  const biases = keyBiases(layer, kv);
  const three = heads == 3;
  score(three, scores, 4 * capacity, queries, factors, keys(layer, kv), biases, keyScales(layer, kv), positions, size);
  for (let h: usize = 0; h < <usize>heads; h++) {
    const head = scores + 4 * h * capacity;
    const largest = closeScores(head, positions);
    const headScales = blockScales + 4 * h * blocks;
    const sum = weigh(weights + h * capacity, headScales, head, largest, valueScales(layer, kv), positions);
    const whole = sum * <f32>rotated(size);
    for (let at = headScales; at < headScales + 4 * usedBlocks; at += 4) store<f32>(at, load<f32>(at) / whole);
  }
  const target = run.attended + offset;
  mix(three, target, weights, capacity, blockScales, 4 * blocks, values(layer, kv), positions, size);
  for (let h: usize = 0; h < <usize>heads; h++) rotate(target + 4 * h * size, size);
}

/** One query head over f32 keys and values. */
function attendFloat(offset: usize, layer: i32, kv: i32, positions: i32, scores: usize): void {
  const size = config.headSize;
  scoreFloat(scores, run.query + offset, 1 / sqrt<f32>(<f32>size), keys(layer, kv), positions, size);
  mixFloat(run.attended + offset, scores, 1 / softmax(scores, positions), values(layer, kv), positions, size);
}
