// The kernels for i8 activations (relaxed SIMD). All bands of a tile go together, so that a broadcast of activations serves sixteen
// rows. Int4 tiles hold two tokens at once; int8 tiles, which need a sum for each plane, have registers for one.
//
// Sums of a group are i16, two lanes a row. Int4: they start at the activations' bias in the first lane; whatever a lane passes through,
// at the end of the group it is within i16 again, because its weights, less 8, are within -8..7; wrapping on the way does no harm.
// Int8: one sum for the high and one for the low nibbles of the activations, x + 128 = 16 h + l.

import { GROUP } from "../../layout/blocks";
import {
  BAND_BYTES_INT8,
  BAND_ROWS,
  GROUP_BYTES_INT4,
  GROUP_BYTES_INT8,
  SCALE_BYTES_INT4,
  SCALE_BYTES_INT8,
  SUMS,
  TILE_ROWS,
} from "../../layout/tile";
import { halfKeep, smallHalves } from "../half";
import { dotNarrow } from "../simd";
import { activationBytes } from "./activations";
import { groupBytes, Matrix, scaleBytes } from "./matrix";
import { accumulate, storeRows } from "./results";

// Loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASK = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/** Bytes of a token's results of two bands. */
const HALF_OUT: usize = 2 * BAND_ROWS * 4;

/** Rows from..to-1 of out f32[tokens][m.rows] = narrow activations at x, times m; `from` is a multiple of TILE_ROWS. */
export function matmulNarrow(out: usize, m: Matrix, x: usize, tokens: i32, from: i32, to: i32): void {
  const groups = m.columns / GROUP;
  const stride = activationBytes(m.columns, true);
  const outStride = <usize>m.rows * 4;
  const skipped = <usize>(from / TILE_ROWS) * groups;
  let quants = m.quants + skipped * groupBytes(m);
  let scales = m.scales + skipped * scaleBytes(m);
  out += 4 * <usize>from;
  for (let row = from; row < to; row += TILE_ROWS) {
    const rows = m.rows - row;
    let at = x;
    let target = out;
    let left = tokens;
    for (; left >= 2 && !m.int8; left -= 2) {
      tileInt4x2(target, outStride, rows, quants, scales, at, stride, groups);
      at += 2 * stride;
      target += 2 * outStride;
    }
    for (; left > 0; left--) {
      if (m.int8) tileInt8(target, rows, quants, scales, at, groups);
      else tileInt4(target, rows, quants, scales, at, groups);
      at += stride;
      target += outStride;
    }
    quants += <usize>groups * groupBytes(m);
    scales += <usize>groups * scaleBytes(m);
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
function tileInt4(out: usize, rows: i32, quants: usize, scales: usize, x: usize, groups: i32): void {
  const mask = v128.load(MASK);
  const keep = halfKeep();
  let xScales = x + <usize>groups * (3 * GROUP);
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = x + <usize>groups * GROUP; x < end; x += GROUP) {
    let a = v128.load32_splat(xScales, 4);
    let b = a;
    let c = a;
    let d = a;
    let x16 = v128.load(x);
    let x0 = four(x16, 0);
    let x1 = four(x16, 1);
    a = dotVector(a, v128.load(quants), x0, x1, mask);
    b = dotVector(b, v128.load(quants, 64), x0, x1, mask);
    c = dotVector(c, v128.load(quants, 128), x0, x1, mask);
    d = dotVector(d, v128.load(quants, 192), x0, x1, mask);
    x0 = four(x16, 2);
    x1 = four(x16, 3);
    a = dotVector(a, v128.load(quants, 16), x0, x1, mask);
    b = dotVector(b, v128.load(quants, 80), x0, x1, mask);
    c = dotVector(c, v128.load(quants, 144), x0, x1, mask);
    d = dotVector(d, v128.load(quants, 208), x0, x1, mask);
    x16 = v128.load(x, 16);
    x0 = four(x16, 0);
    x1 = four(x16, 1);
    a = dotVector(a, v128.load(quants, 32), x0, x1, mask);
    b = dotVector(b, v128.load(quants, 96), x0, x1, mask);
    c = dotVector(c, v128.load(quants, 160), x0, x1, mask);
    d = dotVector(d, v128.load(quants, 224), x0, x1, mask);
    x0 = four(x16, 2);
    x1 = four(x16, 3);
    a = dotVector(a, v128.load(quants, 48), x0, x1, mask);
    b = dotVector(b, v128.load(quants, 112), x0, x1, mask);
    c = dotVector(c, v128.load(quants, 176), x0, x1, mask);
    d = dotVector(d, v128.load(quants, 240), x0, x1, mask);
    sum0 = accumulate(sum0, rowSums(a), smallHalves(scales, keep), xScales);
    sum1 = accumulate(sum1, rowSums(b), smallHalves(scales + 8, keep), xScales);
    sum2 = accumulate(sum2, rowSums(c), smallHalves(scales + 16, keep), xScales);
    sum3 = accumulate(sum3, rowSums(d), smallHalves(scales + 24, keep), xScales);
    quants += GROUP_BYTES_INT4;
    scales += SCALE_BYTES_INT4;
    xScales += 8;
  }
  storeHalf(out, sum0, sum1, rows);
  storeHalf(out + HALF_OUT, sum2, sum3, rows - 8);
}

/** Sixteen int4 rows of two tokens. */
function tileInt4x2(
  out: usize,
  outStride: usize,
  rows: i32,
  quants: usize,
  scales: usize,
  x0: usize,
  stride: usize,
  groups: i32,
): void {
  const keep = halfKeep();
  const mask = v128.load(MASK);
  const x1 = x0 + stride;
  let xScales = <usize>groups * (3 * GROUP); // from x0, x1
  let sa0 = f32x4.splat(0);
  let sa1 = sa0;
  let sb0 = sa0;
  let sb1 = sa0;
  let sc0 = sa0;
  let sc1 = sa0;
  let sd0 = sa0;
  let sd1 = sa0;
  for (let at: usize = 0, end = <usize>groups * GROUP; at < end; ) {
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
      let w = v128.load(quants);
      let l = v128.and(w, mask);
      let h = highNibbles(w, mask);
      a0 = dotNarrow(dotNarrow(a0, p0, l), q0, h);
      a1 = dotNarrow(dotNarrow(a1, p1, l), q1, h);
      w = v128.load(quants, 64);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      b0 = dotNarrow(dotNarrow(b0, p0, l), q0, h);
      b1 = dotNarrow(dotNarrow(b1, p1, l), q1, h);
      w = v128.load(quants, 128);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      c0 = dotNarrow(dotNarrow(c0, p0, l), q0, h);
      c1 = dotNarrow(dotNarrow(c1, p1, l), q1, h);
      w = v128.load(quants, 192);
      l = v128.and(w, mask);
      h = highNibbles(w, mask);
      d0 = dotNarrow(dotNarrow(d0, p0, l), q0, h);
      d1 = dotNarrow(dotNarrow(d1, p1, l), q1, h);
      quants += 16;
    }
    quants += GROUP_BYTES_INT4 - 64;
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
    scales += SCALE_BYTES_INT4;
    xScales += 8;
  }
  storeHalf(out, sa0, sb0, rows);
  storeHalf(out + outStride, sa1, sb1, rows);
  storeHalf(out + HALF_OUT, sc0, sd0, rows - 8);
  storeHalf(out + HALF_OUT + outStride, sc1, sd1, rows - 8);
}

