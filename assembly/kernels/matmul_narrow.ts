// The kernels for i8 activations (relaxed SIMD). Bands of a tile go together, four or two, so that a broadcast of activations serves
// sixteen rows or eight.
//
// Sums of a group are i16, two lanes a row, and start at the activations' bias in the first lane. Whatever a lane passes through, at the
// end of the group it is within i16 again, because its weights, less 8, are within -8..7; wrapping on the way does no harm.

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
import { dotNarrow } from "./simd";
import { accumulate, storeRows } from "./tile";

// Loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASK = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

// Two bands: what most kernels here take at once.
const HALF_GROUP: usize = 2 * BAND_GROUP_BYTES;
const HALF_SCALE: usize = 2 * BAND_SCALE_BYTES;
const HALF_OUT: usize = 2 * BAND_ROWS * 4;

/** Rows from..to-1 of out f32[tokens][m.rows] = narrow activations at x, times m; `from` is a multiple of TILE_ROWS. */
export function matmulNarrow(out: usize, m: Matrix, x: usize, tokens: i32, from: i32, to: i32): void {
  if (m.low) matmulTiles(true, out, m, x, tokens, from, to);
  else matmulTiles(false, out, m, x, tokens, from, to);
}

// @ts-ignore: decorator
@inline
function matmulTiles(int8: bool, out: usize, m: Matrix, x: usize, tokens: i32, from: i32, to: i32): void {
  const groups = m.columns / GROUP;
  const stride = activationBytes(m.columns, true);
  const outStride = <usize>m.rows * 4;
  const skipped = <usize>(from / TILE_ROWS) * groups;
  let high = m.high + skipped * TILE_GROUP_BYTES;
  let low = m.low + skipped * TILE_GROUP_BYTES;
  let scales = m.scales + skipped * TILE_SCALE_BYTES;
  out += 4 * <usize>from;
  for (let row = from; row < to; row += TILE_ROWS) {
    const rows = m.rows - row;
    let at = x;
    let target = out;
    for (let token = 0; token + 2 <= tokens; token += 2) {
      if (int8) {
        halfQ8x2(target, outStride, rows, high, low, scales, at, stride, groups);
        halfQ8x2(
          target + HALF_OUT,
          outStride,
          rows - 8,
          high + HALF_GROUP,
          low + HALF_GROUP,
          scales + HALF_SCALE,
          at,
          stride,
          groups,
        );
      } else {
        tileQ4x2(target, outStride, rows, high, scales, at, stride, groups);
      }
      at += 2 * stride;
      target += 2 * outStride;
    }
    if (tokens & 1) {
      if (int8) tileQ8(target, rows, high, low, scales, at, groups);
      else tileQ4(target, rows, high, scales, at, groups);
    }
    high += <usize>groups * TILE_GROUP_BYTES;
    if (int8) low += <usize>groups * TILE_GROUP_BYTES;
    scales += <usize>groups * TILE_SCALE_BYTES;
    out += 4 * TILE_ROWS;
  }
}

/** i32x4, one a row: the two lanes of a row together. */
// @ts-ignore: decorator
@inline
function rowSums(sums: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(sums);
}

// @ts-ignore: decorator
@inline
function highNibbles(weights: v128, mask: v128): v128 {
  return v128.and(i16x8.shr_u(weights, 4), mask);
}

/** acc + a vector of weights, 4 rows x 8 columns, and the activations of its first and of its last four columns. */
// @ts-ignore: decorator
@inline
function dotVector(acc: v128, weights: v128, x0: v128, x1: v128, mask: v128): v128 {
  return dotNarrow(dotNarrow(acc, x0, v128.and(weights, mask)), x1, highNibbles(weights, mask));
}

/** Stores the results of two bands, as many rows as there are. */
// @ts-ignore: decorator
@inline
function storeHalf(target: usize, upper: v128, lower: v128, rows: i32): void {
  storeRows(target, upper, rows);
  storeRows(target + 4 * BAND_ROWS, lower, rows - BAND_ROWS);
}

