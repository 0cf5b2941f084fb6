// Attention over the positions of one key-value head of the int8 cache (https://arxiv.org/abs/1706.03762): scores, softmax, weighted
// sum. Query heads that share keys and values go through together, three at a time or one, so that the cache is read once.
//
// Keys and values stay signed bytes, four columns of four positions in a vector (model/kv_cache.ts draws them). What meets them has seven
// bits: queries q + 64 with q in -63..63, and the weights that the softmax gives, 0..127, with one scale for every BLOCK positions. So
// four multiply-adds of a lane take one i16x8.relaxed_dot_i8x16_i7x16_s, which cannot saturate, and one i32x4.dot_i16x8_s, or where that
// is one instruction the i32x4.relaxed_dot_i8x16_i7x16_add_s of both. A score, and
// a sum of a block, are exact in i32; blocks are added in f32 in order of position.
//
// Buffers have room up to the next multiple of BLOCK positions; what is stale there weighs nothing.

import { BLOCK, QUERY_BIAS, TILE_POSITIONS } from "../layout/kv";
import { nearestInt, TINY } from "./math";
import { f32x4Max, f32x4Sum, largestMagnitude } from "./reduce";
import { dotI8U7, dotI8U7Constant, RELAXED } from "./simd";

const QUERY_LEVELS: f32 = 63;
const WEIGHT_LEVELS: f32 = 127;

/** Query heads that go together over one key-value head, three or one: what the kernels read and write. Each thread has its own. */
@unmanaged
export class Heads {
  headSize: i32;
  row: i32; // of the batch
  positions: i32; // 0..positions - 1 are attended to
  add: bool; // by the dot that adds, in one instruction (KERNEL_ADD)
  capacity: usize; // positions that there is room for, whole blocks
  // The key-value head, in the cache (model/kv_cache.ts): what it has of the page table[i] lies at keys + table[i] * keyBytes and at
  // values + table[i] * valueBytes
  keys: usize;
  keyBytes: usize;
  values: usize;
  valueBytes: usize;
  valueScales: usize; // behind a page's keys: f32[BLOCK]
  table: usize; // u32[capacity / BLOCK]
  // The query heads
  queries: usize; // u8[3][headSize], over an int4 cache i8
  factors: usize; // f32[3]: what a head's scores are multiplied by
  scores: usize; // f32[3][capacity]
  weights: usize; // u8[3][capacity]
  blockScales: usize; // f32[3][capacity / BLOCK]
  offsets: usize; // f32[3][2], attention_int4.ts
}

// From the keys that a head has in a page: biases i32[BLOCK], key scales f32[BLOCK], value scales f32[BLOCK], vectors. In this order because
// all of it is read in one straight line (with the vectors first every page began with a wait for memory, 1.5 ms behind 2,048 positions).
export const KEY_SCALES: usize = 4 * BLOCK;
export const VALUE_SCALES: usize = 8 * BLOCK;
export const KEY_VECTORS: usize = 12 * BLOCK;

/** The keys that the head has in the page that stands at `entry` of its table. */
// @ts-ignore: decorator
@inline
export function keysIn(h: Heads, entry: usize): usize {
  return h.keys + <usize>load<u32>(entry) * h.keyBytes;
}
/** The values. */
// @ts-ignore: decorator
@inline
export function valuesIn(h: Heads, entry: usize): usize {
  return h.values + <usize>load<u32>(entry) * h.valueBytes;
}

/** `count` rounded up to whole blocks. */
// @ts-ignore: decorator
@inline
export function blocks(count: i32): i32 {
  return (count + BLOCK - 1) & ~(BLOCK - 1);
}

