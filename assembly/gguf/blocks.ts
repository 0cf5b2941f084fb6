// The ggml types that can be loaded (layout/blocks.ts draws their blocks): sizes, and decoders of those that have no packed form of their
// own. What these give is to the bit what ggml's dequantize_row_* gives.

import { fromHalf } from "../kernels/half";
import {
  BYTES_BF16,
  BYTES_F16,
  BYTES_F32,
  BYTES_Q4_0,
  BYTES_Q4_1,
  BYTES_Q4_K,
  BYTES_Q5_0,
  BYTES_Q5_1,
  BYTES_Q5_K,
  BYTES_Q6_K,
  BYTES_Q8_0,
  ELEMENTS_BF16,
  ELEMENTS_F16,
  ELEMENTS_F32,
  ELEMENTS_Q4_0,
  ELEMENTS_Q4_1,
  ELEMENTS_Q4_K,
  ELEMENTS_Q5_0,
  ELEMENTS_Q5_1,
  ELEMENTS_Q5_K,
  ELEMENTS_Q6_K,
  ELEMENTS_Q8_0,
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q4_1,
  TYPE_Q4_K,
  TYPE_Q5_0,
  TYPE_Q5_1,
  TYPE_Q5_K,
  TYPE_Q6_K,
  TYPE_Q8_0,
} from "../layout/blocks";

/** Elements << 16 | bytes of a block, 0 when the type cannot be loaded. */
function blockOf(type: u32): u32 {
  switch (type) {
    case TYPE_F32:
      return block(ELEMENTS_F32, BYTES_F32);
    case TYPE_F16:
      return block(ELEMENTS_F16, BYTES_F16);
    case TYPE_BF16:
      return block(ELEMENTS_BF16, BYTES_BF16);
    case TYPE_Q4_0:
      return block(ELEMENTS_Q4_0, BYTES_Q4_0);
    case TYPE_Q4_1:
      return block(ELEMENTS_Q4_1, BYTES_Q4_1);
    case TYPE_Q5_0:
      return block(ELEMENTS_Q5_0, BYTES_Q5_0);
    case TYPE_Q5_1:
      return block(ELEMENTS_Q5_1, BYTES_Q5_1);
    case TYPE_Q8_0:
      return block(ELEMENTS_Q8_0, BYTES_Q8_0);
    case TYPE_Q4_K:
      return block(ELEMENTS_Q4_K, BYTES_Q4_K);
    case TYPE_Q5_K:
      return block(ELEMENTS_Q5_K, BYTES_Q5_K);
    case TYPE_Q6_K:
      return block(ELEMENTS_Q6_K, BYTES_Q6_K);
    default:
      return 0;
  }
}
// @ts-ignore: decorator
@inline
function block(elements: u32, bytes: u32): u32 {
  return (elements << 16) | bytes;
}

/** Elements in a block of a type that can be loaded, 1 for plain floats; rows are whole blocks. */
export function blockElements(type: u32): u32 {
  return blockOf(type) >> 16;
}
/** File bytes of a block, 0 when the type cannot be loaded. */
export function blockBytes(type: u32): u32 {
  return blockOf(type) & 0xffff;
}

/**
 * Decodes a block of a type that becomes int8.
 * @param target f32[blockElements(type)]; where a scale of the block is not finite, the numbers are not
 */
export function dequantize(type: u32, source: usize, target: usize): void {
  switch (type) {
    case TYPE_Q5_1:
      return dequantizeQ5(source, target);
    case TYPE_Q5_K:
      return dequantizeQ5K(source, target);
    case TYPE_Q6_K:
      return dequantizeQ6K(source, target);
  }
}

/** f32 of the f16 at `source`, infinity for NaN too. */
// @ts-ignore: decorator
@inline
export function halfOrInfinity(source: usize): f32 {
  const bits = load<u16>(source);
  return (bits & 0x7c00) == 0x7c00 ? Infinity : fromHalf(bits);
}

/** Bits shift..shift + 3 of sixteen bytes. */
// @ts-ignore: decorator
@inline
export function nibbles(bytes: v128, shift: i32): v128 {
  return v128.and(i16x8.shr_u(bytes, shift), i8x16.splat(15));
}

/** Sixteen bytes, 16 for each one among the low 16 `bits`. */
// @ts-ignore: decorator
@inline
export function fifthBits(bits: u32): v128 {
  const masks = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const both = i16x8.splat(<i16>bits);
  const spread = i8x16.shuffle(both, both, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return v128.and(i8x16.eq(v128.and(spread, masks), masks), i8x16.splat(16));
}

/** Stores scale * q + offset for sixteen signed bytes. */
// @ts-ignore: decorator
@inline
export function storeSixteen(target: usize, q: v128, scale: v128, offset: v128): void {
  const low = i16x8.extend_low_i8x16_s(q);
  const high = i16x8.extend_high_i8x16_s(q);
  storeFour(target, i32x4.extend_low_i16x8_s(low), scale, offset);
  storeFour(target + 16, i32x4.extend_high_i16x8_s(low), scale, offset);
  storeFour(target + 32, i32x4.extend_low_i16x8_s(high), scale, offset);
  storeFour(target + 48, i32x4.extend_high_i16x8_s(high), scale, offset);
}
// @ts-ignore: decorator
@inline
function storeFour(target: usize, q: v128, scale: v128, offset: v128): void {
  v128.store(target, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(q), scale), offset));
}

