// Rounding to the nearest value of a block, byte for byte as ggml's quantize_row_q8_0_ref() and quantize_row_q4_0_ref() do
// (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c). layout/blocks.ts draws the blocks.

import {
  blockBytes,
  blockElements,
  dequantize,
  fifthBits,
  halfOrInfinity,
  minimumsOfK,
  nibbles,
  scalesOfK,
  storeSixteen,
} from "../gguf/blocks";
import { fromHalf, loadHalves, toHalf } from "../kernels/half";
import { f32x4Max, f32x4Sum } from "../kernels/reduce";
import {
  BYTES_Q4_0,
  BYTES_Q4_1,
  BYTES_Q4_K,
  BYTES_Q5_0,
  BYTES_Q8_0,
  GROUP,
  SUPERBLOCK,
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q4_1,
  TYPE_Q4_K,
  TYPE_Q5_0,
  TYPE_Q8_0,
} from "../layout/blocks";

const WIDTH: usize = GROUP;
const GROUP_BYTES: usize = 4 * WIDTH;
/** loadHalves() gives infinities and NaNs of f16 as numbers from here on. */
const HALF_LIMIT: f32 = 65536;

/**
 * Converts `count` elements, whole blocks, of a type that can be loaded at `source` to f32 at `target`; the last 16 bytes at both ends may
 * be passed by up to 28 bytes. Exact; what is not finite stays so.
 */
export function floats(type: i32, source: usize, target: usize, count: i32): void {
  const end = target + 4 * <usize>count;
  if (type == TYPE_F32) {
    memory.copy(target, source, 4 * <usize>count);
  } else if (type == TYPE_BF16) {
    for (; target < end; target += 32, source += 16) {
      v128.store(target, i32x4.shl(v128.load16x4_u(source), 16));
      v128.store(target, i32x4.shl(v128.load16x4_u(source, 8), 16), 16);
    }
  } else if (type == TYPE_F16) {
    for (; target < end; target += 16, source += 8) v128.store(target, trueHalves(source));
  } else if (type == TYPE_Q8_0) {
    for (; target < end; source += BYTES_Q8_0) {
      const d = f32x4.splat(trueHalf(load<u16>(source)));
      for (let i: usize = 0; i < WIDTH; i += 8, target += 32) {
        const q = v128.load8x8_s(source + i, 2);
        v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(q)), d));
        v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(q)), d), 16);
      }
    }
  } else if (type == TYPE_Q4_0) {
    for (; target < end; source += BYTES_Q4_0, target += GROUP_BYTES) {
      storeLevels(target, v128.load(source, 2), 0, 8, load<u16>(source));
    }
  } else if (type == TYPE_Q5_0) {
    for (; target < end; source += BYTES_Q5_0, target += GROUP_BYTES) {
      storeLevels(target, v128.load(source, 6), load<u32>(source, 2), 16, load<u16>(source));
    }
  } else if (type == TYPE_Q4_1) {
    for (; target < end; source += BYTES_Q4_1, target += GROUP_BYTES) {
      const bytes = v128.load(source, 4);
      const d = halfOrInfinity(source);
      const m = halfOrInfinity(source + 2);
      storeNibbles(target, bytes, 0, d, m);
      storeNibbles(target + GROUP_BYTES / 2, bytes, 4, d, m);
    }
  } else if (type == TYPE_Q4_K) {
    for (; target < end; source += BYTES_Q4_K, target += 4 * SUPERBLOCK) storeQ4K(source, target);
  } else {
    const bytes = blockBytes(type);
    const step: usize = 4 * blockElements(type);
    for (; target < end; source += bytes, target += step) dequantize(type, source, target);
  }
}

/** f32[16] of d * q + m, q of the nibbles at `shift`. */
// @ts-ignore: decorator
@inline
function storeNibbles(target: usize, bytes: v128, shift: i32, d: f32, m: f32): void {
  storeSixteen(target, nibbles(bytes, shift), f32x4.splat(d), f32x4.splat(m));
}

/** f32[256] */
function storeQ4K(source: usize, target: usize): void {
  const d = halfOrInfinity(source);
  const e = halfOrInfinity(source + 2);
  let s = scalesOfK(source);
  let m = minimumsOfK(source);
  for (let group = 0; group < 8; group++, s >>= 8, m >>= 8, target += GROUP_BYTES) {
    const at = source + (<usize>group >> 1) * WIDTH;
    const shift = (group & 1) * 4;
    const scale = d * <f32>(<i32>s & 255);
    const minimum = -(e * <f32>(<i32>m & 255));
    storeNibbles(target, v128.load(at, 16), shift, scale, minimum);
    storeNibbles(target + GROUP_BYTES / 2, v128.load(at, 32), shift, scale, minimum);
  }
}

/** f32[32] of d * (q - middle), q of a nibble and a fifth bit. */
// @ts-ignore: decorator
@inline
function storeLevels(target: usize, bytes: v128, fifth: u32, middle: i8, d: u16): void {
  const scale = f32x4.splat(trueHalf(d));
  const none = f32x4.splat(-0.0); // adding it leaves every number as it is
  const low = v128.or(nibbles(bytes, 0), fifthBits(fifth));
  const high = v128.or(nibbles(bytes, 4), fifthBits(fifth >> 16));
  storeSixteen(target, i8x16.sub(low, i8x16.splat(middle)), scale, none);
  storeSixteen(target + GROUP_BYTES / 2, i8x16.sub(high, i8x16.splat(middle)), scale, none);
}

/**
 * Rounds f32[groups * 32] at `source` to blocks of Q8_0 or Q4_0 at `target`.
 * @returns the sum of squared errors; not finite when a value, or the scale it needs, is not
 */
