// The kernels for i16 activations, in every build. `int8` is a constant at every call: one source, two kernels.

import { GROUP } from "../../layout/blocks";
import {
  BAND_BYTES_INT4,
  BAND_BYTES_INT8,
  BAND_ROWS,
  BAND_SCALE_BYTES,
  SCALE_BYTES_INT4,
  SCALE_BYTES_INT8,
  TILE_ROWS,
} from "../../layout/tile";
import { halvesMask, loadScaledHalves } from "../half";
import { dotWide } from "../simd";
import { activationBytes } from "./activations";
import { groupBytes, Matrix, scaleBytes } from "./matrix";
import { accumulate, storeRows, storeTile } from "./results";

// Loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASK = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15], 16);

const X_GROUP: usize = GROUP * 2;
const X_VECTOR: usize = 16; // of 8 activations
const BANDS: usize = TILE_ROWS / BAND_ROWS;

/** Rows from..to-1 of out f32[tokens][m.rows] = M x, with wide activations at x; `from` is a multiple of TILE_ROWS. */
export function matmulWide(out: usize, m: Matrix, x: usize, tokens: i32, from: i32, to: i32): void {
  const groups = <usize>(m.columns / GROUP);
  const stride = activationBytes(m.columns, false);
  const outStride = <usize>m.rows * 4;
  const skipped = <usize>(from / TILE_ROWS) * groups;
  let quants = m.quants + skipped * groupBytes(m);
  let scales = m.scales + skipped * scaleBytes(m);
  out += 4 * <usize>from;
  const fours = tokens & ~3;
  for (let row = from; row < to; row += TILE_ROWS) {
    for (let band: usize = 0; band < BANDS; band++) {
      const q = quants + (band * groupBytes(m)) / BANDS;
      const s = scales + band * BAND_SCALE_BYTES;
      const bandRow = row + BAND_ROWS * <i32>band;
      let at = x;
      let target = out + 4 * BAND_ROWS * band;
      for (let token = 0; token < fours; token += 4) {
        if (m.int8) bandInt8x4(m, bandRow, target, q, s, at);
        else bandInt4x4(m, bandRow, target, q, s, at);
        at += 4 * stride;
        target += 4 * outStride;
      }
    }
    for (let token = fours; token < tokens; token++) {
      const at = x + <usize>token * stride;
      const target = out + <usize>token * outStride;
      if (m.int8) tileInt8(m, row, target, quants, scales, at);
      else tileInt4(m, row, target, quants, scales, at);
    }
    quants += groups * groupBytes(m);
    scales += groups * scaleBytes(m);
    out += 4 * TILE_ROWS;
  }
}

// Sixteen rows, or four, from `row` on, f32 at `out` (as many as there are), from weights at `quants` and scales at `scales` and the
// activations at `x`.

function tileInt4(m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x: usize): void {
  tile(false, m, row, out, quants, scales, x);
}
function tileInt8(m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x: usize): void {
  tile(true, m, row, out, quants, scales, x);
}
function bandInt4x4(m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x: usize): void {
  bandOfFour(false, m, row, out, quants, scales, x);
}
function bandInt8x4(m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x: usize): void {
  bandOfFour(true, m, row, out, quants, scales, x);
}

/** Sixteen rows of one token. */
// @ts-ignore: decorator
@inline
function tile(int8: bool, m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x: usize): void {
  const mask = v128.load(MASK);
  const halfMask = halvesMask();
  const band: usize = int8 ? BAND_BYTES_INT8 : BAND_BYTES_INT4;
  const vector: usize = band / 4; // bytes of 8 columns
  let xScales: usize = x + 2 * <usize>m.columns;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = xScales; x < end; ) {
    let a = int8 ? i32x4.splat(0) : v128.load32_splat(xScales, 4);
    let b = a;
    let c = a;
    let d = a;
    for (const next = x + X_GROUP; x < next; x += X_VECTOR) {
      const x0 = v128.load32_splat(x);
      const x1 = v128.load32_splat(x, 4);
      const x2 = v128.load32_splat(x, 8);
      const x3 = v128.load32_splat(x, 12);
      a = dotVector(int8, a, quants, x0, x1, x2, x3, mask);
      b = dotVector(int8, b, quants + band, x0, x1, x2, x3, mask);
      c = dotVector(int8, c, quants + 2 * band, x0, x1, x2, x3, mask);
      d = dotVector(int8, d, quants + 3 * band, x0, x1, x2, x3, mask);
      quants += vector;
    }
    quants += 3 * band;
    sum0 = accumulate(sum0, a, loadScaledHalves(scales, halfMask), xScales);
    sum1 = accumulate(sum1, b, loadScaledHalves(scales + BAND_SCALE_BYTES, halfMask), xScales);
    sum2 = accumulate(sum2, c, loadScaledHalves(scales + 2 * BAND_SCALE_BYTES, halfMask), xScales);
    sum3 = accumulate(sum3, d, loadScaledHalves(scales + 3 * BAND_SCALE_BYTES, halfMask), xScales);
    scales += int8 ? SCALE_BYTES_INT8 : SCALE_BYTES_INT4;
    xScales += 8;
  }
  storeTile(out, sum0, sum1, sum2, sum3, m.rows - row);
}