/** Sixteen int8 rows of one token. */
function tileInt8(out: usize, rows: i32, quants: usize, scales: usize, x: usize, groups: i32): void {
  const keep = halfKeep();
  const columns = <usize>groups * GROUP;
  let high = x + columns;
  let low = high + columns;
  let xScales = low + columns;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = low; high < end; ) {
    let a = i16x8.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let e = a;
    let f = a;
    let g = a;
    let i = a;
    // A loop, because V8 orders straight code band by band and spills the sixteen broadcasts.
    for (const next = high + GROUP; high < next; high += 4) {
      const h = v128.load32_splat(high);
      const l = v128.load32_splat(low);
      let w = v128.load(quants);
      a = dotNarrow(a, w, h);
      e = dotNarrow(e, w, l);
      w = v128.load(quants, 128);
      b = dotNarrow(b, w, h);
      f = dotNarrow(f, w, l);
      w = v128.load(quants, 256);
      c = dotNarrow(c, w, h);
      g = dotNarrow(g, w, l);
      w = v128.load(quants, 384);
      d = dotNarrow(d, w, h);
      i = dotNarrow(i, w, l);
      quants += 16;
      low += 4;
    }
    quants += GROUP_BYTES_INT8 - BAND_BYTES_INT8;
    sum0 = accumulate(sum0, planes(a, e, scales), smallHalves(scales, keep), xScales);
    sum1 = accumulate(sum1, planes(b, f, scales + 8), smallHalves(scales + 8, keep), xScales);
    sum2 = accumulate(sum2, planes(c, g, scales + 16), smallHalves(scales + 16, keep), xScales);
    sum3 = accumulate(sum3, planes(d, i, scales + 24), smallHalves(scales + 24, keep), xScales);
    scales += SCALE_BYTES_INT8;
    xScales += 8;
  }
  storeHalf(out, sum0, sum1, rows);
  storeHalf(out + HALF_OUT, sum2, sum3, rows - 8);
}

/** dot(x, w) = 16 dot(h, w) + dot(l, w) - 128 sum(w); `scales` of the band, its sums behind them. */
// @ts-ignore: decorator
@inline
function planes(high: v128, low: v128, scales: usize): v128 {
  const sums = i32x4.shl(v128.load16x4_s(scales, SUMS), 7);
  return i32x4.sub(i32x4.add(i32x4.shl(rowSums(high), 4), rowSums(low)), sums);
}