/** Query f32[headSize] to bytes at `target`, -levels..levels raised by `bias`; returns its scale. */
// @ts-ignore: decorator
@inline
export function quantizeQuery(target: usize, query: usize, headSize: i32, levels: f32, bias: i8): f32 {
  const amax = largestMagnitude(query, query + 4 * <usize>headSize);
  const inverse = f32x4.splat(amax > TINY ? levels / amax : 0);
  for (let i: usize = 0; i < <usize>headSize; i += 16) {
    v128.store(target + i, i8x16.add(sixteenBytes(query + 4 * i, inverse), i8x16.splat(bias)));
  }
  return amax / levels;
}
/** For an int8 cache. */
export function quantizeQueryInt8(target: usize, query: usize, headSize: i32): f32 {
  return quantizeQuery(target, query, headSize, QUERY_LEVELS, <i8>QUERY_BIAS);
}

/** i8x16 of f32[16], times `factor`, rounded to the nearest. */
// @ts-ignore: decorator
@inline
function sixteenBytes(source: usize, factor: v128): v128 {
  const a = nearestInt(f32x4.mul(v128.load(source), factor));
  const b = nearestInt(f32x4.mul(v128.load(source, 16), factor));
  const c = nearestInt(f32x4.mul(v128.load(source, 32), factor));
  const d = nearestInt(f32x4.mul(v128.load(source, 48), factor));
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** h.scores = (queries . keys + bias) * key scale * factor, of one query head or three. Writes whole groups of eight positions. */
export function attentionScores(h: Heads, three: bool): void {
  if (RELAXED && h.add) scoreByAdding(h, three);
  else if (three) scoreHeads(false, h, true);
  else scoreHeads(false, h, false);
}
function scoreByAdding(h: Heads, three: bool): void {
  if (three) scoreHeads(true, h, true);
  else scoreHeads(true, h, false);
}

// @ts-ignore: decorator
@inline
function scoreHeads(add: bool, h: Heads, three: bool): void {
  const stride: usize = 4 * h.capacity;
  const query = h.queries;
  const factors = h.factors;
  let scores = h.scores;
  let keys: usize = 0;
  let biases: usize = 0;
  let scales: usize = 0;
  let entry = h.table;
  let left = 0; // groups of eight positions of the page
  const constant = dotI8U7Constant();
  const row = <usize>h.headSize;
  const end = query + row;
  for (const last = scores + 4 * <usize>h.positions; scores < last; scores += 32) {
    if (left == 0) {
      biases = keysIn(h, entry);
      scales = biases + KEY_SCALES;
      keys = biases + KEY_VECTORS;
      entry += 4;
      left = BLOCK / 8;
    }
    left--;
    let a0 = v128.load(biases);
    let a1 = v128.load(biases, 16);
    let b0 = a0;
    let b1 = a1;
    let c0 = a0;
    let c1 = a1;
    for (let q = query; q < end; q += 8) {
      let first = v128.load(keys);
      let second = v128.load(keys + <usize>TILE_POSITIONS * row);
      let x = v128.load32_splat(q);
      a0 = dotI8U7(add, a0, first, x, constant);
      a1 = dotI8U7(add, a1, second, x, constant);
      if (three) {
        x = v128.load32_splat(q + row);
        b0 = dotI8U7(add, b0, first, x, constant);
        b1 = dotI8U7(add, b1, second, x, constant);
        x = v128.load32_splat(q + 2 * row);
        c0 = dotI8U7(add, c0, first, x, constant);
        c1 = dotI8U7(add, c1, second, x, constant);
      }
      first = v128.load(keys, 16);
      second = v128.load(keys + <usize>TILE_POSITIONS * row, 16);
      x = v128.load32_splat(q, 4);
      a0 = dotI8U7(add, a0, first, x, constant);
      a1 = dotI8U7(add, a1, second, x, constant);
      if (three) {
        x = v128.load32_splat(q + row, 4);
        b0 = dotI8U7(add, b0, first, x, constant);
        b1 = dotI8U7(add, b1, second, x, constant);
        x = v128.load32_splat(q + 2 * row, 4);
        c0 = dotI8U7(add, c0, first, x, constant);
        c1 = dotI8U7(add, c1, second, x, constant);
      }
      keys += 32;
    }
    storeScores(scores, a0, a1, scales, factors);
    if (three) {
      storeScores(scores + stride, b0, b1, scales, factors + 4);
      storeScores(scores + 2 * stride, c0, c1, scales, factors + 8);
    }
    keys += <usize>TILE_POSITIONS * row;
    biases += 32;
    scales += 32;
  }
}

// @ts-ignore: decorator
@inline
function storeScores(scores: usize, first: v128, second: v128, scales: usize, factor: usize): void {
  const f = v128.load32_splat(factor);
  v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(first), f32x4.mul(v128.load(scales), f)));
  v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(second), f32x4.mul(v128.load(scales, 16), f)), 16);
}

