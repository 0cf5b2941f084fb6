// Attention over an int4 cache (model/kv/int4.ts draws it), as attention.ts has it over int8. What is stored are nibbles, so it is they
// that have the seven bits which i16x8.relaxed_dot_i8x16_i7x16_s wants of one side, and queries and weights have eight, with their sign. A sum
// of two products is 2 * 127 * 15 at most: eight of them stay within i16, and are made i32 once for 32 columns, or the positions of a block.
//
//     score = factor * (step (q . u) + least sum(q) + q . base)      value's sum = scale * (w . u - 7.5 sum(w)), the last once, at the end

import { BASE_BIAS, BLOCK, TILE_POSITIONS } from "../layout/kv";
import { addBlock, Heads, keysIn, quantizeQuery, valuesIn } from "./attention";
import { i32x4Sum } from "./reduce";
import { dotI8U4, dotI8U7, dotI8U7Constant, i32Sums, RELAXED } from "./simd";

const QUERY_LEVELS: f32 = 127;
/** What nibbles of values are raised by. */
export const VALUE_BIAS: f32 = 7.5;
const COLUMNS: usize = 32; // whose products a lane of i16 has room for

// From the keys that a head has in a page: steps and leasts u32[BLOCK], value scales f32[BLOCK], base, vectors
export const VALUE_SCALES_INT4: usize = 4 * BLOCK;
export const BASE: usize = 8 * BLOCK;
// @ts-ignore: decorator
@inline
export function keyVectorsInt4(headSize: i32): usize {
  return BASE + headSize + 16;
}

/** Query f32[headSize] to i8[headSize] at `target`; returns its scale. */
export function quantizeQueryInt4(target: usize, query: usize, headSize: i32): f32 {
  return quantizeQuery(target, query, headSize, QUERY_LEVELS, 0);
}

// In memory: V8 would build them anew at every use.
const UPPER = memory.data<u32>([0xffff0000, 0xffff0000, 0xffff0000, 0xffff0000], 16);
const NIBBLE = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/** Sum of bytes, whole vectors. */
// @ts-ignore: decorator
@inline
function sumOfBytes(at: usize, bytes: usize): i32 {
  let sum = i32x4.splat(0);
  for (const end = at + bytes; at < end; at += 16) {
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(v128.load(at))));
  }
  return i32x4Sum(sum);
}

