// Attention of all tokens and heads of a batch, over the KV cache. What is shared between threads is one token's query heads over one
// key-value head; each thread has scratch of its own.

import {
  attentionScores,
  attentionWeights,
  Heads,
  quantizeQueryInt8,
  VALUE_SCALES,
  weightedValues,
} from "../kernels/attention";
import {
  attentionScoresInt4,
  quantizeQueryInt4,
  VALUE_SCALES_INT4,
  weightedValuesInt4,
} from "../kernels/attention_int4";
import { scoreFloat, softmax, weightedValuesFloat } from "../kernels/attention_float";
import { kernels } from "../kernels/choice";
import { rotate, rotated } from "../kernels/hadamard";
import { KERNEL_ADD, KV_F16, KV_INT4, KV_INT8 } from "../layout/abi";
import { BLOCK } from "../layout/kv";
import { parallelFor, parameter, setParameter } from "../runtime/threads";
import { config } from "./config";
import { headKeys, headValues, keyBytes, valueBytes } from "./kv_cache";
import { rowAt } from "./row";
import { recordOverflow, run } from "./run_state";
import { scratchOf } from "./scratch";

/** run.attended = softmax(q k / sqrt(headSize)) v for the queries of `count` rows, each over its own sequence up to its position. */
export function attend(layer: i32, count: i32): void {
  setParameter(0, layer);
  setParameter(1, kernels() & KERNEL_ADD);
  parallelFor(attendShared, count * config.kvHeads);
}

function attendShared(chunk: i32, thread: i32): void {
  const layer = <i32>parameter(0);
  const token = chunk / config.kvHeads;
  const kv = chunk % config.kvHeads;
  const sharing = config.heads / config.kvHeads; // query heads that read the same keys and values
  const h = scratchOf(run.scratch, thread);
  h.row = token;
  h.positions = rowAt(token).position + 1;
  h.add = parameter(1) != 0;
  h.keys = headKeys(layer, kv);
  h.keyBytes = keyBytes();
  h.values = headValues(layer, kv);
  h.valueBytes = valueBytes();
  h.valueScales = config.kvType == KV_INT4 ? VALUE_SCALES_INT4 : VALUE_SCALES;
  h.table = rowAt(token).sequence.table;
  const integers = config.kvType == KV_INT8 || config.kvType == KV_INT4;
  for (let done = 0; done < sharing; ) {
    const heads = integers && sharing - done >= 3 ? 3 : 1;
    const offset = <usize>((token * config.heads + kv * sharing + done) * config.headSize) * 4;
    if (integers) attendIntegers(h, heads, run.query + offset, run.attended + offset);
    else if (config.kvType == KV_F16) attendFloat<u16>(h, run.query + offset, run.attended + offset);
    else attendFloat<f32>(h, run.query + offset, run.attended + offset);
    done += heads;
  }
}

const LOG2E: f32 = 1.44269504088896341;

/** One query head, or three: target = attention of query, both f32[heads][headSize], over int8 or int4 keys and values. */
function attendIntegers(h: Heads, heads: usize, query: usize, target: usize): void {
  const size = h.headSize;
  const bytes: usize = 4 * <usize>size;
  const int4 = config.kvType == KV_INT4;
  // Scores are in powers of two: softmax(x) = 2^(x log2 e) / sum. The cache is rotated, so queries are, and results are rotated back.
  const scale: f32 = LOG2E / sqrt<f32>(<f32>size) / <f32>rotated(size);
  for (let i: usize = 0; i < heads; i++) {
    rotate(query + i * bytes, size);
    const target = h.queries + i * size;
    const from = query + i * bytes;
    const queryScale = int4 ? quantizeQueryInt4(target, from, size) : quantizeQueryInt8(target, from, size);
    store<f32>(h.factors + 4 * i, queryScale * scale);
  }
  if (int4) attentionScoresInt4(h, heads == 3);
  else attentionScores(h, heads == 3);
  for (let i: usize = 0; i < heads; i++) {
    const sum = attentionWeights(h, i);
    if (!(sum > 0)) recordOverflow(h.row, Infinity); // the largest score is not finite
    divideScales(h, i, sum * <f32>rotated(size));
  }
  if (int4) weightedValuesInt4(h, heads == 3, target);
  else weightedValues(h, heads == 3, target);
  for (let i: usize = 0; i < heads; i++) rotate(target + i * bytes, size);
}

/** Divides the block scales of head `head` by `divisor`. */
function divideScales(h: Heads, head: usize, divisor: f32): void {
  let at = h.blockScales + (4 * head * h.capacity) / BLOCK;
  for (const end = at + 4 * <usize>((h.positions + BLOCK - 1) / BLOCK); at < end; at += 4) {
    store<f32>(at, load<f32>(at) / divisor);
  }
}

/** target = attention of one query head, both f32[headSize], over keys and values that are f32, or f16 (u16). */
function attendFloat<T>(h: Heads, query: usize, target: usize): void {
  const size = h.headSize;
  scoreFloat<T>(h, query, 1 / sqrt<f32>(<f32>size));
  const sum = softmax(h.scores, h.positions);
  if (!(sum > 0)) recordOverflow(h.row, Infinity);
  weightedValuesFloat<T>(h, target, 1 / sum);
}
