// The kernels for i16 activations, in every build. `int8` is a constant at every call: one source, two kernels.

import { GROUP } from "../layout/blocks";
import { HALF_GROUP_BYTES, HALF_ROWS, TILE_GROUP_BYTES, TILE_ROWS, TILE_SCALE_BYTES } from "../layout/tile";
import { Matrix } from "../weights";
import { halfKeep, halfRebias, widenHalves } from "./half";
import { activationBytes } from "./quantize";
import { dotWide } from "./simd";
import { accumulate, storeRows } from "./tile";

// Masks are loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASKS = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15, 240, 240, 240, 240, 240, 240, 240, 240], 16);

const X_GROUP: usize = GROUP * 2;
const X_VECTOR: usize = 16;
const VECTORS: usize = 4; // of weights in a group

/** Rows from..to-1 of out f32[tokens][m.rows] = wide activations at x, times m; `from` is a multiple of 8. */
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
  for (let row = from; row < to; row += HALF_ROWS) {
    const rows = m.rows - row;
    let token = 0;
    for (; token + 4 <= tokens; token += 4) {
      const target = out + <usize>token * outStride;
      if (int8) halfQ8x4(target, outStride, rows, high, low, scales, x + <usize>token * stride, stride, groups);
      else halfQ4x4(target, outStride, rows, high, scales, x + <usize>token * stride, stride, groups);
    }
    for (; token < tokens; token++) {
      const at = x + <usize>token * stride;
      const sum = int8 ? halfQ8(high, low, scales, at, groups) : halfQ4(high, scales, at, groups);
      storeRows(out + <usize>token * outStride, sum, rows);
    }
    // From the upper half to the lower, or from there to the next tile.
    const upper = row % TILE_ROWS == 0;
    const step = upper ? HALF_GROUP_BYTES : groups * TILE_GROUP_BYTES - HALF_GROUP_BYTES;
    high += step;
    if (int8) low += step;
    scales += upper ? TILE_SCALE_BYTES / 2 : groups * TILE_SCALE_BYTES - TILE_SCALE_BYTES / 2;
    out += 4 * HALF_ROWS;
  }
}

function halfQ4(high: usize, scales: usize, x: usize, groups: i32): v128 {
  return half(false, high, 0, scales, x, groups);
}
function halfQ8(high: usize, low: usize, scales: usize, x: usize, groups: i32): v128 {
  return half(true, high, low, scales, x, groups);
}
function halfQ4x4(
  out: usize,
  outStride: usize,
  rows: i32,
  high: usize,
  scales: usize,
  x: usize,
  stride: usize,
  groups: i32,
): void {
  half4(false, out, outStride, rows, high, 0, scales, x, stride, groups);
}
function halfQ8x4(
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
  half4(true, out, outStride, rows, high, low, scales, x, stride, groups);
}

/** Four rows of one token. */
// @ts-ignore: decorator
@inline
function half(int8: bool, high: usize, low: usize, scales: usize, x: usize, groups: i32): v128 {
  const mask = v128.load(MASKS);
  const highMask = v128.load(MASKS, 16);
  const keep = halfKeep();
  const rebias = halfRebias();
  let xScales = x + <usize>groups * X_GROUP;
  let sum = f32x4.splat(0);
  for (const end = xScales; x < end; x += X_GROUP) {
    let acc = v128.load32_splat(xScales, 4);
    if (int8) acc = i32x4.shl(acc, 4);
    for (let v: usize = 0; v < VECTORS; v++) {
      const h = v128.load(high + 16 * v);
      const l = int8 ? v128.load(low + 16 * v) : h;
      const at = x + X_VECTOR * v;
      acc = dotWide(acc, pair(int8, h, l, 0, mask, highMask), at, 0);
      acc = dotWide(acc, pair(int8, h, l, 4, mask, highMask), at, 4);
      acc = dotWide(acc, pair(int8, h, l, 8, mask, highMask), at, 8);
      acc = dotWide(acc, pair(int8, h, l, 12, mask, highMask), at, 12);
    }
    sum = accumulate(sum, acc, widenHalves(scales, keep, rebias), xScales);
    high += TILE_GROUP_BYTES;
    if (int8) low += TILE_GROUP_BYTES;
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  return sum;
}

/** Four rows of four tokens: the weights are unpacked once. */
// @ts-ignore: decorator
@inline
function half4(
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
  const rebias = halfRebias();
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
    high += TILE_GROUP_BYTES - HALF_GROUP_BYTES;
    if (int8) low += TILE_GROUP_BYTES - HALF_GROUP_BYTES;
    const scale = widenHalves(scales, keep, rebias);
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
  return dotWide(dotWide(dotWide(dotWide(acc, p0, x, 0), p1, x, 4), p2, x, 8), p3, x, 12);
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