/** acc + eight columns of four rows, and the activations of their pairs. */
// @ts-ignore: decorator
@inline
function dotVector(int8: bool, acc: v128, quants: usize, x0: v128, x1: v128, x2: v128, x3: v128, mask: v128): v128 {
  const first = v128.load(quants);
  const second = int8 ? v128.load(quants, 16) : first;
  acc = dotWide(acc, pair(int8, first, second, 0, mask), x0);
  acc = dotWide(acc, pair(int8, first, second, 1, mask), x1);
  acc = dotWide(acc, pair(int8, first, second, 2, mask), x2);
  return dotWide(acc, pair(int8, first, second, 3, mask), x3);
}

/** Four rows of four tokens: the weights are unpacked once. */
// @ts-ignore: decorator
@inline
function bandOfFour(int8: bool, m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x0: usize): void {
  const mask = v128.load(MASK);
  const halfMask = halvesMask();
  const band: usize = int8 ? BAND_BYTES_INT8 : BAND_BYTES_INT4;
  const stride = activationBytes(m.columns, false);
  const outStride = <usize>m.rows * 4;
  const rows = m.rows - row;
  const x1 = x0 + stride;
  const x2 = x1 + stride;
  const x3 = x2 + stride;
  let xScales: usize = 2 * <usize>m.columns; // from x0, x1, x2, x3
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (let at: usize = 0, end = xScales; at < end; ) {
    let a0 = int8 ? i32x4.splat(0) : v128.load32_splat(x0 + xScales, 4);
    let a1 = int8 ? a0 : v128.load32_splat(x1 + xScales, 4);
    let a2 = int8 ? a0 : v128.load32_splat(x2 + xScales, 4);
    let a3 = int8 ? a0 : v128.load32_splat(x3 + xScales, 4);
    for (const next = at + X_GROUP; at < next; at += X_VECTOR) {
      const first = v128.load(quants);
      const second = int8 ? v128.load(quants, 16) : first;
      const p0 = pair(int8, first, second, 0, mask);
      const p1 = pair(int8, first, second, 1, mask);
      const p2 = pair(int8, first, second, 2, mask);
      const p3 = pair(int8, first, second, 3, mask);
      a0 = dotPairs(a0, p0, p1, p2, p3, x0 + at);
      a1 = dotPairs(a1, p0, p1, p2, p3, x1 + at);
      a2 = dotPairs(a2, p0, p1, p2, p3, x2 + at);
      a3 = dotPairs(a3, p0, p1, p2, p3, x3 + at);
      quants += band / 4;
    }
    quants += 3 * band;
    const scale = loadScaledHalves(scales, halfMask);
    sum0 = accumulate(sum0, a0, scale, x0 + xScales);
    sum1 = accumulate(sum1, a1, scale, x1 + xScales);
    sum2 = accumulate(sum2, a2, scale, x2 + xScales);
    sum3 = accumulate(sum3, a3, scale, x3 + xScales);
    scales += int8 ? SCALE_BYTES_INT8 : SCALE_BYTES_INT4;
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

/** Columns 2 i, 2 i + 1 of four rows as i16x8: q of an int4 matrix (0..15) from its one vector, or of an int8 one from its two. */
// @ts-ignore: decorator
@inline
function pair(int8: bool, first: v128, second: v128, i: i32, mask: v128): v128 {
  if (int8) {
    const vector = i & 1 ? second : first;
    return i16x8.shr_s(i < 2 ? i16x8.shl(vector, 8) : vector, 8);
  }
  const shifted = i == 0 ? first : i16x8.shr_u(first, 4 * i);
  return i == 3 ? shifted : v128.and(shifted, mask);
}
