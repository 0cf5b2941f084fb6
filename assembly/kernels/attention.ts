// Attention over the positions 0..count-1 of one key-value head (https://arxiv.org/abs/1706.03762): scores, softmax, mix.
//
// Query heads that share keys and values go through together, three at a time or one, so that a row of the cache is read once.
// Keys and values stay integers: queries are i16, and the weights that the softmax gives become i16 with one scale for every BLOCK
// positions. A dot of a score, and a sum of a block, are exact in i32; blocks are added in f32 in order of position.
//
// Buffers have room up to the next multiple of BLOCK positions; what is stale there weighs nothing.

import { exp4, nearestInt, TINY } from "./math";
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
  const inverse = f32x4.splat(amax > TINY ? LEVELS / amax : 0);
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

/** scores[j] *= scale * scales[j], f32[count]; -Infinity from there to the end of the block. Returns the largest. */
export function scaleScores(scores: usize, scale: f32, scales: usize, count: i32): f32 {
  const factor = f32x4.splat(scale);
  const end = scores + 4 * <usize>count;
  const padded = scores + 4 * <usize>blocks(count);
  let largest = f32x4.splat(-Infinity);
  let at = scores;
  for (; at + 16 <= end; at += 16) {
    const scaled = f32x4.mul(v128.load(at), f32x4.mul(v128.load(scales), factor));
    v128.store(at, scaled);
    largest = f32x4.pmax(largest, scaled);
    scales += 16;
  }
  for (; at < end; at += 4) {
    const scaled = load<f32>(at) * (load<f32>(scales) * scale);
    store<f32>(at, scaled);
    largest = f32x4.pmax(largest, f32x4.splat(scaled));
    scales += 4;
  }
  for (; at < padded; at += 4) store<f32>(at, -Infinity);
  return f32x4Max(largest);
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

/** scores[j] = e^(scores[j] - largest), f32[count]; returns their sum. */
export function softmax(scores: usize, count: i32): f32 {
  const end = scores + 4 * <usize>count;
  const whole = scores + 4 * <usize>((count + 3) & ~3);
  for (let at = end; at < whole; at += 4) store<f32>(at, -Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < whole; at += 16) largest = f32x4.pmax(largest, v128.load(at));
  largest = f32x4.splat(f32x4Max(largest));
  for (let at = scores; at < whole; at += 16) v128.store(at, exp4(f32x4.sub(v128.load(at), largest)));
  for (let at = end; at < whole; at += 4) store<f32>(at, 0);
  let sum = f32x4.splat(0);
  for (let at = scores; at < whole; at += 16) sum = f32x4.add(sum, v128.load(at));
  return f32x4Sum(sum);
}

/**
 * Weights of values: 2^(scores[j] - largest) * scales[j], f32[count] at `scores`, to i16[count] at `target`, with a scale for every block
 * to blockScales f32[count / BLOCK]. Returns the sum of the powers, which the block scales are not divided by yet.
 */
export function weigh(target: usize, blockScales: usize, scores: usize, largest: f32, scales: usize, count: i32): f32 {
  const least = v128.load(POWER);
  const round = v128.load(POWER, 16);
  const p0 = v128.load(POWER, 32);
  const p1 = v128.load(POWER, 48);
  const p2 = v128.load(POWER, 64);
  const p3 = v128.load(POWER, 80);
  const p4 = v128.load(POWER, 96);
  const p5 = v128.load(POWER, 112);
  const top = f32x4.splat(largest);
  const end = scores + 4 * <usize>count;
  let sum = f32x4.splat(0);
  for (let block = scores; block < end; ) {
    let most = f32x4.splat(0);
    let at = block;
    block += 4 * BLOCK;
    for (; at < block; at += 16) {
      // 2^x = 2^n 2^r with |r| <= 1/2: n stays in the low bits of `shifted`, from where it is added to the exponent of 2^r.
      const x = f32x4.sub(v128.load(at), top);
      const shifted = f32x4.add(f32x4.pmax(x, least), round);
      const r = f32x4.sub(f32x4.pmax(x, least), f32x4.sub(shifted, round));
      let p = f32x4.add(f32x4.mul(p0, r), p1);
      p = f32x4.add(f32x4.mul(p, r), p2);
      p = f32x4.add(f32x4.mul(p, r), p3);
      p = f32x4.add(f32x4.mul(p, r), p4);
      p = f32x4.add(f32x4.mul(p, r), p5);
      const power = i32x4.add(p, i32x4.shl(shifted, 23));
      // What is too small to count, or behind `count`, is 0, whatever scale stands there.
      const counts = f32x4.gt(x, least);
      const product = v128.and(f32x4.mul(power, v128.load(scales)), counts);
      sum = f32x4.add(sum, v128.and(power, counts));
      most = f32x4.pmax(most, product);
      v128.store(at, product);
      scales += 16;
    }
    const amax = f32x4Max(most);
    const inverse = f32x4.splat(amax > TINY ? LEVELS / amax : 0);
    for (at = block - 4 * BLOCK; at < block; at += 32) {
      v128.store(target, narrow(v128.load(at), v128.load(at, 16), inverse));
      target += 16;
    }
    store<f32>(blockScales, amax / LEVELS);
    blockScales += 4;
  }
  return f32x4Sum(sum);
}

// Loaded before the loop: V8 would build a v128.const anew at every use inside one. Least exponent, 1.5 * 2^23, then 2^r as a polynomial,
// interpolated at Chebyshev nodes: relative error 1e-7.
const POWER = memory.data<f32>(
  [
    -126, -126, -126, -126, 12582912, 12582912, 12582912, 12582912, 0.00134004321654, 0.00134004321654,
    0.00134004321654, 0.00134004321654, 0.00967603709786, 0.00967603709786, 0.00967603709786, 0.00967603709786,
    0.0555032721421, 0.0555032721421, 0.0555032721421, 0.0555032721421, 0.240221073558, 0.240221073558, 0.240221073558,
    0.240221073558, 0.693147206711, 0.693147206711, 0.693147206711, 0.693147206711, 1.0000000755, 1.0000000755,
    1.0000000755, 1.0000000755,
  ],
  16,
);

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
    for (let i: usize = 0; i < row; i += 16) {
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let a2 = a0;
      let a3 = a0;
      let b0 = a0;
      let b1 = a0;
      let b2 = a0;
      let b3 = a0;
      let c0 = a0;
      let c1 = a0;
      let c2 = a0;
      let c3 = a0;
      let value = values + i;
      for (let at = weights; at < end; at += 4) {
        let first = v128.load8x8_s(value);
        let second = v128.load8x8_s(value + row);
        let low = lowPairs(first, second);
        let high = highPairs(first, second);
        a0 = addDot(a0, low, at);
        a1 = addDot(a1, high, at);
        if (three) {
          b0 = addDot(b0, low, at + stride);
          b1 = addDot(b1, high, at + stride);
          c0 = addDot(c0, low, at + 2 * stride);
          c1 = addDot(c1, high, at + 2 * stride);
        }
        first = v128.load8x8_s(value, 8);
        second = v128.load8x8_s(value + row, 8);
        low = lowPairs(first, second);
        high = highPairs(first, second);
        a2 = addDot(a2, low, at);
        a3 = addDot(a3, high, at);
        if (three) {
          b2 = addDot(b2, low, at + stride);
          b3 = addDot(b3, high, at + stride);
          c2 = addDot(c2, low, at + 2 * stride);
          c3 = addDot(c3, high, at + 2 * stride);
        }
        value += 2 * row;
      }
      addBlock(target + 4 * i, a0, a1, a2, a3, blockScales);
      if (three) {
        addBlock(target + 4 * (i + row), b0, b1, b2, b3, blockScales + scaleStride);
        addBlock(target + 4 * (i + 2 * row), c0, c1, c2, c3, blockScales + 2 * scaleStride);
      }
    }
    weights += 2 * BLOCK;
    blockScales += 4;
    values += <usize>BLOCK * row;
  }
}

/** Positions j and j + 1 of the first, and of the last four of eight columns: i16 pairs. */
// @ts-ignore: decorator
@inline
function lowPairs(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}
// @ts-ignore: decorator
@inline
function highPairs(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}
/** acc + pairs times the two weights at `weights`. */
// @ts-ignore: decorator
@inline
function addDot(acc: v128, pairs: v128, weights: usize): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(pairs, v128.load32_splat(weights)));
}

// @ts-ignore: decorator
@inline
function addBlock(target: usize, a: v128, b: v128, c: v128, d: v128, blockScale: usize): void {
  const scale = v128.load32_splat(blockScale);
  v128.store(target, f32x4.add(v128.load(target), f32x4.mul(f32x4.convert_i32x4_s(a), scale)));
  v128.store(target, f32x4.add(v128.load(target, 16), f32x4.mul(f32x4.convert_i32x4_s(b), scale)), 16);
  v128.store(target, f32x4.add(v128.load(target, 32), f32x4.mul(f32x4.convert_i32x4_s(c), scale)), 32);
  v128.store(target, f32x4.add(v128.load(target, 48), f32x4.mul(f32x4.convert_i32x4_s(d), scale)), 48);
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