/** h.scores of one query head or three. Writes whole groups of eight positions. */
export function attentionScoresInt4(h: Heads, three: bool): void {
  const heads: usize = three ? 3 : 1;
  for (let i: usize = 0; i < heads; i++) {
    store<f32>(h.offsets + 8 * i, <f32>sumOfBytes(h.queries + i * h.headSize, h.headSize));
  }
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
  const row = <usize>h.headSize;
  const offsets = h.offsets;
  const constant = dotI8U7Constant();
  const nibble = v128.load(NIBBLE);
  let scores = h.scores;
  let entry = h.table;
  for (let left = h.positions; left > 0; left -= BLOCK) {
    let steps = keysIn(h, entry);
    let keys = steps + keyVectorsInt4(h.headSize);
    scoreBase(h, 0, steps + BASE);
    if (three) {
      scoreBase(h, 1, steps + BASE);
      scoreBase(h, 2, steps + BASE);
    }
    for (const last = scores + 4 * <usize>min(left, BLOCK); scores < last; scores += 32) {
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let b0 = a0;
      let b1 = a0;
      let c0 = a0;
      let c1 = a0;
      for (let q = h.queries, end = q + row; q < end; ) {
        let s0 = i32x4.splat(0);
        let s1 = s0;
        let t0 = s0;
        let t1 = s0;
        let u0 = s0;
        let u1 = s0;
        for (const stop = min(q + COLUMNS, end); q < stop; q += 8) {
          const first = v128.load(keys);
          const second = v128.load(keys + (<usize>TILE_POSITIONS / 2) * row);
          let k0 = v128.and(first, nibble);
          let k1 = v128.and(second, nibble);
          let x = v128.load32_splat(q);
          s0 = dotI8U4(add, s0, x, k0, constant);
          s1 = dotI8U4(add, s1, x, k1, constant);
          if (three) {
            x = v128.load32_splat(q + row);
            t0 = dotI8U4(add, t0, x, k0, constant);
            t1 = dotI8U4(add, t1, x, k1, constant);
            x = v128.load32_splat(q + 2 * row);
            u0 = dotI8U4(add, u0, x, k0, constant);
            u1 = dotI8U4(add, u1, x, k1, constant);
          }
          k0 = v128.and(i16x8.shr_u(first, 4), nibble);
          k1 = v128.and(i16x8.shr_u(second, 4), nibble);
          x = v128.load32_splat(q, 4);
          s0 = dotI8U4(add, s0, x, k0, constant);
          s1 = dotI8U4(add, s1, x, k1, constant);
          if (three) {
            x = v128.load32_splat(q + row, 4);
            t0 = dotI8U4(add, t0, x, k0, constant);
            t1 = dotI8U4(add, t1, x, k1, constant);
            x = v128.load32_splat(q + 2 * row, 4);
            u0 = dotI8U4(add, u0, x, k0, constant);
            u1 = dotI8U4(add, u1, x, k1, constant);
          }
          keys += 16;
        }
        a0 = i32x4.add(a0, i32Sums(add, s0, constant));
        a1 = i32x4.add(a1, i32Sums(add, s1, constant));
        if (three) {
          b0 = i32x4.add(b0, i32Sums(add, t0, constant));
          b1 = i32x4.add(b1, i32Sums(add, t1, constant));
          c0 = i32x4.add(c0, i32Sums(add, u0, constant));
          c1 = i32x4.add(c1, i32Sums(add, u1, constant));
        }
      }
      storeScores(scores, a0, a1, steps, offsets, h.factors);
      if (three) {
        storeScores(scores + stride, b0, b1, steps, offsets + 8, h.factors + 4);
        storeScores(scores + 2 * stride, c0, c1, steps, offsets + 16, h.factors + 8);
      }
      keys += (<usize>TILE_POSITIONS / 2) * row;
      steps += 32;
    }
    entry += 4;
  }
}

/** Behind the sum of query `i` in h.offsets comes what it has of a page's base. */
function scoreBase(h: Heads, i: usize, base: usize): void {
  const query = h.queries + i * h.headSize;
  let sums = i32x4.splat(0);
  for (let j: usize = 0; j < <usize>h.headSize; j += 16) {
    sums = dotI8U7(false, sums, v128.load(query + j), v128.load(base + j), dotI8U7Constant());
  }
  const sum = load<f32>(h.offsets + 8 * i);
  store<f32>(h.offsets + 8 * i, load<f32>(base + h.headSize) * (<f32>i32x4Sum(sums) - <f32>BASE_BIAS * sum), 4);
}

// @ts-ignore: decorator
@inline
function storeScores(scores: usize, first: v128, second: v128, steps: usize, offsets: usize, factor: usize): void {
  const sum = v128.load32_splat(offsets);
  const base = v128.load32_splat(offsets, 4);
  const f = v128.load32_splat(factor);
  v128.store(scores, f32x4.mul(score(first, v128.load(steps), sum, base), f));
  v128.store(scores, f32x4.mul(score(second, v128.load(steps, 16), sum, base), f), 16);
}
// @ts-ignore: decorator
@inline
function score(dots: v128, stepAndLeast: v128, sum: v128, base: v128): v128 {
  const step = v128.and(stepAndLeast, v128.load(UPPER));
  const least = i32x4.shl(stepAndLeast, 16);
  return f32x4.add(f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(dots), step), f32x4.mul(least, sum)), base);
}

