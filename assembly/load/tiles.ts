// Blocks of one row into the packed tiles (layout/tile.ts) of its matrix, from the row's group `group` of 32 columns on. False when a scale
// is not finite in f16.

import {
  blockBytes,
  blockElements,
  dequantize,
  fifthBits,
  halfOrInfinity,
  minimumsOfK,
  nibbles,
  scalesOfK,
} from "../gguf/blocks";
import { loadHalves, toHalf } from "../kernels/half";
import { nearestInt, TINY } from "../kernels/math";
import { Matrix } from "../kernels/matmul/matrix";
import { i32x4Sum } from "../kernels/reduce";
import {
  BYTES_Q4_0,
  BYTES_Q4_1,
  BYTES_Q4_K,
  BYTES_Q5_0,
  BYTES_Q8_0,
  GROUP,
  SUPERBLOCK,
  TYPE_F16,
  TYPE_F32,
} from "../layout/blocks";
import {
  BAND_BYTES_INT4,
  BAND_BYTES_INT8,
  BAND_ROWS,
  GROUP_BYTES_INT4,
  GROUP_BYTES_INT8,
  SCALE_BYTES_INT4,
  SCALE_BYTES_INT8,
  SUMS,
  TILE_ROWS,
} from "../layout/tile";
import { decodedBlock } from "../runtime/memory";

const LARGEST_HALF: f32 = 65504;

/** The group among all of the matrix's tiles. */
// @ts-ignore: decorator
@inline
function tileGroup(m: Matrix, row: u32, group: u32): usize {
  return <usize>(row / TILE_ROWS) * (m.columns / GROUP) + group;
}
/** Where a row's four bytes lie in a group: its band, and its place within the band's vectors. */
// @ts-ignore: decorator
@inline
function rowOffset(row: u32, bandBytes: usize): usize {
  return <usize>((row % TILE_ROWS) / BAND_ROWS) * bandBytes + 4 * (row % BAND_ROWS);
}
/** Where a row's nibbles of a group begin in an int4 matrix. */
// @ts-ignore: decorator
@inline
function int4Bytes(m: Matrix, row: u32, group: u32): usize {
  return m.quants + tileGroup(m, row, group) * GROUP_BYTES_INT4 + rowOffset(row, BAND_BYTES_INT4);
}
/** And its scale. */
// @ts-ignore: decorator
@inline
function int4Scale(m: Matrix, row: u32, group: u32): usize {
  return m.scales + tileGroup(m, row, group) * SCALE_BYTES_INT4 + 2 * (row % TILE_ROWS);
}
/** Where a row's bytes of a group begin in an int8 matrix. */
// @ts-ignore: decorator
@inline
function int8Bytes(m: Matrix, row: u32, group: u32): usize {
  return m.quants + tileGroup(m, row, group) * GROUP_BYTES_INT8 + rowOffset(row, BAND_BYTES_INT8);
}
/** And its scale, with the sum SUMS bytes behind. */
// @ts-ignore: decorator
@inline
function int8Scale(m: Matrix, row: u32, group: u32): usize {
  return m.scales + tileGroup(m, row, group) * SCALE_BYTES_INT8 + 2 * (row % TILE_ROWS);
}
// @ts-ignore: decorator
@inline
function isInfinite(half: u16): bool {
  return (half & 0x7c00) == 0x7c00;
}

// The 32 bytes of a row's group, columns 0..15 in `first` and 16..31 in `second`, in the order of layout/tile.ts.
// @ts-ignore: decorator
@inline
function firstColumns(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 0, 4, 1, 5, 8, 12, 9, 13, 16, 20, 17, 21, 24, 28, 25, 29);
}
// @ts-ignore: decorator
@inline
function secondColumns(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 2, 6, 3, 7, 10, 14, 11, 15, 18, 22, 19, 23, 26, 30, 27, 31);
}

/** Stores a row's 32 nibbles. */
// @ts-ignore: decorator
@inline
function storeNibbles(target: usize, first: v128, second: v128): void {
  const both = v128.or(firstColumns(first, second), i16x8.shl(secondColumns(first, second), 4));
  v128.store_lane<u32>(target, both, 0);
  v128.store_lane<u32>(target, both, 1, 16);
  v128.store_lane<u32>(target, both, 2, 32);
  v128.store_lane<u32>(target, both, 3, 48);
}