export function round(type: i32, source: usize, target: usize, groups: i32): f64 {
  let error: f64 = 0;
  for (const end = source + <usize>groups * GROUP_BYTES; source < end; source += GROUP_BYTES) {
    error += type == TYPE_Q4_0 ? roundQ4(source, target) : roundQ8(source, target);
    target += type == TYPE_Q4_0 ? BYTES_Q4_0 : BYTES_Q8_0;
  }
  return error;
}

// @ts-ignore: decorator
@inline
function trueHalves(address: usize): v128 {
  const x = loadHalves(address);
  const beyond = f32x4.ge(f32x4.abs(x), f32x4.splat(HALF_LIMIT));
  return v128.or(x, v128.and(beyond, i32x4.splat(0x7f800000)));
}
// @ts-ignore: decorator
@inline
function trueHalf(bits: u16): f32 {
  return (bits & 0x7c00) == 0x7c00 ? ((bits & 0x3ff) != 0 ? NaN : Infinity) : fromHalf(bits);
}

/** i32x4 of the nearest integers, halves away from zero as C's roundf(). */
// @ts-ignore: decorator
@inline
function roundHalvesAway(x: v128): v128 {
  const whole = f32x4.trunc(x);
  const up = f32x4.ge(f32x4.abs(f32x4.sub(x, whole)), f32x4.splat(0.5));
  const one = v128.or(v128.and(x, i32x4.splat(0x80000000)), f32x4.splat(1));
  return i32x4.trunc_sat_f32x4_s(f32x4.add(whole, v128.and(up, one)));
}

/** f32x4: sum += (x - q * d)^2 */
// @ts-ignore: decorator
@inline
function addError(sum: v128, x: v128, q: v128, d: v128): v128 {
  const e = f32x4.sub(x, f32x4.mul(f32x4.convert_i32x4_s(q), d));
  return f32x4.add(sum, f32x4.mul(e, e));
}

// @ts-ignore: decorator
@inline
function roundQ8(source: usize, target: usize): f64 {
  let magnitude = f32x4.abs(v128.load(source));
  for (let i: usize = 16; i < GROUP_BYTES; i += 16) magnitude = f32x4.max(magnitude, f32x4.abs(v128.load(source + i)));
  const d: f32 = f32x4Max(magnitude) / 127;
  const inverse = f32x4.splat(d != 0 ? <f32>1 / d : 0);
  const stored = toHalf(d);
  store<u16>(target, stored);
  const scale = f32x4.splat(trueHalf(stored));
  let error = f32x4.splat(0);
  for (let i: usize = 0; i < GROUP_BYTES; i += 32) {
    const x0 = v128.load(source + i);
    const x1 = v128.load(source + i, 16);
    const q0 = roundHalvesAway(f32x4.mul(x0, inverse));
    const q1 = roundHalvesAway(f32x4.mul(x1, inverse));
    const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(q0, q1), i16x8.splat(0));
    v128.store64_lane(target + (i >> 2), bytes, 0, 2);
    error = addError(addError(error, x0, q0, scale), x1, q1, scale);
  }
  return <f64>f32x4Sum(error);
}

/** The value of largest magnitude, the first of them where there are two; 0 for NaNs. */
// @ts-ignore: decorator
@inline
function largest(source: usize): f32 {
  let high = v128.load(source);
  let low = high;
  for (let i: usize = 16; i < GROUP_BYTES; i += 16) {
    const x = v128.load(source + i);
    high = f32x4.max(high, x);
    low = f32x4.min(low, x);
  }
  const above = f32x4Max(high);
  const below = -f32x4Max(f32x4.neg(low));
  if (above > -below) return above;
  if (above < -below) return below;
  for (let i: usize = 0; i < GROUP_BYTES; i += 4) {
    const x = load<f32>(source + i);
    if (abs(x) == above && x != 0) return x;
  }
  return 0;
}

/** i32x4 of 0..15: ggml's (int8_t)(x / d + 8.5) */
// @ts-ignore: decorator
@inline
function levels(x: v128, inverse: v128): v128 {
  const q = i32x4.trunc_sat_f32x4_s(f32x4.add(f32x4.mul(x, inverse), f32x4.splat(8.5)));
  return i32x4.min_s(q, i32x4.splat(15));
}

// @ts-ignore: decorator
@inline
function roundQ4(source: usize, target: usize): f64 {
  const d: f32 = largest(source) / -8;
  const inverse = f32x4.splat(d != 0 ? <f32>1 / d : 0);
  const stored = toHalf(d);
  store<u16>(target, stored);
  const scale = f32x4.splat(trueHalf(stored));
  const offset = i32x4.splat(8);
  let error = f32x4.splat(0);
  for (let i: usize = 0; i < WIDTH; i += 16) {
    const x0 = v128.load(source + i * 2);
    const x1 = v128.load(source + i * 2, 16);
    const y0 = v128.load(source + i * 2, 64);
    const y1 = v128.load(source + i * 2, 80);
    const low0 = levels(x0, inverse);
    const low1 = levels(x1, inverse);
    const high0 = levels(y0, inverse);
    const high1 = levels(y1, inverse);
    const low = i16x8.narrow_i32x4_s(low0, low1);
    const high = i16x8.narrow_i32x4_s(high0, high1);
    const bytes = i8x16.narrow_i16x8_u(v128.or(low, i16x8.shl(high, 4)), i16x8.splat(0));
    v128.store64_lane(target + (i >> 1), bytes, 0, 2);
    error = addError(addError(error, x0, i32x4.sub(low0, offset), scale), x1, i32x4.sub(low1, offset), scale);
    error = addError(addError(error, y0, i32x4.sub(high0, offset), scale), y1, i32x4.sub(high1, offset), scale);
  }
  return <f64>f32x4Sum(error);
}
