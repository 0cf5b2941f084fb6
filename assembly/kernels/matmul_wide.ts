// The kernels for i16 activations, in every build. `int8` is a constant at every call: one source, two kernels.

import { GROUP } from "../layout/blocks";
import {
  BAND_GROUP_BYTES,
  BAND_ROWS,
  BAND_SCALE_BYTES,
  TILE_GROUP_BYTES,
  TILE_ROWS,
  TILE_SCALE_BYTES,
} from "../layout/tile";
import { Matrix } from "../weights";
import { halfKeep, smallHalves } from "./half";
import { activationBytes } from "./quantize";
import { dotWide } from "./simd";
import { accumulate, storeRows } from "./tile";

// Masks are loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASKS = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15, 240, 240, 240, 240, 240, 240, 240, 240], 16);

const X_GROUP: usize = GROUP * 2;
const X_VECTOR: usize = 16;
const BANDS: usize = TILE_ROWS / BAND_ROWS;

/** Rows from..to-1 of out f32[tokens][m.rows] = wide activations at x, times m; `from` is a multiple of TILE_ROWS. */
export function matmulWide(out: usize, m: Matrix, x: usize, tokens: i32, from: i32, to: i32): void {
  if (m.low) matmulTiles(true, out, m, x, tokens, from, to);
  else matmulTiles(false, out, m, x, tokens, from, to);
}

// @ts-ignore: decorator
@inline
function matmulTiles(int8: bool, out: usize, m: Matrix, x: usize, tokens: i32, from: i32, to: i32): void {
  const groups = m.columns / GROUP;
  const stride = activationBytes(m.columns, false);
  const outStride = <usize>m.rows * 4;
  const skipped = <usize>(from / TILE_ROWS) * groups;
  let high = m.high + skipped * TILE_GROUP_BYTES;
  let low = m.low + skipped * TILE_GROUP_BYTES;
  let scales = m.scales + skipped * TILE_SCALE_BYTES;
  out += 4 * <usize>from;
  for (let row = from; row < to; row += TILE_ROWS) {
    const rows = m.rows - row;
    const fours = tokens & ~3;
    for (let band: usize = 0; band < BANDS; band++) {
      const h = high + band * BAND_GROUP_BYTES;
      const l = low + band * BAND_GROUP_BYTES;
      const s = scales + band * BAND_SCALE_BYTES;
      for (let token = 0; token < fours; token += 4) {
        const at = x + <usize>token * stride;
        const target = out + <usize>token * outStride + 4 * BAND_ROWS * band;
        if (int8) bandQ8x4(target, outStride, rows - 4 * <i32>band, h, l, s, at, stride, groups);
        else bandQ4x4(target, outStride, rows - 4 * <i32>band, h, s, at, stride, groups);
      }
    }
    for (let token = fours; token < tokens; token++) {
      const at = x + <usize>token * stride;
      const target = out + <usize>token * outStride;
      if (int8) tileQ8(target, rows, high, low, scales, at, groups);
      else tileQ4(target, rows, high, scales, at, groups);
    }
    high += <usize>groups * TILE_GROUP_BYTES;
    if (int8) low += <usize>groups * TILE_GROUP_BYTES;
    scales += <usize>groups * TILE_SCALE_BYTES;
    out += 4 * TILE_ROWS;
  }
}

function tileQ4(out: usize, rows: i32, high: usize, scales: usize, x: usize, groups: i32): void {
  tile(false, out, rows, high, 0, scales, x, groups);
}
function tileQ8(out: usize, rows: i32, high: usize, low: usize, scales: usize, x: usize, groups: i32): void {
  tile(true, out, rows, high, low, scales, x, groups);
}
function bandQ4x4(
  out: usize,
  outStride: usize,
  rows: i32,
  high: usize,
  scales: usize,
  x: usize,
  stride: usize,
  groups: i32,
): void {
  band4(false, out, outStride, rows, high, 0, scales, x, stride, groups);
}
function bandQ8x4(
  out: usize,
  outStride: usize,
  rows: i32,
  high: usize,
  low: usize,
  scales: usize,
  x: usize,
  stride: usize,
  groups: i32,
): void {
  band4(true, out, outStride, rows, high, low, scales, x, stride, groups);
}

/** Sixteen rows of one token. */
// @ts-ignore: decorator
@inline
function tile(
  int8: bool,
  out: usize,
  rows: i32,
  high: usize,
  low: usize,
  scales: usize,
  x: usize,
  groups: i32,
): void {
  const mask = v128.load(MASKS);
  const highMask = v128.load(MASKS, 16);
  const keep = halfKeep();
  let xScales = x + <usize>groups * X_GROUP;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = xScales; x < end; ) {
    let a = v128.load32_splat(xScales, 4);
    if (int8) a = i32x4.shl(a, 4);
    let b = a;
    let c = a;
    let d = a;
    for (const next = x + X_GROUP; x < next; x += X_VECTOR) {
      const x0 = v128.load32_splat(x);
      const x1 = v128.load32_splat(x, 4);
      const x2 = v128.load32_splat(x, 8);
      const x3 = v128.load32_splat(x, 12);
      a = dotVector(int8, a, high, low, x0, x1, x2, x3, mask, highMask);
      b = dotVector(int8, b, high + 64, low + 64, x0, x1, x2, x3, mask, highMask);
      c = dotVector(int8, c, high + 128, low + 128, x0, x1, x2, x3, mask, highMask);
      d = dotVector(int8, d, high + 192, low + 192, x0, x1, x2, x3, mask, highMask);
      high += 16;
      if (int8) low += 16;
    }
    high += TILE_GROUP_BYTES - BAND_GROUP_BYTES;
    if (int8) low += TILE_GROUP_BYTES - BAND_GROUP_BYTES;
    sum0 = accumulate(sum0, a, smallHalves(scales, keep), xScales);
    sum1 = accumulate(sum1, b, smallHalves(scales + 8, keep), xScales);
    sum2 = accumulate(sum2, c, smallHalves(scales + 16, keep), xScales);
    sum3 = accumulate(sum3, d, smallHalves(scales + 24, keep), xScales);
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  storeRows(out, sum0, rows);
  storeRows(out + 16, sum1, rows - 4);
  storeRows(out + 32, sum2, rows - 8);
  storeRows(out + 48, sum3, rows - 12);
}

