// Attention over the positions 0..count-1 of one key-value head (https://arxiv.org/abs/1706.03762): scores, softmax, mix.
//
// Query heads that share keys and values go through together, three at a time or one, so that a row of the cache is read once.
// Keys and values stay integers: queries are i16, and the weights that the softmax gives become i16 with one scale for every BLOCK
// positions. A dot of a score, and a sum of a block, are exact in i32; blocks are added in f32 in order of position.
//
// Buffers have room up to the next multiple of BLOCK positions; what is stale there weighs nothing.

import { exp4, nearestInt } from "./math";
import { f32x4Max, f32x4Sum } from "./reduce";

/** Positions whose weights share a scale: |sum| <= 64 * 32767 * 127 < 2^31. */
export const BLOCK = 64;

const LEVELS: f32 = 32767;

/** `count` rounded up to whole blocks. */
// @ts-ignore: decorator
@inline
export function blocks(count: i32): i32 {
  return (count + BLOCK - 1) & ~(BLOCK - 1);
}

/** Query f32[headSize] to i16[headSize] at `target`; returns its scale. */
export function quantizeQuery(target: usize, query: usize, headSize: i32): f32 {
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>headSize * 4; i += 16)
    largest = f32x4.pmax(largest, f32x4.abs(v128.load(query + i)));
  const amax = f32x4Max(largest);
  const inverse = f32x4.splat(amax > 0 ? LEVELS / amax : 0);
  for (let i: usize = 0; i < <usize>headSize * 2; i += 16) {
    v128.store(target + i, narrow(v128.load(query + 2 * i), v128.load(query + 2 * i, 16), inverse));
  }
  return amax / LEVELS;
}

/** i16x8 of two f32x4, times `factor`, rounded to the nearest. */
// @ts-ignore: decorator
@inline
function narrow(first: v128, second: v128, factor: v128): v128 {
  return i16x8.narrow_i32x4_s(nearestInt(f32x4.mul(first, factor)), nearestInt(f32x4.mul(second, factor)));
}

/** acc + dot of 16 keys, as two i16x8, and 16 query numbers, i16. */
// @ts-ignore: decorator
@inline
function dot16(acc: v128, low: v128, high: v128, qLow: v128, qHigh: v128): v128 {
  return i32x4.add(i32x4.add(acc, i32x4.dot_i16x8_s(low, qLow)), i32x4.dot_i16x8_s(high, qHigh));
}