/** Activations 4 i .. 4 i + 3 of a vector of sixteen, in every lane. */
// @ts-ignore: decorator
@inline
function four(x: v128, i: i32): v128 {
  if (i == 0) return i8x16.shuffle(x, x, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
  if (i == 1) return i8x16.shuffle(x, x, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  if (i == 2) return i8x16.shuffle(x, x, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11);
  return i8x16.shuffle(x, x, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15);
}

/** Sixteen int4 rows of one token. */
function tileQ4(out: usize, rows: i32, high: usize, scales: usize, x: usize, groups: i32): void {
  const mask = v128.load(MASK);
  const keep = halfKeep();
  let xScales = x + <usize>groups * GROUP;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = xScales; x < end; x += GROUP) {
    let a = v128.load32_splat(xScales, 4);
    let b = a;
    let c = a;
    let d = a;
    let x16 = v128.load(x);
    let x0 = four(x16, 0);
    let x1 = four(x16, 1);
    a = dotVector(a, v128.load(high), x0, x1, mask);
    b = dotVector(b, v128.load(high, 64), x0, x1, mask);
    c = dotVector(c, v128.load(high, 128), x0, x1, mask);
    d = dotVector(d, v128.load(high, 192), x0, x1, mask);
    x0 = four(x16, 2);
    x1 = four(x16, 3);
    a = dotVector(a, v128.load(high, 16), x0, x1, mask);
    b = dotVector(b, v128.load(high, 80), x0, x1, mask);
    c = dotVector(c, v128.load(high, 144), x0, x1, mask);
    d = dotVector(d, v128.load(high, 208), x0, x1, mask);
    x16 = v128.load(x, 16);
    x0 = four(x16, 0);
    x1 = four(x16, 1);
    a = dotVector(a, v128.load(high, 32), x0, x1, mask);
    b = dotVector(b, v128.load(high, 96), x0, x1, mask);
    c = dotVector(c, v128.load(high, 160), x0, x1, mask);
    d = dotVector(d, v128.load(high, 224), x0, x1, mask);
    x0 = four(x16, 2);
    x1 = four(x16, 3);
    a = dotVector(a, v128.load(high, 48), x0, x1, mask);
    b = dotVector(b, v128.load(high, 112), x0, x1, mask);
    c = dotVector(c, v128.load(high, 176), x0, x1, mask);
    d = dotVector(d, v128.load(high, 240), x0, x1, mask);
    sum0 = accumulate(sum0, rowSums(a), smallHalves(scales, keep), xScales);
    sum1 = accumulate(sum1, rowSums(b), smallHalves(scales + 8, keep), xScales);
    sum2 = accumulate(sum2, rowSums(c), smallHalves(scales + 16, keep), xScales);
    sum3 = accumulate(sum3, rowSums(d), smallHalves(scales + 24, keep), xScales);
    high += TILE_GROUP_BYTES;
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  storeHalf(out, sum0, sum1, rows);
  storeHalf(out + HALF_OUT, sum2, sum3, rows - 8);
}

/** Sixteen int8 rows of one token: 16 times the high plane plus the low one. */
function tileQ8(out: usize, rows: i32, high: usize, low: usize, scales: usize, x: usize, groups: i32): void {
  const mask = v128.load(MASK);
  const keep = halfKeep();
  let xScales = x + <usize>groups * GROUP;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = xScales; x < end; x += GROUP) {
    let a = v128.load32_splat(xScales, 4);
    let b = a;
    let c = a;
    let d = a;
    let e = i16x8.splat(0);
    let f = e;
    let g = e;
    let h = e;
    let x16 = v128.load(x);
    let x0 = four(x16, 0);
    let x1 = four(x16, 1);
    a = dotVector(a, v128.load(high), x0, x1, mask);
    b = dotVector(b, v128.load(high, 64), x0, x1, mask);
    c = dotVector(c, v128.load(high, 128), x0, x1, mask);
    d = dotVector(d, v128.load(high, 192), x0, x1, mask);
    e = dotVector(e, v128.load(low), x0, x1, mask);
    f = dotVector(f, v128.load(low, 64), x0, x1, mask);
    g = dotVector(g, v128.load(low, 128), x0, x1, mask);
    h = dotVector(h, v128.load(low, 192), x0, x1, mask);
    x0 = four(x16, 2);
    x1 = four(x16, 3);
    a = dotVector(a, v128.load(high, 16), x0, x1, mask);
    b = dotVector(b, v128.load(high, 80), x0, x1, mask);
    c = dotVector(c, v128.load(high, 144), x0, x1, mask);
    d = dotVector(d, v128.load(high, 208), x0, x1, mask);
    e = dotVector(e, v128.load(low, 16), x0, x1, mask);
    f = dotVector(f, v128.load(low, 80), x0, x1, mask);
    g = dotVector(g, v128.load(low, 144), x0, x1, mask);
    h = dotVector(h, v128.load(low, 208), x0, x1, mask);
    x16 = v128.load(x, 16);
    x0 = four(x16, 0);
    x1 = four(x16, 1);
    a = dotVector(a, v128.load(high, 32), x0, x1, mask);
    b = dotVector(b, v128.load(high, 96), x0, x1, mask);
    c = dotVector(c, v128.load(high, 160), x0, x1, mask);
    d = dotVector(d, v128.load(high, 224), x0, x1, mask);
    e = dotVector(e, v128.load(low, 32), x0, x1, mask);
    f = dotVector(f, v128.load(low, 96), x0, x1, mask);
    g = dotVector(g, v128.load(low, 160), x0, x1, mask);
    h = dotVector(h, v128.load(low, 224), x0, x1, mask);
    x0 = four(x16, 2);
    x1 = four(x16, 3);
    a = dotVector(a, v128.load(high, 48), x0, x1, mask);
    b = dotVector(b, v128.load(high, 112), x0, x1, mask);
    c = dotVector(c, v128.load(high, 176), x0, x1, mask);
    d = dotVector(d, v128.load(high, 240), x0, x1, mask);
    e = dotVector(e, v128.load(low, 48), x0, x1, mask);
    f = dotVector(f, v128.load(low, 112), x0, x1, mask);
    g = dotVector(g, v128.load(low, 176), x0, x1, mask);
    h = dotVector(h, v128.load(low, 240), x0, x1, mask);
    sum0 = accumulate(sum0, planes(a, e), smallHalves(scales, keep), xScales);
    sum1 = accumulate(sum1, planes(b, f), smallHalves(scales + 8, keep), xScales);
    sum2 = accumulate(sum2, planes(c, g), smallHalves(scales + 16, keep), xScales);
    sum3 = accumulate(sum3, planes(d, h), smallHalves(scales + 24, keep), xScales);
    high += TILE_GROUP_BYTES;
    low += TILE_GROUP_BYTES;
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  storeHalf(out, sum0, sum1, rows);
  storeHalf(out + HALF_OUT, sum2, sum3, rows - 8);
}

// @ts-ignore: decorator
@inline
function planes(high: v128, low: v128): v128 {
  return i32x4.add(i32x4.shl(rowSums(high), 4), rowSums(low));
}

/** Sixteen int4 rows of two tokens. */
function tileQ4x2(
  out: usize,
  outStride: usize,
  rows: i32,
  high: usize,
  scales: usize,
  x0: usize,
  stride: usize,
  groups: i32,
): void {
  const keep = halfKeep();
  const mask = v128.load(MASK);
  const x1 = x0 + stride;
  let xScales = <usize>groups * GROUP; // from x0, x1
  let sa0 = f32x4.splat(0);
  let sa1 = sa0;
  let sb0 = sa0;
  let sb1 = sa0;
  let sc0 = sa0;
  let sc1 = sa0;
  let sd0 = sa0;
  let sd1 = sa0;
  for (let at: usize = 0, end = xScales; at < end; ) {
    let a0 = v128.load32_splat(x0 + xScales, 4);
    let a1 = v128.load32_splat(x1 + xScales, 4);
    let b0 = a0;
    let b1 = a1;
    let c0 = a0;
    let c1 = a1;
    let d0 = a0;
    let d1 = a1;
    for (const next = at + GROUP; at < next; at += 8) {
      const p0 = v128.load32_splat(x0 + at);
      const q0 = v128.load32_splat(x0 + at, 4);
      const p1 = v128.load32_splat(x1 + at);
      const q1 = v128.load32_splat(x1 + at, 4);
      let w = v128.load(high);
      let l = v128.and(w, mask);
      let h = highNibbles(w, mask);
      a0 = dotNarrow(dotNarrow(a0, p0, l), q0, h);
      a1 = dotNarrow(dotNarrow(a1, p1, l), q1, h);
      w = v128.load(high, 64);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      b0 = dotNarrow(dotNarrow(b0, p0, l), q0, h);
      b1 = dotNarrow(dotNarrow(b1, p1, l), q1, h);
      w = v128.load(high, 128);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      c0 = dotNarrow(dotNarrow(c0, p0, l), q0, h);
      c1 = dotNarrow(dotNarrow(c1, p1, l), q1, h);
      w = v128.load(high, 192);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      d0 = dotNarrow(dotNarrow(d0, p0, l), q0, h);
      d1 = dotNarrow(dotNarrow(d1, p1, l), q1, h);
      high += 16;
    }
    high += TILE_GROUP_BYTES - BAND_GROUP_BYTES;
    let scale = smallHalves(scales, keep);
    sa0 = accumulate(sa0, rowSums(a0), scale, x0 + xScales);
    sa1 = accumulate(sa1, rowSums(a1), scale, x1 + xScales);
    scale = smallHalves(scales + 8, keep);
    sb0 = accumulate(sb0, rowSums(b0), scale, x0 + xScales);
    sb1 = accumulate(sb1, rowSums(b1), scale, x1 + xScales);
    scale = smallHalves(scales + 16, keep);
    sc0 = accumulate(sc0, rowSums(c0), scale, x0 + xScales);
    sc1 = accumulate(sc1, rowSums(c1), scale, x1 + xScales);
    scale = smallHalves(scales + 24, keep);
    sd0 = accumulate(sd0, rowSums(d0), scale, x0 + xScales);
    sd1 = accumulate(sd1, rowSums(d1), scale, x1 + xScales);
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  storeHalf(out, sa0, sb0, rows);
  storeHalf(out + outStride, sa1, sb1, rows);
  storeHalf(out + HALF_OUT, sc0, sd0, rows - 8);
  storeHalf(out + HALF_OUT + outStride, sc1, sd1, rows - 8);
}

/** Eight int8 rows of two tokens. */
function halfQ8x2(
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
  const keep = halfKeep();
  const mask = v128.load(MASK);
  const x1 = x0 + stride;
  let xScales = <usize>groups * GROUP; // from x0, x1
  let sa0 = f32x4.splat(0);
  let sa1 = sa0;
  let sb0 = sa0;
  let sb1 = sa0;
  for (let at: usize = 0, end = xScales; at < end; ) {
    let a0 = v128.load32_splat(x0 + xScales, 4);
    let a1 = v128.load32_splat(x1 + xScales, 4);
    let b0 = a0;
    let b1 = a1;
    let c0 = i16x8.splat(0);
    let c1 = c0;
    let d0 = c0;
    let d1 = c0;
    for (const next = at + GROUP; at < next; at += 8) {
      const p0 = v128.load32_splat(x0 + at);
      const q0 = v128.load32_splat(x0 + at, 4);
      const p1 = v128.load32_splat(x1 + at);
      const q1 = v128.load32_splat(x1 + at, 4);
      let w = v128.load(high);
      let l = v128.and(w, mask);
      let h = highNibbles(w, mask);
      a0 = dotNarrow(dotNarrow(a0, p0, l), q0, h);
      a1 = dotNarrow(dotNarrow(a1, p1, l), q1, h);
      w = v128.load(high, 64);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      b0 = dotNarrow(dotNarrow(b0, p0, l), q0, h);
      b1 = dotNarrow(dotNarrow(b1, p1, l), q1, h);
      w = v128.load(low);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      c0 = dotNarrow(dotNarrow(c0, p0, l), q0, h);
      c1 = dotNarrow(dotNarrow(c1, p1, l), q1, h);
      w = v128.load(low, 64);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      d0 = dotNarrow(dotNarrow(d0, p0, l), q0, h);
      d1 = dotNarrow(dotNarrow(d1, p1, l), q1, h);
      high += 16;
      low += 16;
    }
    high += TILE_GROUP_BYTES - BAND_GROUP_BYTES;
    low += TILE_GROUP_BYTES - BAND_GROUP_BYTES;
    const scaleA = smallHalves(scales, keep);
    const scaleB = smallHalves(scales + 8, keep);
    sa0 = accumulate(sa0, planes(a0, c0), scaleA, x0 + xScales);
    sa1 = accumulate(sa1, planes(a1, c1), scaleA, x1 + xScales);
    sb0 = accumulate(sb0, planes(b0, d0), scaleB, x0 + xScales);
    sb1 = accumulate(sb1, planes(b1, d1), scaleB, x1 + xScales);
    scales += TILE_SCALE_BYTES;
    xScales += 8;
  }
  storeHalf(out, sa0, sb0, rows);
  storeHalf(out + outStride, sa1, sb1, rows);
}
