// The kernels for i8 activations (relaxed SIMD). All bands of a tile go together, so that a broadcast of activations serves sixteen
// rows. Int4 tiles hold two tokens at once; int8 tiles, which need a sum for each plane, have registers for one.
//
// Sums of a group are i16, two lanes a row. Int4: they start at the activations' bias in the first lane; whatever a lane passes through,
// at the end of the group it is within i16 again, because its weights, less 8, are within -8..7; wrapping on the way does no harm.
// Int8: one sum for the high and one for the low nibbles of the activations, x + 128 = 16 h + l.

import { GROUP } from "../../layout/blocks";
import {
  BAND_BYTES_INT8,
  GROUP_BYTES_INT4,
  GROUP_BYTES_INT8,
  SCALE_BYTES_INT4,
  SCALE_BYTES_INT8,
  SUMS,
  TILE_ROWS,
} from "../../layout/tile";
import { halvesMask, loadScaledHalves } from "../half";
import { dotNarrow } from "../simd";
import { activationBytes } from "./activations";
import { groupBytes, Matrix, scaleBytes } from "./matrix";
import { accumulate, storeTile } from "./results";

// Loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASK = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/** Rows from..to-1 of out f32[tokens][m.rows] = M x, with narrow activations at x; `from` is a multiple of TILE_ROWS. */
export function matmulNarrow(out: usize, m: Matrix, x: usize, tokens: i32, from: i32, to: i32): void {
  const groups = <usize>(m.columns / GROUP);
  const stride = activationBytes(m.columns, true);
  const outStride = <usize>m.rows * 4;
  const skipped = <usize>(from / TILE_ROWS) * groups;
  let quants = m.quants + skipped * groupBytes(m);
  let scales = m.scales + skipped * scaleBytes(m);
  out += 4 * <usize>from;
  for (let row = from; row < to; row += TILE_ROWS) {
    let at = x;
    let target = out;
    let left = tokens;
    for (; left >= 2 && !m.int8; left -= 2) {
      tileInt4x2(m, row, target, quants, scales, at);
      at += 2 * stride;
      target += 2 * outStride;
    }
    for (; left > 0; left--) {
      if (m.int8) tileInt8(m, row, target, quants, scales, at);
      else tileInt4(m, row, target, quants, scales, at);
      at += stride;
      target += outStride;
    }
    quants += groups * groupBytes(m);
    scales += groups * scaleBytes(m);
    out += 4 * TILE_ROWS;
  }
}

// A tile: its sixteen rows from `row` on, f32 at `out` (as many as there are), from weights at `quants` and scales at `scales` and the
// activations at `x`.

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

