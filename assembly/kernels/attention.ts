// Attention over the positions 0..count-1 of one key-value head of the int8 cache (https://arxiv.org/abs/1706.03762): scores, softmax,
// mix. Query heads that share keys and values go through together, three at a time or one, so that the cache is read once.
//
// Keys and values stay signed bytes, four columns of four positions in a vector (model/kv_cache.ts draws them). What meets them has seven bits:
// queries q + 64 with q in -63..63, and the weights that the softmax gives, 0..127, with one scale for every BLOCK positions. So four
// multiply-adds of a lane take one i16x8.relaxed_dot_i8x16_i7x16_s, which cannot saturate, and one i32x4.dot_i16x8_s. A score, and a sum
// of a block, are exact in i32; blocks are added in f32 in order of position.
//
// Buffers have room up to the next multiple of BLOCK positions; what is stale there weighs nothing.

import { BLOCK, QUERY_BIAS, TILE_POSITIONS } from "../layout/kv";
import { nearestInt, TINY } from "./math";
import { f32x4Max, f32x4Sum } from "./reduce";
import { dotSeven, sevenConstant } from "./simd";

const QUERY_LEVELS: f32 = 63;
const WEIGHT_LEVELS: f32 = 127;

/** `count` rounded up to whole blocks. */
// @ts-ignore: decorator
@inline
export function blocks(count: i32): i32 {
  return (count + BLOCK - 1) & ~(BLOCK - 1);
}

/** Query f32[headSize] to u8[headSize] at `target`; returns its scale. */
export function quantizeQuery(target: usize, query: usize, headSize: i32): f32 {
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>headSize * 4; i += 16)
    largest = f32x4.pmax(largest, f32x4.abs(v128.load(query + i)));
  const amax = f32x4Max(largest);
  const inverse = f32x4.splat(amax > TINY ? QUERY_LEVELS / amax : 0);
  for (let i: usize = 0; i < <usize>headSize; i += 16) {
    v128.store(target + i, i8x16.add(sixteenBytes(query + 4 * i, inverse), i8x16.splat(<i8>QUERY_BIAS)));
  }
  return amax / QUERY_LEVELS;
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

/**
 * Scores of one query head, or three: query u8[heads][headSize] times the keys of `count` positions, less the bias, times the key's scale
 * and the head's f32 factors[heads], to scores f32[heads][stride]; `stride` in bytes. `biases` i32[count] and `scales` f32[count] belong
 * to the keys. Writes whole groups of eight positions.
 */
export function score(
  three: bool,
  scores: usize,
  stride: usize,
  query: usize,
  factors: usize,
  keys: usize,
  biases: usize,
  scales: usize,
  count: i32,
  headSize: i32,
): void {
  if (three) scoreHeads(true, scores, stride, query, factors, keys, biases, scales, count, headSize);
  else scoreHeads(false, scores, stride, query, factors, keys, biases, scales, count, headSize);
}

