// Quantized weights times quantized activations: out[token][row] = sum over groups of scale(row) * scale(token) * integer dot.
//
// The integer dot of a group of 32 columns is exact; groups are added in f32 in column order. So a row's result does not
// depend on how many tokens are computed together. One family serves both formats: `int8` is a constant at every call.

import { GROUP } from "../layout/blocks";
import { TILE_GROUP_BYTES, TILE_ROWS, TILE_SCALE_BYTES } from "../layout/tile";
import { Matrix } from "../weights";
import { fromHalf, loadHalves } from "./half";
import { activationBytes } from "./quantize";
import { dot, highNibbles, nibbles, X_BYTES } from "./simd";

// Masks are loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASKS = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15, 240, 240, 240, 240, 240, 240, 240, 240], 16);

const X_GROUP: usize = <usize>GROUP * X_BYTES;
const VECTORS: usize = 4; // of weights in a group, each 4 rows x 8 columns
const X_VECTOR: usize = 8 * X_BYTES;

/** out f32[tokens][m.rows] = activations (kernels/quantize.ts) of `tokens` tokens at x, times m. */
export function matmul(out: usize, m: Matrix, x: usize, tokens: i32): void {
  if (m.low) matmulTiles(true, out, m, x, tokens);
  else matmulTiles(false, out, m, x, tokens);
}

// @ts-ignore: decorator
@inline function matmulTiles(int8: bool, out: usize, m: Matrix, x: usize, tokens: i32): void {
  const groups = m.columns / GROUP;
  const stride = activationBytes(m.columns);
  const outStride = <usize>m.rows * 4;
  let high = m.high;
  let low = m.low;
  let scales = m.scales;
  for (let row = 0; row < m.rows; row += TILE_ROWS) {
    const rows = m.rows - row;
    let token = 0;
    for (; token + 4 <= tokens; token += 4) {
      const target = out + <usize>token * outStride;
      if (int8) tileQ8x4(target, outStride, rows, high, low, scales, x + <usize>token * stride, stride, groups);
      else tileQ4x4(target, outStride, rows, high, scales, x + <usize>token * stride, stride, groups);
    }
    for (; token < tokens; token++) {
      const at = x + <usize>token * stride;
      const sum = int8 ? tileQ8(high, low, scales, at, groups) : tileQ4(high, scales, at, groups);
      storeRows(out + <usize>token * outStride, sum, rows);
    }
    high += <usize>groups * TILE_GROUP_BYTES;
    if (int8) low += <usize>groups * TILE_GROUP_BYTES;
    scales += <usize>groups * TILE_SCALE_BYTES;
    out += 4 * TILE_ROWS;
  }
}

function tileQ4(high: usize, scales: usize, x: usize, groups: i32): v128 {
  return tile(false, high, 0, scales, x, groups);
}
function tileQ8(high: usize, low: usize, scales: usize, x: usize, groups: i32): v128 {
  return tile(true, high, low, scales, x, groups);
}
function tileQ4x4(out: usize, outStride: usize, rows: i32, high: usize, scales: usize, x: usize, stride: usize, groups: i32): void {
  tile4(false, out, outStride, rows, high, 0, scales, x, stride, groups);
}
function tileQ8x4(
  out: usize, outStride: usize, rows: i32, high: usize, low: usize, scales: usize, x: usize, stride: usize, groups: i32,
): void {
  tile4(true, out, outStride, rows, high, low, scales, x, stride, groups);
}