/** `blocks` of Q4_0, or of Q4_1 where the matrix has minimums: int4 as they are. */
export function packQ4(m: Matrix, row: u32, group: u32, source: usize, blocks: u32): bool {
  const bytes: u32 = m.minimums ? BYTES_Q4_1 : BYTES_Q4_0;
  const apart = m.minimums - m.scales;
  let target = int4Bytes(m, row, group);
  let scale = int4Scale(m, row, group);
  let infinite = false;
  for (const end = source + blocks * bytes; source < end; source += bytes) {
    const half = load<u16>(source);
    infinite = infinite || isInfinite(half);
    store<u16>(scale, half);
    if (m.minimums) {
      const minimum = load<u16>(source, 2);
      infinite = infinite || isInfinite(minimum);
      store<u16>(scale + apart, minimum);
    }
    const quants = v128.load(source + bytes - 16);
    storeNibbles(target, nibbles(quants, 0), nibbles(quants, 4));
    target += GROUP_BYTES_INT4;
    scale += SCALE_BYTES_INT4;
  }
  return !infinite;
}

/** `blocks` of Q4_K: int4 as they are, d * s and -e * m rounded to f16. */
export function packQ4K(m: Matrix, row: u32, group: u32, source: usize, blocks: u32): bool {
  const apart = m.minimums - m.scales;
  let target = int4Bytes(m, row, group);
  let scale = int4Scale(m, row, group);
  let infinite = false;
  for (const end = source + blocks * BYTES_Q4_K; source < end; ) {
    const d = halfOrInfinity(source);
    const e = halfOrInfinity(source + 2);
    let s = scalesOfK(source);
    let minimums = minimumsOfK(source);
    source += 16;
    for (let i = 0; i < SUPERBLOCK / GROUP; i++) {
      const half = toHalf(d * <f32>(<i32>s & 255));
      const minimum = toHalf(-(e * <f32>(<i32>minimums & 255)));
      infinite = infinite || isInfinite(half) || isInfinite(minimum);
      store<u16>(scale, half);
      store<u16>(scale + apart, minimum);
      const shift = 4 * (i & 1);
      storeNibbles(target, nibbles(v128.load(source), shift), nibbles(v128.load(source, 16), shift));
      s >>= 8;
      minimums >>= 8;
      source += 32 * (i & 1);
      target += GROUP_BYTES_INT4;
      scale += SCALE_BYTES_INT4;
    }
  }
  return !infinite;
}

/** Stores a row's 32 signed bytes and their sum. */
// @ts-ignore: decorator
@inline
function storeBytes(target: usize, scale: usize, first: v128, second: v128): void {
  const a = firstColumns(first, second);
  const b = secondColumns(first, second);
  v128.store_lane<u32>(target, a, 0);
  v128.store_lane<u32>(target, b, 0, 16);
  v128.store_lane<u32>(target, a, 1, 32);
  v128.store_lane<u32>(target, b, 1, 48);
  v128.store_lane<u32>(target, a, 2, 64);
  v128.store_lane<u32>(target, b, 2, 80);
  v128.store_lane<u32>(target, a, 3, 96);
  v128.store_lane<u32>(target, b, 3, 112);
  const pairs = i16x8.add(i16x8.extadd_pairwise_i8x16_s(first), i16x8.extadd_pairwise_i8x16_s(second));
  store<i16>(scale, <i16>i32x4Sum(i32x4.extadd_pairwise_i16x8_s(pairs)), SUMS);
}

/** `blocks` of Q8_0: int8 as they are. */
export function packQ8(m: Matrix, row: u32, group: u32, source: usize, blocks: u32): bool {
  let target = int8Bytes(m, row, group);
  let scale = int8Scale(m, row, group);
  let infinite = false;
  for (const end = source + blocks * BYTES_Q8_0; source < end; source += BYTES_Q8_0) {
    const half = load<u16>(source);
    infinite = infinite || isInfinite(half);
    store<u16>(scale, half);
    storeBytes(target, scale, v128.load(source, 2), v128.load(source, 18));
    target += GROUP_BYTES_INT8;
    scale += SCALE_BYTES_INT8;
  }
  return !infinite;
}

/** `blocks` of Q5_0: five bits fit into eight, with the same scale. */
export function packQ5(m: Matrix, row: u32, group: u32, source: usize, blocks: u32): bool {
  let target = int8Bytes(m, row, group);
  let scale = int8Scale(m, row, group);
  let infinite = false;
  const zero = i8x16.splat(16);
  for (const end = source + blocks * BYTES_Q5_0; source < end; source += BYTES_Q5_0) {
    const half = load<u16>(source);
    infinite = infinite || isInfinite(half);
    store<u16>(scale, half);
    const fifth = load<u32>(source, 2);
    const bytes = v128.load(source, 6);
    const first = i8x16.sub(v128.or(nibbles(bytes, 0), fifthBits(fifth)), zero);
    const second = i8x16.sub(v128.or(nibbles(bytes, 4), fifthBits(fifth >> 16)), zero);
    storeBytes(target, scale, first, second);
    target += GROUP_BYTES_INT8;
    scale += SCALE_BYTES_INT8;
  }
  return !infinite;
}