/** target f32[1 or 3][headSize] = sum over positions of weight * block scale * value. */
export function weightedValuesInt4(h: Heads, three: bool, target: usize): void {
  if (RELAXED && h.add) weighByAdding(h, three, target);
  else if (three) sumHeads(false, h, true, target);
  else sumHeads(false, h, false, target);
  const heads: usize = three ? 3 : 1;
  for (let i: usize = 0; i < heads; i++) {
    const offset = f32x4.splat(load<f32>(h.offsets + 8 * i));
    for (const end = target + 4 * <usize>h.headSize; target < end; target += 16) {
      v128.store(target, f32x4.sub(v128.load(target), offset));
    }
  }
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
  const nibble = v128.load(NIBBLE);
  const row = <usize>h.headSize;
  memory.fill(target, 0, (three ? 12 : 4) * row);
  memory.fill(h.offsets, 0, 24);
  for (let block = 0; block < h.positions; block += BLOCK) {
    const end = weights + <usize>min(BLOCK, (h.positions - block + 7) & ~7);
    let value = valuesIn(h, entry);
    const past = (<usize>BLOCK - (end - weights)) * (16 / TILE_POSITIONS); // bytes of the tiles that weigh nothing
    addOffset(h.offsets, weights, blockScales);
    if (three) {
      addOffset(h.offsets + 8, weights + stride, blockScales + scaleStride);
      addOffset(h.offsets + 16, weights + 2 * stride, blockScales + 2 * scaleStride);
    }
    for (let i: usize = 0; i < row; i += 8) {
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let b0 = a0;
      let b1 = a0;
      let c0 = a0;
      let c1 = a0;
      for (let at = weights; at < end; at += 8) {
        let v = v128.load(value);
        let v0 = v128.and(v, nibble);
        let v1 = v128.and(i16x8.shr_u(v, 4), nibble);
        let w = v128.load32_splat(at);
        a0 = dotI8U4(add, a0, w, v0, constant);
        a1 = dotI8U4(add, a1, w, v1, constant);
        if (three) {
          w = v128.load32_splat(at + stride);
          b0 = dotI8U4(add, b0, w, v0, constant);
          b1 = dotI8U4(add, b1, w, v1, constant);
          w = v128.load32_splat(at + 2 * stride);
          c0 = dotI8U4(add, c0, w, v0, constant);
          c1 = dotI8U4(add, c1, w, v1, constant);
        }
        v = v128.load(value, 16);
        v0 = v128.and(v, nibble);
        v1 = v128.and(i16x8.shr_u(v, 4), nibble);
        w = v128.load32_splat(at, 4);
        a0 = dotI8U4(add, a0, w, v0, constant);
        a1 = dotI8U4(add, a1, w, v1, constant);
        if (three) {
          w = v128.load32_splat(at + stride, 4);
          b0 = dotI8U4(add, b0, w, v0, constant);
          b1 = dotI8U4(add, b1, w, v1, constant);
          w = v128.load32_splat(at + 2 * stride, 4);
          c0 = dotI8U4(add, c0, w, v0, constant);
          c1 = dotI8U4(add, c1, w, v1, constant);
        }
        value += 32;
      }
      addBlock(target + 4 * i, i32Sums(add, a0, constant), i32Sums(add, a1, constant), blockScales);
      if (three) {
        addBlock(
          target + 4 * (i + row),
          i32Sums(add, b0, constant),
          i32Sums(add, b1, constant),
          blockScales + scaleStride,
        );
        addBlock(
          target + 4 * (i + 2 * row),
          i32Sums(add, c0, constant),
          i32Sums(add, c1, constant),
          blockScales + 2 * scaleStride,
        );
      }
      value += past;
    }
    weights += BLOCK;
    blockScales += 4;
    entry += 4;
  }
}
/** What a block's nibbles are too much by, together. */
// @ts-ignore: decorator
@inline
function addOffset(offset: usize, weights: usize, blockScale: usize): void {
  const sum = VALUE_BIAS * <f32>sumOfBytes(weights, BLOCK);
  store<f32>(offset, load<f32>(offset) + sum * load<f32>(blockScale));
}