// @ts-ignore: decorator
@inline
function scoreHeads(
  three: bool,
  scores: usize,
  stride: usize,
  query: usize,
  factors: usize,
  keys: usize,
  biases: usize,
  scales: usize,
  count: i32,
  headSize: i32,
): void {
  const constant = sevenConstant();
  const row = <usize>headSize;
  const end = query + row;
  for (const last = scores + 4 * <usize>count; scores < last; scores += 32) {
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
      a0 = dotSeven(a0, first, x, constant);
      a1 = dotSeven(a1, second, x, constant);
      if (three) {
        x = v128.load32_splat(q + row);
        b0 = dotSeven(b0, first, x, constant);
        b1 = dotSeven(b1, second, x, constant);
        x = v128.load32_splat(q + 2 * row);
        c0 = dotSeven(c0, first, x, constant);
        c1 = dotSeven(c1, second, x, constant);
      }
      first = v128.load(keys, 16);
      second = v128.load(keys + <usize>TILE_POSITIONS * row, 16);
      x = v128.load32_splat(q, 4);
      a0 = dotSeven(a0, first, x, constant);
      a1 = dotSeven(a1, second, x, constant);
      if (three) {
        x = v128.load32_splat(q + row, 4);
        b0 = dotSeven(b0, first, x, constant);
        b1 = dotSeven(b1, second, x, constant);
        x = v128.load32_splat(q + 2 * row, 4);
        c0 = dotSeven(c0, first, x, constant);
        c1 = dotSeven(c1, second, x, constant);
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

/** The largest of f32 scores[count]; behind them, to the end of the block, come -Infinities. */
export function closeScores(scores: usize, count: i32): f32 {
  const end = scores + 4 * <usize>count;
  const padded = scores + 4 * <usize>blocks(count);
  for (let at = end; at < padded; at += 4) store<f32>(at, -Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) largest = f32x4.pmax(largest, v128.load(at));
  return f32x4Max(largest);
}

/**
 * Weights of values: 2^(scores[j] - largest) * scales[j], f32[count] at `scores`, to u8[count] at `target`, with a scale for every block
 * to blockScales f32[count / BLOCK]. Returns the sum of the powers, which the block scales are not divided by yet.
 */
export function weigh(target: usize, blockScales: usize, scores: usize, largest: f32, scales: usize, count: i32): f32 {
  const least = v128.load(POWER);
  const round = v128.load(POWER, 16);
  const p0 = v128.load(POWER, 32);
  const p1 = v128.load(POWER, 48);
  const p2 = v128.load(POWER, 64);
  const p3 = v128.load(POWER, 80);
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
      const bounded = f32x4.pmax(x, least);
      const shifted = f32x4.add(bounded, round);
      const r = f32x4.sub(bounded, f32x4.sub(shifted, round));
      let p = f32x4.add(f32x4.mul(p0, r), p1);
      p = f32x4.add(f32x4.mul(p, r), p2);
      p = f32x4.add(f32x4.mul(p, r), p3);
      // What is too small to count, or behind `count`, is 0, whatever scale stands there.
      const power = v128.and(i32x4.add(p, i32x4.shl(shifted, 23)), f32x4.gt(x, least));
      const product = v128.and(f32x4.mul(power, v128.load(scales)), f32x4.gt(x, least));
      sum = f32x4.add(sum, power);
      most = f32x4.pmax(most, product);
      v128.store(at, product);
      scales += 16;
    }
    const amax = f32x4Max(most);
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

/**
 * target f32[heads][headSize] = sum over positions of weights u8[heads][stride] * block scale * the values of `count` positions.
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
  const constant = sevenConstant();
  const row = <usize>headSize;
  memory.fill(target, 0, (three ? 12 : 4) * row);
  for (let block = 0; block < count; block += BLOCK) {
    // Positions behind `count` weigh nothing; whole groups of eight are enough.
    const end = weights + <usize>min(BLOCK, (count - block + 7) & ~7);
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
        a0 = dotSeven(a0, first, w, constant);
        a1 = dotSeven(a1, second, w, constant);
        if (three) {
          w = v128.load32_splat(at + stride);
          b0 = dotSeven(b0, first, w, constant);
          b1 = dotSeven(b1, second, w, constant);
          w = v128.load32_splat(at + 2 * stride);
          c0 = dotSeven(c0, first, w, constant);
          c1 = dotSeven(c1, second, w, constant);
        }
        first = v128.load(value, 32);
        second = v128.load(value, 48);
        w = v128.load32_splat(at, 4);
        a0 = dotSeven(a0, first, w, constant);
        a1 = dotSeven(a1, second, w, constant);
        if (three) {
          w = v128.load32_splat(at + stride, 4);
          b0 = dotSeven(b0, first, w, constant);
          b1 = dotSeven(b1, second, w, constant);
          w = v128.load32_splat(at + 2 * stride, 4);
          c0 = dotSeven(c0, first, w, constant);
          c1 = dotSeven(c1, second, w, constant);
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