/** The largest score of head `head`; behind them, to the end of the block, come -Infinities. */
// @ts-ignore: decorator
@inline
function maskScores(h: Heads, head: usize): f32 {
  const scores = h.scores + 4 * head * h.capacity;
  const end = scores + 4 * <usize>h.positions;
  const padded = scores + 4 * <usize>blocks(h.positions);
  for (let at = end; at < padded; at += 4) store<f32>(at, -Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) largest = f32x4.pmax(largest, v128.load(at));
  return f32x4Max(largest);
}

/**
 * Softmax, quantized: 2^(score - largest) * value scale of head `head`, to h.weights with a scale for every block in h.blockScales.
 * Returns the sum of the powers, which the block scales are not divided by yet. Overwrites the scores.
 */
export function attentionWeights(h: Heads, head: usize): f32 {
  const largest = maskScores(h, head);
  let target = h.weights + head * h.capacity;
  let blockScales = h.blockScales + (4 * head * h.capacity) / BLOCK;
  const scores = h.scores + 4 * head * h.capacity;
  let entry = h.table;
  const lowest = v128.load(POWER);
  const round = v128.load(POWER, 16);
  const p0 = v128.load(POWER, 32);
  const p1 = v128.load(POWER, 48);
  const p2 = v128.load(POWER, 64);
  const p3 = v128.load(POWER, 80);
  const top = f32x4.splat(largest);
  const end = scores + 4 * <usize>h.positions;
  let sum = f32x4.splat(0);
  for (let block = scores; block < end; ) {
    let blockMax = f32x4.splat(0);
    let at = block;
    let scales = keysIn(h, entry) + h.valueScales;
    entry += 4;
    block += 4 * BLOCK;
    for (; at < block; at += 16) {
      // 2^x = 2^n 2^r with |r| <= 1/2: n stays in the low bits of `shifted`, from where it is added to the exponent of 2^r.
      const x = f32x4.sub(v128.load(at), top);
      const bounded = f32x4.pmax(x, lowest);
      const shifted = f32x4.add(bounded, round);
      const r = f32x4.sub(bounded, f32x4.sub(shifted, round));
      let p = f32x4.add(f32x4.mul(p0, r), p1);
      p = f32x4.add(f32x4.mul(p, r), p2);
      p = f32x4.add(f32x4.mul(p, r), p3);
      // What is too small to count, or behind the positions, is 0, whatever scale stands there.
      const power = v128.and(i32x4.add(p, i32x4.shl(shifted, 23)), f32x4.gt(x, lowest));
      const product = v128.and(f32x4.mul(power, v128.load(scales)), f32x4.gt(x, lowest));
      sum = f32x4.add(sum, power);
      blockMax = f32x4.pmax(blockMax, product);
      v128.store(at, product);
      scales += 16;
    }
    const amax = f32x4Max(blockMax);
    const inverse = f32x4.splat(amax > TINY ? WEIGHT_LEVELS / amax : 0);
    for (at = block - 4 * BLOCK; at < block; at += 64) {
      v128.store(target, sixteenBytes(at, inverse));
      target += 16;
    }
    store<f32>(blockScales, amax / WEIGHT_LEVELS);
    blockScales += 4;
  }
  return f32x4Sum(sum);
}