/** acc + a vector of weights, 4 rows x 8 columns, and the activations of its column pairs. */
// @ts-ignore: decorator
@inline
function dotVector(
  int8: bool,
  acc: v128,
  high: usize,
  low: usize,
  x0: v128,
  x1: v128,
  x2: v128,
  x3: v128,
  mask: v128,
  highMask: v128,
): v128 {
  const h = v128.load(high);
  const l = int8 ? v128.load(low) : h;
  acc = dotWide(acc, pair(int8, h, l, 0, mask, highMask), x0);
  acc = dotWide(acc, pair(int8, h, l, 4, mask, highMask), x1);
  acc = dotWide(acc, pair(int8, h, l, 8, mask, highMask), x2);
  return dotWide(acc, pair(int8, h, l, 12, mask, highMask), x3);
}

/** Four rows of four tokens: the weights are unpacked once. */
// @ts-ignore: decorator
@inline
function band4(
  int8: bool,
  out: usize,
  outStride: usize,
  rows: i32,
  high: usize,
  low: usize,
  scales: usize,
  x0: usize,
  stride: usize,
  groups: i32,
): void {
  const mask = v128.load(MASKS);
  const highMask = v128.load(MASKS, 16);
  const keep = halfKeep();
  const x1 = x0 + stride;
  const x2 = x1 + stride;
  const x3 = x2 + stride;
  let xScales = <usize>groups * X_GROUP; // from x0, x1, x2, x3
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (let at: usize = 0, end = xScales; at < end; ) {
    let a0 = v128.load32_splat(x0 + xScales, 4);
    let a1 = v128.load32_splat(x1 + xScales, 4);
    let a2 = v128.load32_splat(x2 + xScales, 4);
    let a3 = v128.load32_splat(x3 + xScales, 4);
    if (int8) {
      a0 = i32x4.shl(a0, 4);
      a1 = i32x4.shl(a1, 4);
      a2 = i32x4.shl(a2, 4);
      a3 = i32x4.shl(a3, 4);
    }
    for (const next = at + X_GROUP; at < next; at += X_VECTOR) {
      const h = v128.load(high);
      const l = int8 ? v128.load(low) : h;
      const p0 = pair(int8, h, l, 0, mask, highMask);
      const p1 = pair(int8, h, l, 4, mask, highMask);
      const p2 = pair(int8, h, l, 8, mask, highMask);
      const p3 = pair(int8, h, l, 12, mask, highMask);
      a0 = dotPairs(a0, p0, p1, p2, p3, x0 + at);
      a1 = dotPairs(a1, p0, p1, p2, p3, x1 + at);
      a2 = dotPairs(a2, p0, p1, p2, p3, x2 + at);
      a3 = dotPairs(a3, p0, p1, p2, p3, x3 + at);
      high += 16;
      if (int8) low += 16;
    }
    high += TILE_GROUP_BYTES - BAND_GROUP_BYTES;
    if (int8) low += TILE_GROUP_BYTES - BAND_GROUP_BYTES;
    const scale = smallHalves(scales, keep);
    sum0 = accumulate(sum0, a0, scale, x0 + xScales);
    sum1 = accumulate(sum1, a1, scale, x1 + xScales);
    sum2 = accumulate(sum2, a2, scale, x2 + xScales);
    sum3 = accumulate(sum3, a3, scale, x3 + xScales);
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  storeRows(out, sum0, rows);
  storeRows(out + outStride, sum1, rows);
  storeRows(out + 2 * outStride, sum2, rows);
  storeRows(out + 3 * outStride, sum3, rows);
}

// @ts-ignore: decorator
@inline
function dotPairs(acc: v128, p0: v128, p1: v128, p2: v128, p3: v128, x: usize): v128 {
  acc = dotWide(acc, p0, v128.load32_splat(x));
  acc = dotWide(acc, p1, v128.load32_splat(x, 4));
  acc = dotWide(acc, p2, v128.load32_splat(x, 8));
  return dotWide(acc, p3, v128.load32_splat(x, 12));
}

/** Two columns of four rows as i16x8, by shift: q of an int4 matrix (0..15), 16 h + l of an int8 one (0..255). */
// @ts-ignore: decorator
@inline
function pair(int8: bool, high: v128, low: v128, shift: i32, mask: v128, highMask: v128): v128 {
  const l = nibbles(int8 ? low : high, shift, mask);
  return int8 ? v128.or(l, nibblesTimes16(high, shift, highMask)) : l;
}

// @ts-ignore: decorator
@inline
function nibbles(weights: v128, shift: i32, mask: v128): v128 {
  if (shift == 0) return v128.and(weights, mask);
  if (shift == 12) return i16x8.shr_u(weights, 12);
  return v128.and(i16x8.shr_u(weights, shift), mask);
}

// @ts-ignore: decorator
@inline
function nibblesTimes16(weights: v128, shift: i32, highMask: v128): v128 {
  if (shift == 0) return v128.and(i16x8.shl(weights, 4), highMask);
  if (shift == 4) return v128.and(weights, highMask);
  return v128.and(i16x8.shr_u(weights, shift - 4), highMask);
}