function dequantizeQ5(source: usize, target: usize): void {
  const d = f32x4.splat(halfOrInfinity(source));
  const m = f32x4.splat(halfOrInfinity(source + 2));
  const fifth = load<u32>(source, 4);
  const bytes = v128.load(source, 8);
  storeSixteen(target, v128.or(nibbles(bytes, 0), fifthBits(fifth)), d, m);
  storeSixteen(target + 64, v128.or(nibbles(bytes, 4), fifthBits(fifth >> 16)), d, m);
}

/** s of the eight groups of a Q4_K or Q5_K block, a byte each. */
// @ts-ignore: decorator
@inline
export function scalesOfK(source: usize): u64 {
  return sixBits(load<u32>(source, 4), load<u32>(source, 12));
}
/** m of them. */
// @ts-ignore: decorator
@inline
export function minimumsOfK(source: usize): u64 {
  return sixBits(load<u32>(source, 8), load<u32>(source, 12) >> 4);
}
function sixBits(a: u32, b: u32): u64 {
  return ((<u64>((b & 0x0f0f0f0f) | ((a >> 2) & 0x30303030))) << 32) | (a & 0x3f3f3f3f);
}

function dequantizeQ5K(source: usize, target: usize): void {
  const d = halfOrInfinity(source);
  const e = halfOrInfinity(source + 2);
  let s = scalesOfK(source);
  let m = minimumsOfK(source);
  let bits0 = v128.load(source, 16);
  let bits1 = v128.load(source, 32);
  source += 48;
  for (let pair = 0; pair < 4; pair++) {
    const bytes0 = v128.load(source);
    const bytes1 = v128.load(source, 16);
    let scale = f32x4.splat(d * <f32>(<i32>s & 255));
    let offset = f32x4.splat(-(e * <f32>(<i32>m & 255)));
    storeSixteen(target, withFifth(nibbles(bytes0, 0), i16x8.shl(bits0, 4)), scale, offset);
    storeSixteen(target + 64, withFifth(nibbles(bytes1, 0), i16x8.shl(bits1, 4)), scale, offset);
    scale = f32x4.splat(d * <f32>((<i32>s >> 8) & 255));
    offset = f32x4.splat(-(e * <f32>((<i32>m >> 8) & 255)));
    storeSixteen(target + 128, withFifth(nibbles(bytes0, 4), i16x8.shl(bits0, 3)), scale, offset);
    storeSixteen(target + 192, withFifth(nibbles(bytes1, 4), i16x8.shl(bits1, 3)), scale, offset);
    s >>= 16;
    m >>= 16;
    bits0 = i16x8.shr_u(bits0, 2);
    bits1 = i16x8.shr_u(bits1, 2);
    source += 32;
    target += 256;
  }
}
// @ts-ignore: decorator
@inline
function withFifth(q: v128, bits: v128): v128 {
  return v128.or(q, v128.and(bits, i8x16.splat(16)));
}

function dequantizeQ6K(source: usize, target: usize): void {
  const d = halfOrInfinity(source + 208);
  let scales = source + 192;
  let upper = source + 128;
  for (let half = 0; half < 2; half++) {
    for (let part: usize = 0; part < 32; part += 16) {
      const low0 = v128.load(source + part);
      const low1 = v128.load(source + part, 32);
      const high = v128.load(upper + part);
      const at = target + 4 * part;
      const s = scales + part / 16;
      storeSix(at, nibbles(low0, 0), i16x8.shl(high, 4), d * <f32>load<i8>(s));
      storeSix(at + 128, nibbles(low1, 0), i16x8.shl(high, 2), d * <f32>load<i8>(s, 2));
      storeSix(at + 256, nibbles(low0, 4), high, d * <f32>load<i8>(s, 4));
      storeSix(at + 384, nibbles(low1, 4), i16x8.shr_u(high, 2), d * <f32>load<i8>(s, 6));
    }
    source += 64;
    upper += 32;
    scales += 8;
    target += 512;
  }
}
/** Stores scale * (low | bits 4 and 5 of high, - 32); adding -0 leaves every number as it is. */
// @ts-ignore: decorator
@inline
function storeSix(target: usize, low: v128, high: v128, scale: f32): void {
  const q = i8x16.sub(v128.or(low, v128.and(high, i8x16.splat(48))), i8x16.splat(32));
  storeSixteen(target, q, f32x4.splat(scale), f32x4.splat(-0.0));
}