/** The sums of two vectors, in lanes 0 and 1. */
// @ts-ignore: decorator
@inline
function sums(a: v128, b: v128): v128 {
  const ab = i32x4.add(
    i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23),
    i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31),
  );
  return i32x4.add(ab, i8x16.shuffle(ab, ab, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
}

/**
 * Integer scores of one query head, or three: i32 dots of query i16[heads][headSize] and int8 keys [count][headSize], as f32, to
 * scores f32[heads][stride]. `stride` in bytes.
 */
export function score(
  three: bool,
  scores: usize,
  stride: usize,
  query: usize,
  keys: usize,
  count: i32,
  headSize: i32,
): void {
  if (three) scoreHeads(true, scores, stride, query, keys, count, headSize);
  else scoreHeads(false, scores, stride, query, keys, count, headSize);
}

// @ts-ignore: decorator
@inline
function scoreHeads(
  three: bool,
  scores: usize,
  stride: usize,
  query: usize,
  keys: usize,
  count: i32,
  headSize: i32,
): void {
  const row = <usize>headSize;
  const end = query + 2 * row;
  for (let j = 0; j < count; j += 2) {
    let a0 = i32x4.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    let c0 = a0;
    let c1 = a0;
    let key = keys;
    for (let q = query; q < end; q += 32) {
      let low = v128.load8x8_s(key);
      let high = v128.load8x8_s(key, 8);
      const qa = v128.load(q);
      const qa2 = v128.load(q, 16);
      a0 = dot16(a0, low, high, qa, qa2);
      if (three) {
        const qb = v128.load(q + 2 * row);
        const qb2 = v128.load(q + 2 * row, 16);
        const qc = v128.load(q + 4 * row);
        const qc2 = v128.load(q + 4 * row, 16);
        b0 = dot16(b0, low, high, qb, qb2);
        c0 = dot16(c0, low, high, qc, qc2);
        low = v128.load8x8_s(key + row);
        high = v128.load8x8_s(key + row, 8);
        b1 = dot16(b1, low, high, qb, qb2);
        c1 = dot16(c1, low, high, qc, qc2);
      } else {
        low = v128.load8x8_s(key + row);
        high = v128.load8x8_s(key + row, 8);
      }
      a1 = dot16(a1, low, high, qa, qa2);
      key += 16;
    }
    v128.store_lane<u64>(scores, f32x4.convert_i32x4_s(sums(a0, a1)), 0);
    if (three) {
      v128.store_lane<u64>(scores + stride, f32x4.convert_i32x4_s(sums(b0, b1)), 0);
      v128.store_lane<u64>(scores + 2 * stride, f32x4.convert_i32x4_s(sums(c0, c1)), 0);
    }
    keys += 2 * row;
    scores += 8;
  }
}

/** scores[j] *= scale * scales[j], f32[count]. */
export function scaleScores(scores: usize, scale: f32, scales: usize, count: i32): void {
  const factor = f32x4.splat(scale);
  for (const end = scores + 4 * <usize>count; scores < end; scores += 16) {
    v128.store(scores, f32x4.mul(v128.load(scores), f32x4.mul(v128.load(scales), factor)));
    scales += 16;
  }
}

/** scores[j] = scale * (query . keys[j]) over f32 keys [count][headSize]. */
export function scoreFloat(scores: usize, query: usize, scale: f32, keys: usize, count: i32, headSize: i32): void {
  for (let j = 0; j < count; j++) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < <usize>headSize * 4; i += 16) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(query + i), v128.load(keys + i)));
    }
    store<f32>(scores, f32x4Sum(sum) * scale);
    keys += <usize>headSize * 4;
    scores += 4;
  }
}

/** scores[j] = e^(scores[j] - largest), 0 up to the end of the last block; returns their sum. */
export function softmax(scores: usize, count: i32): f32 {
  const end = scores + 4 * <usize>count;
  const whole = scores + 4 * <usize>((count + 3) & ~3);
  const padded = scores + 4 * <usize>blocks(count);
  for (let at = end; at < whole; at += 4) store<f32>(at, -Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < whole; at += 16) largest = f32x4.pmax(largest, v128.load(at));
  largest = f32x4.splat(f32x4Max(largest));
  for (let at = scores; at < whole; at += 16) v128.store(at, exp4(f32x4.sub(v128.load(at), largest)));
  for (let at = end; at < padded; at += 4) store<f32>(at, 0);
  let sum = f32x4.splat(0);
  for (let at = scores; at < whole; at += 16) sum = f32x4.add(sum, v128.load(at));
  return f32x4Sum(sum);
}

/**
 * Weights times value scales, f32[count] at `weights`, to i16[count] at `target`, with a scale for every block, times `scale`, to
 * blockScales f32[count / BLOCK].
 */
export function quantizeWeights(
  target: usize,
  blockScales: usize,
  weights: usize,
  scale: f32,
  scales: usize,
  count: i32,
): void {
  const end = weights + 4 * <usize>count;
  for (let block = weights; block < end; block += 4 * BLOCK) {
    const last = block + 4 * BLOCK;
    let largest = f32x4.splat(0);
    for (let at = block; at < last; at += 16) {
      // A weight of 0 must stay 0 whatever stale scale it meets.
      const weight = v128.load(at);
      const product = v128.and(f32x4.mul(weight, v128.load(scales)), f32x4.gt(weight, f32x4.splat(0)));
      v128.store(at, product);
      largest = f32x4.pmax(largest, product);
      scales += 16;
    }
    const amax = f32x4Max(largest);
    const inverse = f32x4.splat(amax > 0 ? LEVELS / amax : 0);
    for (let at = block; at < last; at += 32) {
      v128.store(target, narrow(v128.load(at), v128.load(at, 16), inverse));
      target += 16;
    }
    store<f32>(blockScales, (amax / LEVELS) * scale);
    blockScales += 4;
  }
}