/** Four elements of a plain type as f32x4. */
// @ts-ignore: decorator
@inline
function loadFour(type: u32, source: usize, index: u32): v128 {
  if (type == TYPE_F32) return v128.load(source + 4 * index);
  if (type == TYPE_F16) return loadHalves(source + 2 * index);
  return i32x4.shl(v128.load16x4_u(source + 2 * index), 16);
}

/** Rounds |x| < 2^22 to the nearest integer, halves away from zero, as C's roundf does and ggml's Q8_0 with it. */
// @ts-ignore: decorator
@inline
function round(x: v128): v128 {
  // The number below a half: it lifts what is below a half to below one, and a half, by rounding, to one.
  const half = v128.or(v128.and(x, v128.load(ROUNDING)), v128.load(ROUNDING, 16));
  return nearestInt(f32x4.trunc(f32x4.add(x, half)));
}
const ROUNDING = memory.data<u32>(
  [0x80000000, 0x80000000, 0x80000000, 0x80000000, 0x3effffff, 0x3effffff, 0x3effffff, 0x3effffff],
  16,
);

/** Sixteen floats times `inverse`, as bytes. */
// @ts-ignore: decorator
@inline
function quantizeSixteen(a: v128, b: v128, c: v128, d: v128, inverse: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(round(f32x4.mul(a, inverse)), round(f32x4.mul(b, inverse))),
    i16x8.narrow_i32x4_s(round(f32x4.mul(c, inverse)), round(f32x4.mul(d, inverse))),
  );
}

// Magnitudes are compared as integers: their order is the same, and what is not finite is above all that is.
// @ts-ignore: decorator
@inline
function larger(a: v128, b: v128): v128 {
  return i32x4.max_s(f32x4.abs(a), f32x4.abs(b));
}

/** 32 floats to int8 as ggml's Q8_0 does it: d = max|x| / 127, q = round(x / d). False when d is not finite in f16. */
// @ts-ignore: decorator
@inline
function packGroup(target: usize, scale: usize, type: u32, source: usize): bool {
  const a = loadFour(type, source, 0);
  const b = loadFour(type, source, 4);
  const c = loadFour(type, source, 8);
  const d = loadFour(type, source, 12);
  const e = loadFour(type, source, 16);
  const f = loadFour(type, source, 20);
  const g = loadFour(type, source, 24);
  const h = loadFour(type, source, 28);
  let largest = larger(larger(larger(a, b), larger(c, d)), larger(larger(e, f), larger(g, h)));
  largest = larger(largest, i8x16.shuffle(largest, largest, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const amax = reinterpret<f32>(max<i32>(i32x4.extract_lane(largest, 0), i32x4.extract_lane(largest, 1)));
  const step = amax / 127;
  if (!(step <= LARGEST_HALF) || (type == TYPE_F16 && amax > LARGEST_HALF)) return false;
  store<u16>(scale, toHalf(step));
  const inverse = f32x4.splat(step > TINY ? 1 / step : 0);
  storeBytes(target, scale, quantizeSixteen(a, b, c, d, inverse), quantizeSixteen(e, f, g, h, inverse));
  return true;
}

/** Plain elements of `groups` groups of 32. */
export function packFloats(m: Matrix, row: u32, group: u32, type: u32, source: usize, groups: u32): bool {
  const bytes = GROUP * blockBytes(type);
  let target = int8Bytes(m, row, group);
  let scale = int8Scale(m, row, group);
  for (const end = source + groups * bytes; source < end; source += bytes) {
    if (!packGroup(target, scale, type, source)) return false;
    target += GROUP_BYTES_INT8;
    scale += SCALE_BYTES_INT8;
  }
  return true;
}

/** `blocks` of any other type, by way of floats. */
export function packDecoded(m: Matrix, row: u32, group: u32, type: u32, source: usize, blocks: u32): bool {
  const bytes = blockBytes(type);
  const end = decodedBlock() + 4 * blockElements(type);
  let target = int8Bytes(m, row, group);
  let scale = int8Scale(m, row, group);
  for (const last = source + blocks * bytes; source < last; source += bytes) {
    dequantize(type, source, decodedBlock());
    for (let floats = decodedBlock(); floats < end; floats += 4 * GROUP) {
      if (!packGroup(target, scale, TYPE_F32, floats)) return false;
      target += GROUP_BYTES_INT8;
      scale += SCALE_BYTES_INT8;
    }
  }
  return true;
}
