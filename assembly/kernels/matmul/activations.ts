// Activations to integers, with a scale for every 32 columns, before an integer dot. Quantized weights meet 8 bits, as in llama.cpp
// (its Q8_0, with an f32 scale); weights that were floats in the file meet 15, because there the rounding of the activations would
// be half of all error.
//
// One row of activations:
//
//     | columns x xBytes, in the order of ../simd.ts | groups x { scale * 2^112 f32 | bias i32 = -8 * sum(q) }
//     for matrices with minimums also                | groups x { the same scale    | 0 } | groups x { scale * sum(q) * 2^99 f32 }
//
// Sums of int4 weights w = d * (q - 8) begin at the bias, those of w = d * q + m at 0, and the m meet the sums of activations.
//
// Tokens 2 i and 2 i + 1 share a row of twice the length, four bytes of each in turn, so that one address leads to both; the last of an odd
// number is alone:
//
//     | a0 b0 a1 b1 ..., four bytes each | groups x { scale, bias of a | scale, bias of b } | ... | groups x { sum of a | of b } |
//
// The 2^112 is what f16 weight scales lack when they are read without a multiplication (../half.ts); it is exact, and the limit it sets,
// activations below 8.3 million, is that of llama.cpp's f16 scales. Narrow rows hold the bias as i16 with 16 zero bits above it: as it
// enters the kernel's i16 sums, in the first of a row's two lanes. The sums' 2^99, which is SUM_EXCESS less, leaves room for their 12 bits.

import { GROUP } from "../../layout/blocks";
import { REBIAS } from "../half";
import { nearestInt, TINY } from "../math";
import { f32x4Max, i32x4Sum } from "../reduce";
import { RELAXED, storeActivations, xBytes } from "../simd";

/** What activations must stay below. Then whatever a matrix makes of them, and attention of that, is finite. */
export const ACTIVATION_LIMIT: f32 = 127 * 65536;

/** 2^112 over the power of two that sums of activations carry. */
export const SUM_EXCESS: f32 = 8192;

/** Bytes of `columns` quantized activations. */
// @ts-ignore: decorator
@inline
export function activationBytes(columns: i32, narrow: bool): usize {
  return sumsOffset(columns, narrow) + (<usize>columns / GROUP) * 4;
}

/** From a row's biases to its zeros, in bytes a token. */
// @ts-ignore: decorator
@inline
export function zerosOffset(columns: i32): usize {
  return (<usize>columns / GROUP) * 8;
}
/** From a row's begin to its sums, in bytes a token. */
// @ts-ignore: decorator
@inline
export function sumsOffset(columns: i32, narrow: bool): usize {
  return <usize>columns * xBytes(narrow) + 2 * zerosOffset(columns);
}

/** The row of token `t`, which is that of its pair, of activations at `x`. */
// @ts-ignore: decorator
@inline
export function activationRow(x: usize, t: i32, columns: i32, narrow: bool): usize {
  return x + <usize>(t & ~1) * activationBytes(columns, narrow);
}

/**
 * Quantizes f32[columns] at `source` into the activations at `x`, as token `t` of `tokens`.
 * @param wide 15 bits instead of 8
 * @param narrow as i8, only where `wide` is not set
 * @returns the largest of their absolute values
 */
export function quantize(x: usize, t: i32, tokens: i32, source: usize, columns: i32, wide: bool, narrow: bool): f32 {
  if (RELAXED && narrow) return quantizeRow(x, t, tokens, source, columns, 127, true);
  return quantizeRow(x, t, tokens, source, columns, wide ? 16383 : 127, false);
}

// @ts-ignore: decorator
@inline
function quantizeRow(x: usize, t: i32, tokens: i32, source: usize, columns: i32, levels: f32, narrow: bool): f32 {
  const paired = (t | 1) < tokens;
  const spread: usize = paired ? 2 : 1;
  const plane = <usize>columns * spread; // bytes of a plane of narrow ones
  const row = activationRow(x, t, columns, narrow);
  let target = row + 4 * <usize>(t & 1);
  let scales = row + plane * xBytes(narrow) + 8 * <usize>(t & 1);
  const next: usize = (narrow ? 16 : 32) * spread; // bytes of sixteen
  let largest: f32 = 0;
  for (const end = source + 4 * <usize>columns; source < end; source += 4 * GROUP) {
    const x0 = v128.load(source);
    const x1 = v128.load(source, 16);
    const x2 = v128.load(source, 32);
    const x3 = v128.load(source, 48);
    const x4 = v128.load(source, 64);
    const x5 = v128.load(source, 80);
    const x6 = v128.load(source, 96);
    const x7 = v128.load(source, 112);
    const m0 = f32x4.pmax(f32x4.pmax(f32x4.abs(x0), f32x4.abs(x1)), f32x4.pmax(f32x4.abs(x2), f32x4.abs(x3)));
    const m1 = f32x4.pmax(f32x4.pmax(f32x4.abs(x4), f32x4.abs(x5)), f32x4.pmax(f32x4.abs(x6), f32x4.abs(x7)));
    const amax = f32x4Max(f32x4.pmax(m0, m1));
    const inverse = f32x4.splat(amax > TINY ? levels / amax : 0);
    largest = max(largest, amax);

    const a = i16x8.narrow_i32x4_s(nearestInt(f32x4.mul(x0, inverse)), nearestInt(f32x4.mul(x1, inverse)));
    const b = i16x8.narrow_i32x4_s(nearestInt(f32x4.mul(x2, inverse)), nearestInt(f32x4.mul(x3, inverse)));
    const c = i16x8.narrow_i32x4_s(nearestInt(f32x4.mul(x4, inverse)), nearestInt(f32x4.mul(x5, inverse)));
    const d = i16x8.narrow_i32x4_s(nearestInt(f32x4.mul(x6, inverse)), nearestInt(f32x4.mul(x7, inverse)));
    storeActivations(target, plane, a, b, narrow, paired);
    storeActivations(target + next, plane, c, d, narrow, paired);
    const sum = i32x4.add(i32x4.add(sumPairs(a), sumPairs(b)), i32x4.add(sumPairs(c), sumPairs(d)));
    store<f32>(scales, (amax / levels) * REBIAS);
    const bias = -8 * i32x4Sum(sum);
    store<i32>(scales, narrow ? bias & 0xffff : bias, 4);
    target += 2 * next;
    scales += 8 * spread;
  }
  return largest;
}

/** Adds what matrices with minimums need to the quantized activations of token `t`: zeros and sums. */
export function sumGroups(x: usize, t: i32, tokens: i32, columns: i32, narrow: bool): void {
  const spread: usize = (t | 1) < tokens ? 2 : 1;
  const row = activationRow(x, t, columns, narrow);
  const zeros = zerosOffset(columns) * spread;
  let sums = row + sumsOffset(columns, narrow) * spread + 4 * <usize>(t & 1);
  let scales = row + <usize>columns * xBytes(narrow) * spread + 8 * <usize>(t & 1);
  for (const end = scales + zeros; scales < end; scales += 8 * spread) {
    const scale = load<f32>(scales);
    const bias = narrow ? <i32>load<i16>(scales, 4) : load<i32>(scales, 4);
    store<f32>(scales + zeros, scale);
    store<i32>(scales + zeros, 0, 4);
    store<f32>(sums, scale * (1 / SUM_EXCESS) * <f32>(bias / -8));
    sums += 4 * spread;
  }
}

// @ts-ignore: decorator
@inline
function sumPairs(v: v128): v128 {
  return i32x4.dot_i16x8_s(v, i16x8.splat(1));
}