/** Activations 4 i .. 4 i + 3 of a vector of sixteen, in every lane. */
// @ts-ignore: decorator
@inline
function four(x: v128, i: i32): v128 {
  if (i == 0) return i8x16.shuffle(x, x, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
  if (i == 1) return i8x16.shuffle(x, x, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  if (i == 2) return i8x16.shuffle(x, x, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11);
  return i8x16.shuffle(x, x, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15);
}

/** An int4 tile and one token. */
function tileInt4(m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x: usize): void {
  const mask = v128.load(MASK);
  const halfMask = halvesMask();
  let xScales: usize = x + 3 * <usize>m.columns;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = x + <usize>m.columns; x < end; x += GROUP) {
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
    sum0 = accumulate(sum0, rowSums(a), loadScaledHalves(scales, halfMask), xScales);
    sum1 = accumulate(sum1, rowSums(b), loadScaledHalves(scales + 8, halfMask), xScales);
    sum2 = accumulate(sum2, rowSums(c), loadScaledHalves(scales + 16, halfMask), xScales);
    sum3 = accumulate(sum3, rowSums(d), loadScaledHalves(scales + 24, halfMask), xScales);
    quants += GROUP_BYTES_INT4;
    scales += SCALE_BYTES_INT4;
    xScales += 8;
  }
  storeTile(out, sum0, sum1, sum2, sum3, m.rows - row);
}

/** An int4 tile and two tokens, neighbours at x and at out. */
function tileInt4x2(m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x0: usize): void {
  const halfMask = halvesMask();
  const mask = v128.load(MASK);
  const x1 = x0 + activationBytes(m.columns, true);
  let xScales: usize = 3 * <usize>m.columns; // from x0, x1
  let sa0 = f32x4.splat(0);
  let sa1 = sa0;
  let sb0 = sa0;
  let sb1 = sa0;
  let sc0 = sa0;
  let sc1 = sa0;
  let sd0 = sa0;
  let sd1 = sa0;
  for (let at: usize = 0, end = <usize>m.columns; at < end; ) {
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
      a0 = dotVector(a0, w, p0, q0, mask);
      a1 = dotVector(a1, w, p1, q1, mask);
      w = v128.load(quants, 64);
      b0 = dotVector(b0, w, p0, q0, mask);
      b1 = dotVector(b1, w, p1, q1, mask);
      w = v128.load(quants, 128);
      c0 = dotVector(c0, w, p0, q0, mask);
      c1 = dotVector(c1, w, p1, q1, mask);
      w = v128.load(quants, 192);
      d0 = dotVector(d0, w, p0, q0, mask);
      d1 = dotVector(d1, w, p1, q1, mask);
      quants += 16;
    }
    quants += GROUP_BYTES_INT4 - 64;
    let scale = loadScaledHalves(scales, halfMask);
    sa0 = accumulate(sa0, rowSums(a0), scale, x0 + xScales);
    sa1 = accumulate(sa1, rowSums(a1), scale, x1 + xScales);
    scale = loadScaledHalves(scales + 8, halfMask);
    sb0 = accumulate(sb0, rowSums(b0), scale, x0 + xScales);
    sb1 = accumulate(sb1, rowSums(b1), scale, x1 + xScales);
    scale = loadScaledHalves(scales + 16, halfMask);
    sc0 = accumulate(sc0, rowSums(c0), scale, x0 + xScales);
    sc1 = accumulate(sc1, rowSums(c1), scale, x1 + xScales);
    scale = loadScaledHalves(scales + 24, halfMask);
    sd0 = accumulate(sd0, rowSums(d0), scale, x0 + xScales);
    sd1 = accumulate(sd1, rowSums(d1), scale, x1 + xScales);
    scales += SCALE_BYTES_INT4;
    xScales += 8;
  }
  storeTile(out, sa0, sb0, sc0, sd0, m.rows - row);
  storeTile(out + 4 * <usize>m.rows, sa1, sb1, sc1, sd1, m.rows - row);
}

/** An int8 tile and one token. */
function tileInt8(m: Matrix, row: i32, out: usize, quants: usize, scales: usize, x: usize): void {
  const halfMask = halvesMask();
  const columns = <usize>m.columns;
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
    sum0 = accumulate(sum0, combineNibbles(a, e, scales), loadScaledHalves(scales, halfMask), xScales);
    sum1 = accumulate(sum1, combineNibbles(b, f, scales + 8), loadScaledHalves(scales + 8, halfMask), xScales);
    sum2 = accumulate(sum2, combineNibbles(c, g, scales + 16), loadScaledHalves(scales + 16, halfMask), xScales);
    sum3 = accumulate(sum3, combineNibbles(d, i, scales + 24), loadScaledHalves(scales + 24, halfMask), xScales);
    scales += SCALE_BYTES_INT8;
    xScales += 8;
  }
  storeTile(out, sum0, sum1, sum2, sum3, m.rows - row);
}

/** dot(x, w) = 16 dot(h, w) + dot(l, w) - 128 sum(w); `scales` of the band, its sums behind them. */
// @ts-ignore: decorator
@inline
function combineNibbles(high: v128, low: v128, scales: usize): v128 {
  const sums = i32x4.shl(v128.load16x4_s(scales, SUMS), 7);
  return i32x4.sub(i32x4.add(i32x4.shl(rowSums(high), 4), rowSums(low)), sums);
}