/**
 * target f32[heads][headSize] = sum over positions of weights i16[heads][stride] * block scale * int8 values [count][headSize].
 * `stride` in bytes of a head's weights; blockScales f32[heads][scaleStride].
 */
export function mix(
  three: bool,
  target: usize,
  weights: usize,
  stride: usize,
  blockScales: usize,
  scaleStride: usize,
  values: usize,
  count: i32,
  headSize: i32,
): void {
  if (three) mixHeads(true, target, weights, stride, blockScales, scaleStride, values, count, headSize);
  else mixHeads(false, target, weights, stride, blockScales, scaleStride, values, count, headSize);
}

// @ts-ignore: decorator
@inline
function mixHeads(
  three: bool,
  target: usize,
  weights: usize,
  stride: usize,
  blockScales: usize,
  scaleStride: usize,
  values: usize,
  count: i32,
  headSize: i32,
): void {
  const row = <usize>headSize;
  memory.fill(target, 0, (three ? 12 : 4) * row);
  for (let block = 0; block < count; block += BLOCK) {
    // Rows behind `count` weigh nothing; pairs of positions are enough.
    const end = weights + 2 * <usize>min(BLOCK, (count - block + 1) & ~1);
    for (let i: usize = 0; i < row; i += 8) {
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let b0 = a0;
      let b1 = a0;
      let c0 = a0;
      let c1 = a0;
      let value = values + i;
      for (let at = weights; at < end; at += 4) {
        const first = v128.load8x8_s(value);
        const second = v128.load8x8_s(value + row);
        const low = i8x16.shuffle(first, second, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
        const high = i8x16.shuffle(first, second, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
        const wa = v128.load32_splat(at);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(low, wa));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(high, wa));
        if (three) {
          const wb = v128.load32_splat(at + stride);
          b0 = i32x4.add(b0, i32x4.dot_i16x8_s(low, wb));
          b1 = i32x4.add(b1, i32x4.dot_i16x8_s(high, wb));
          const wc = v128.load32_splat(at + 2 * stride);
          c0 = i32x4.add(c0, i32x4.dot_i16x8_s(low, wc));
          c1 = i32x4.add(c1, i32x4.dot_i16x8_s(high, wc));
        }
        value += 2 * row;
      }
      addBlock(target + 4 * i, a0, a1, blockScales);
      if (three) {
        addBlock(target + 4 * (i + row), b0, b1, blockScales + scaleStride);
        addBlock(target + 4 * (i + 2 * row), c0, c1, blockScales + 2 * scaleStride);
      }
    }
    weights += 2 * BLOCK;
    blockScales += 4;
    values += <usize>BLOCK * row;
  }
}

// @ts-ignore: decorator
@inline
function addBlock(target: usize, first: v128, second: v128, blockScale: usize): void {
  const scale = v128.load32_splat(blockScale);
  v128.store(target, f32x4.add(v128.load(target), f32x4.mul(f32x4.convert_i32x4_s(first), scale)));
  v128.store(target, f32x4.add(v128.load(target, 16), f32x4.mul(f32x4.convert_i32x4_s(second), scale)), 16);
}

/** target = scale * sum over j of weights[j] * values[j], f32 values [count][headSize]. */
export function mixFloat(target: usize, weights: usize, scale: f32, values: usize, count: i32, headSize: i32): void {
  const row = <usize>headSize * 4;
  const end = weights + 4 * <usize>count;
  const factor = f32x4.splat(scale);
  for (let i: usize = 0; i < row; i += 16) {
    let sum = f32x4.splat(0);
    let value = values + i;
    for (let at = weights; at < end; at += 4) {
      sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(at), v128.load(value)));
      value += row;
    }
    v128.store(target + i, f32x4.mul(sum, factor));
  }
}