// Loaded before the loop: V8 would build a v128.const anew at every use inside one. Least exponent, 1.5 * 2^23, then 2^r as a polynomial,
// minimax in the relative error, which is 7.5e-05: weights have seven bits.
const POWER = memory.data<f32>(
  [
    -126, -126, -126, -126, 12582912, 12582912, 12582912, 12582912, 0.0551716613, 0.0551716613, 0.0551716613,
    0.0551716613, 0.242611122, 0.242611122, 0.242611122, 0.242611122, 0.693260987, 0.693260987, 0.693260987,
    0.693260987, 0.999928074, 0.999928074, 0.999928074, 0.999928074,
  ],
  16,
);

/** target f32[1 or 3][headSize] = sum over positions of weight * block scale * value. */
export function weightedValues(h: Heads, three: bool, target: usize): void {
  if (RELAXED && h.add) weighByAdding(h, three, target);
  else if (three) sumHeads(false, h, true, target);
  else sumHeads(false, h, false, target);
}
function weighByAdding(h: Heads, three: bool, target: usize): void {
  if (three) sumHeads(true, h, true, target);
  else sumHeads(true, h, false, target);
}

// What lies behind the positions weighs nothing; of the last block, whole groups of eight are enough.
// @ts-ignore: decorator
@inline
function sumHeads(add: bool, h: Heads, three: bool, target: usize): void {
  const stride = h.capacity;
  const scaleStride: usize = (4 * h.capacity) / BLOCK;
  let weights = h.weights;
  let blockScales = h.blockScales;
  let entry = h.table;
  const constant = dotI8U7Constant();
  const row = <usize>h.headSize;
  memory.fill(target, 0, (three ? 12 : 4) * row);
  for (let block = 0; block < h.positions; block += BLOCK) {
    const end = weights + <usize>min(BLOCK, (h.positions - block + 7) & ~7);
    const values = valuesIn(h, entry);
    for (let i: usize = 0; i < row; i += 8) {
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let b0 = a0;
      let b1 = a0;
      let c0 = a0;
      let c1 = a0;
      let value = values + <usize>BLOCK * i;
      for (let at = weights; at < end; at += 8) {
        let first = v128.load(value);
        let second = v128.load(value, 16);
        let w = v128.load32_splat(at);
        a0 = dotI8U7(add, a0, first, w, constant);
        a1 = dotI8U7(add, a1, second, w, constant);
        if (three) {
          w = v128.load32_splat(at + stride);
          b0 = dotI8U7(add, b0, first, w, constant);
          b1 = dotI8U7(add, b1, second, w, constant);
          w = v128.load32_splat(at + 2 * stride);
          c0 = dotI8U7(add, c0, first, w, constant);
          c1 = dotI8U7(add, c1, second, w, constant);
        }
        first = v128.load(value, 32);
        second = v128.load(value, 48);
        w = v128.load32_splat(at, 4);
        a0 = dotI8U7(add, a0, first, w, constant);
        a1 = dotI8U7(add, a1, second, w, constant);
        if (three) {
          w = v128.load32_splat(at + stride, 4);
          b0 = dotI8U7(add, b0, first, w, constant);
          b1 = dotI8U7(add, b1, second, w, constant);
          w = v128.load32_splat(at + 2 * stride, 4);
          c0 = dotI8U7(add, c0, first, w, constant);
          c1 = dotI8U7(add, c1, second, w, constant);
        }
        value += 64;
      }
      addBlock(target + 4 * i, a0, a1, blockScales);
      if (three) {
        addBlock(target + 4 * (i + row), b0, b1, blockScales + scaleStride);
        addBlock(target + 4 * (i + 2 * row), c0, c1, blockScales + 2 * scaleStride);
      }
    }
    weights += BLOCK;
    blockScales += 4;
    entry += 4;
  }
}

/** target f32[8] += sums * block scale. */
// @ts-ignore: decorator
@inline
export function addBlock(target: usize, first: v128, second: v128, blockScale: usize): void {
  const scale = v128.load32_splat(blockScale);
  v128.store(target, f32x4.add(v128.load(target), f32x4.mul(f32x4.convert_i32x4_s(first), scale)));
  v128.store(target, f32x4.add(v128.load(target, 16), f32x4.mul(f32x4.convert_i32x4_s(second), scale)), 16);
}