/** Four rows of one token. */
// @ts-ignore: decorator
@inline function tile(int8: bool, high: usize, low: usize, scales: usize, x: usize, groups: i32): v128 {
  const mask = v128.load(MASKS);
  const highMask = v128.load(MASKS, 16);
  let xScales = x + <usize>groups * X_GROUP;
  let sum = f32x4.splat(0);
  for (const end = xScales; x < end; x += X_GROUP) {
    let acc = v128.load32_splat(xScales, 4);
    if (int8) acc = i32x4.shl(acc, 4);
    for (let v: usize = 0; v < VECTORS; v++) {
      const h = v128.load(high + 16 * v);
      const l = int8 ? v128.load(low + 16 * v) : h;
      const at = x + X_VECTOR * v;
      acc = dot(acc, pair(int8, h, l, 0, mask, highMask), at, 0);
      acc = dot(acc, pair(int8, h, l, 4, mask, highMask), at, 4);
      acc = dot(acc, pair(int8, h, l, 8, mask, highMask), at, 8);
      acc = dot(acc, pair(int8, h, l, 12, mask, highMask), at, 12);
    }
    const scale = f32x4.mul(loadHalves(scales), v128.load32_splat(xScales));
    sum = f32x4.add(sum, f32x4.mul(f32x4.convert_i32x4_s(acc), scale));
    high += TILE_GROUP_BYTES;
    if (int8) low += TILE_GROUP_BYTES;
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  return sum;
}

/** Four rows of four tokens: the weights are unpacked once. */
// @ts-ignore: decorator
@inline function tile4(
  int8: bool, out: usize, outStride: usize, rows: i32, high: usize, low: usize, scales: usize,
  x0: usize, stride: usize, groups: i32,
): void {
  const mask = v128.load(MASKS);
  const highMask = v128.load(MASKS, 16);
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
      a0 = dot(dot(dot(dot(a0, p0, x0 + at, 0), p1, x0 + at, 4), p2, x0 + at, 8), p3, x0 + at, 12);
      a1 = dot(dot(dot(dot(a1, p0, x1 + at, 0), p1, x1 + at, 4), p2, x1 + at, 8), p3, x1 + at, 12);
      a2 = dot(dot(dot(dot(a2, p0, x2 + at, 0), p1, x2 + at, 4), p2, x2 + at, 8), p3, x2 + at, 12);
      a3 = dot(dot(dot(dot(a3, p0, x3 + at, 0), p1, x3 + at, 4), p2, x3 + at, 8), p3, x3 + at, 12);
      high += 16;
      if (int8) low += 16;
    }
    const scale = loadHalves(scales);
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

/** Two columns of four rows as i16x8: q of an int4 matrix (0..15), 16 h + l of an int8 one (0..255). */
// @ts-ignore: decorator
@inline function pair(int8: bool, high: v128, low: v128, shift: i32, mask: v128, highMask: v128): v128 {
  const l = nibbles(int8 ? low : high, shift, mask);
  return int8 ? v128.or(l, highNibbles(high, shift, highMask)) : l;
}

// @ts-ignore: decorator
@inline function accumulate(sum: v128, dots: v128, scale: v128, xScale: usize): v128 {
  return f32x4.add(sum, f32x4.mul(f32x4.convert_i32x4_s(dots), f32x4.mul(scale, v128.load32_splat(xScale))));
}

/** Stores a tile's four results, or as many as there are rows. */
// @ts-ignore: decorator
@inline function storeRows(target: usize, sums: v128, rows: i32): void {
  if (rows >= TILE_ROWS) {
    v128.store(target, sums);
    return;
  }
  v128.store_lane<f32>(target, sums, 0);
  if (rows > 1) v128.store_lane<f32>(target, sums, 1, 4);
  if (rows > 2) v128.store_lane<f32>(target, sums, 2, 8);
}

/** target f32[columns] = row `row` of m, dequantized. */
export function dequantizeRow(target: usize, m: Matrix, row: i32): void {
  const groups = m.columns / GROUP;
  const first = <usize>(row / TILE_ROWS) * groups;
  const lane = <usize>(row % TILE_ROWS);
  for (let group: usize = 0; group < <usize>groups; group++) {
    const at = (first + group) * TILE_GROUP_BYTES + 4 * lane;
    const scale = fromHalf(load<u16>(m.scales + (first + group) * TILE_SCALE_BYTES + 2 * lane));
    for (let column: usize = 0; column < <usize>GROUP; column++) {
      const byte = at + 16 * (column / 8) + (column & 3);
      const shift = <u32>(column & 4);
      let q = <i32>((load<u8>(m.high + byte) >> shift) & 15) - 8;
      if (m.low) q = 16 * q + <i32>((load<u8>(m.low + byte) >> shift) & 15);
      store<f32>(target, <f32>q * scale);
      target += 4;
    }
  }
}
