// The kernels for i8 activations (relaxed SIMD), of few tokens. All bands of a tile go together, so that a broadcast of activations serves
// sixteen rows; of int4 weights that are unpacked, two tokens make use.
//
// Sums of a group are i16, two lanes a row. Int4: they start at the activations' bias in the first lane; whatever a lane passes through,
// at the end of the group it is within i16 again, because its weights, less 8, are within -8..7; wrapping on the way does no harm.
// Int8: one sum for the high and one for the low nibbles of the activations, x + 128 = 16 h + l.
//
// Where the engine's i32x4.relaxed_dot_i8x16_i7x16_add_s is one fast instruction (`add`), sums are i32, and an activation meets an int8
// weight whole.

import { GROUP } from "../../layout/blocks";
import {
  BAND_BYTES_INT8,
  BAND_SCALE_BYTES,
  GROUP_BYTES_INT4,
  GROUP_BYTES_INT8,
  SCALE_BYTES_INT4,
  SCALE_BYTES_INT8,
  SUMS,
} from "../../layout/tile";
import { halvesMask, loadScaledHalves } from "../half";
import { dotAdd, dotNarrow, PLANE_HIGH, PLANE_LOW, PLANE_UNSIGNED, xBytes } from "../simd";
import { activationBytes } from "./activations";
import { addBand, plusBand, TILE_SUMS } from "./results";
import { Streams, together } from "./streams";

// Loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASK = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);
export function nibbleMask(): v128 {
  return v128.load(MASK);
}

/** s.sums += the tiles of an int4 matrix, group by group. */
export function streamInt4(s: Streams): void {
  int4(false, s);
}
/** The same with i32 sums. */
export function streamInt4Add(s: Streams): void {
  int4(true, s);
}
/** The same of an int8 matrix. */
export function streamInt8(s: Streams): void {
  int8(false, s);
}
/** The same with activations that are whole. */
export function streamInt8Add(s: Streams): void {
  int8(true, s);
}

// @ts-ignore: decorator
@inline
function int4(add: bool, s: Streams): void {
  const mask = nibbleMask();
  const halfMask = halvesMask();
  const columns = <usize>s.columns;
  const pair: usize = 2 * activationBytes(s.columns, true);
  const xScales = columns * xBytes(true) + s.starts;
  let quants = s.quants;
  let scales = s.scales;
  const width = together(s);
  for (let column: usize = 0; column < columns; column += width) {
    let q = quants;
    let scale = scales;
    let sums = s.sums;
    for (let left = s.count; left > 0; left--) {
      let row = s.x;
      let tokens = s.tokens;
      for (; tokens >= 2; tokens -= 2) {
        const xScale = row + 2 * xScales + column / 2; // 16 bytes a group
        groupInt4x2(add, sums, q, scale, row + 2 * column, xScale, mask, halfMask);
        row += pair;
        sums += 2 * TILE_SUMS;
      }
      if (tokens > 0) {
        const xScale = row + xScales + column / 4; // 8 bytes
        groupsInt4(add, width, sums, q, scale, row + column, xScale, mask, halfMask);
        sums += TILE_SUMS;
      }
      q += s.quantsApart;
      scale += s.scalesApart;
    }
    quants += (width / GROUP) * GROUP_BYTES_INT4;
    scales += (width / GROUP) * SCALE_BYTES_INT4;
  }
}

// @ts-ignore: decorator
@inline
function int8(add: bool, s: Streams): void {
  const halfMask = halvesMask();
  const columns = <usize>s.columns;
  const plane = add ? s.plane : PLANE_HIGH;
  const width = together(s);
  let quants = s.quants;
  let scales = s.scales;
  for (let column: usize = 0; column < columns; column += width) {
    let q = quants;
    let scale = scales;
    let sums = s.sums;
    for (let left = s.count; left > 0; left--) {
      if (s.tokens == 1) {
        const x = s.x + plane * columns + column;
        groupsInt8(
          add,
          width,
          sums,
          q,
          scale,
          x,
          columns,
          1,
          s.x + columns * xBytes(true) + column / 4,
          plane,
          halfMask,
        );
        sums += TILE_SUMS;
      } else {
        sums = tokensInt8(add, s, sums, q, scale, column, plane, halfMask);
      }
      q += s.quantsApart;
      scale += s.scalesApart;
    }
    quants += (width / GROUP) * GROUP_BYTES_INT8;
    scales += (width / GROUP) * SCALE_BYTES_INT8;
  }
}

/** Several tokens and one group; returns the end of their sums. */
// @ts-ignore: decorator
@inline
function tokensInt8(
  add: bool,
  s: Streams,
  sums: usize,
  quants: usize,
  scales: usize,
  column: usize,
  plane: usize,
  halfMask: v128,
): usize {
  const columns = <usize>s.columns;
  const pair: usize = 2 * activationBytes(s.columns, true);
  let row = s.x;
  for (let token = 0; token < s.tokens; token++) {
    const spread: usize = (token | 1) < s.tokens ? 2 : 1; // of a pair, whose second token is
    const second = <usize>token & 1;
    const x = row + spread * (plane * columns + column) + 4 * second;
    const xScale = row + spread * (columns * xBytes(true) + column / 4) + 8 * second;
    groupsInt8(add, GROUP, sums, quants, scales, x, columns, spread, xScale, plane, halfMask);
    sums += TILE_SUMS;
    row += pair * second;
  }
  return sums;
}

/** i32x4, one a row: the two lanes of a row together. */
// @ts-ignore: decorator
@inline
export function rowSums(sums: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(sums);
}

// @ts-ignore: decorator
@inline
export function highNibbles(weights: v128, mask: v128): v128 {
  return v128.and(i16x8.shr_u(weights, 4), mask);
}

/** The sums of a group begin at the activations' bias, which is an i16 (activations.ts). */
// @ts-ignore: decorator
@inline
export function bias(add: bool, xScale: usize): v128 {
  return add ? i32x4.extend_low_i16x8_s(v128.load16_splat(xScale, 4)) : v128.load32_splat(xScale, 4);
}

/** acc + a vector of weights, 4 rows x 8 columns, and the activations of its first and of its last four columns. */
// @ts-ignore: decorator
@inline
function dotVector(add: bool, acc: v128, weights: v128, x0: v128, x1: v128, mask: v128): v128 {
  const low = v128.and(weights, mask);
  const high = highNibbles(weights, mask);
  return add ? dotAdd(dotAdd(acc, x0, low), x1, high) : dotNarrow(dotNarrow(acc, x0, low), x1, high);
}

// Groups of a tile, `width` columns: f32[16] at `sums` +=, from weights at `quants`, their scales and the activations of these columns.

// @ts-ignore: decorator
@inline
function groupsInt4(
  add: bool,
  width: usize,
  sums: usize,
  quants: usize,
  scales: usize,
  x: usize,
  xScale: usize,
  mask: v128,
  halfMask: v128,
): void {
  let sum0 = v128.load(sums);
  let sum1 = v128.load(sums, 16);
  let sum2 = v128.load(sums, 32);
  let sum3 = v128.load(sums, 48);
  for (const last = x + width; x < last; xScale += 8) {
    let a = bias(add, xScale);
    let b = a;
    let c = a;
    let d = a;
    for (const end = x + GROUP; x < end; x += 8) {
      const x0 = v128.load32_splat(x);
      const x1 = v128.load32_splat(x, 4);
      a = dotVector(add, a, v128.load(quants), x0, x1, mask);
      b = dotVector(add, b, v128.load(quants, 64), x0, x1, mask);
      c = dotVector(add, c, v128.load(quants, 128), x0, x1, mask);
      d = dotVector(add, d, v128.load(quants, 192), x0, x1, mask);
      quants += 16;
    }
    const s = v128.load32_splat(xScale);
    sum0 = plusBand(sum0, add ? a : rowSums(a), loadScaledHalves(scales, halfMask), s);
    sum1 = plusBand(sum1, add ? b : rowSums(b), loadScaledHalves(scales + BAND_SCALE_BYTES, halfMask), s);
    sum2 = plusBand(sum2, add ? c : rowSums(c), loadScaledHalves(scales + 2 * BAND_SCALE_BYTES, halfMask), s);
    sum3 = plusBand(sum3, add ? d : rowSums(d), loadScaledHalves(scales + 3 * BAND_SCALE_BYTES, halfMask), s);
    quants += GROUP_BYTES_INT4 - 64;
    scales += SCALE_BYTES_INT4;
  }
  v128.store(sums, sum0);
  v128.store(sums, sum1, 16);
  v128.store(sums, sum2, 32);
  v128.store(sums, sum3, 48);
}

/** A group of two tokens that share a row. */
// @ts-ignore: decorator
@inline
function groupInt4x2(
  add: bool,
  sums: usize,
  quants: usize,
  scales: usize,
  x: usize,
  xScale: usize,
  mask: v128,
  halfMask: v128,
): void {
  let a0 = bias(add, xScale);
  let a1 = bias(add, xScale + 8);
  let b0 = a0;
  let b1 = a1;
  let c0 = a0;
  let c1 = a1;
  let d0 = a0;
  let d1 = a1;
  for (const end = x + 2 * GROUP; x < end; x += 16) {
    const p0 = v128.load32_splat(x);
    const p1 = v128.load32_splat(x, 4);
    const q0 = v128.load32_splat(x, 8);
    const q1 = v128.load32_splat(x, 12);
    let w = v128.load(quants);
    a0 = dotVector(add, a0, w, p0, q0, mask);
    a1 = dotVector(add, a1, w, p1, q1, mask);
    w = v128.load(quants, 64);
    b0 = dotVector(add, b0, w, p0, q0, mask);
    b1 = dotVector(add, b1, w, p1, q1, mask);
    w = v128.load(quants, 128);
    c0 = dotVector(add, c0, w, p0, q0, mask);
    c1 = dotVector(add, c1, w, p1, q1, mask);
    w = v128.load(quants, 192);
    d0 = dotVector(add, d0, w, p0, q0, mask);
    d1 = dotVector(add, d1, w, p1, q1, mask);
    quants += 16;
  }
  const s0 = v128.load32_splat(xScale);
  const s1 = v128.load32_splat(xScale, 8);
  let scale = loadScaledHalves(scales, halfMask);
  addBand(sums, add ? a0 : rowSums(a0), scale, s0);
  addBand(sums + TILE_SUMS, add ? a1 : rowSums(a1), scale, s1);
  scale = loadScaledHalves(scales + BAND_SCALE_BYTES, halfMask);
  addBand(sums + 16, add ? b0 : rowSums(b0), scale, s0);
  addBand(sums + TILE_SUMS + 16, add ? b1 : rowSums(b1), scale, s1);
  scale = loadScaledHalves(scales + 2 * BAND_SCALE_BYTES, halfMask);
  addBand(sums + 32, add ? c0 : rowSums(c0), scale, s0);
  addBand(sums + TILE_SUMS + 32, add ? c1 : rowSums(c1), scale, s1);
  scale = loadScaledHalves(scales + 3 * BAND_SCALE_BYTES, halfMask);
  addBand(sums + 48, add ? d0 : rowSums(d0), scale, s0);
  addBand(sums + TILE_SUMS + 48, add ? d1 : rowSums(d1), scale, s1);
}

/** Of a token, alone or in a pair (`spread` 2). */
// @ts-ignore: decorator
@inline
function groupsInt8(
  add: bool,
  width: usize,
  sums: usize,
  quants: usize,
  scales: usize,
  x: usize,
  columns: usize,
  spread: usize,
  xScale: usize,
  plane: usize,
  halfMask: v128,
): void {
  if (add) groupsInt8Add(width, sums, quants, scales, x, spread, xScale, plane, halfMask);
  else groupsInt8Nibbles(width, sums, quants, scales, x, columns, spread, xScale, halfMask);
}

/** From the high nibbles of the activations. */
// @ts-ignore: decorator
@inline
function groupsInt8Nibbles(
  width: usize,
  sums: usize,
  quants: usize,
  scales: usize,
  high: usize,
  columns: usize,
  spread: usize,
  xScale: usize,
  halfMask: v128,
): void {
  let sum0 = v128.load(sums);
  let sum1 = v128.load(sums, 16);
  let sum2 = v128.load(sums, 32);
  let sum3 = v128.load(sums, 48);
  let low = high + (PLANE_LOW - PLANE_HIGH) * columns * spread;
  for (const last = high + width * spread; high < last; xScale += 8 * spread) {
    let a = i16x8.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let e = a;
    let f = a;
    let g = a;
    let i = a;
    // A loop, because V8 orders straight code band by band and spills the sixteen broadcasts.
    for (const end = quants + BAND_BYTES_INT8; quants < end; quants += 16) {
      const h = v128.load32_splat(high);
      const l = v128.load32_splat(low);
      let w = v128.load(quants);
      a = dotNarrow(a, w, h);
      e = dotNarrow(e, w, l);
      w = v128.load(quants, BAND_BYTES_INT8);
      b = dotNarrow(b, w, h);
      f = dotNarrow(f, w, l);
      w = v128.load(quants, 2 * BAND_BYTES_INT8);
      c = dotNarrow(c, w, h);
      g = dotNarrow(g, w, l);
      w = v128.load(quants, 3 * BAND_BYTES_INT8);
      d = dotNarrow(d, w, h);
      i = dotNarrow(i, w, l);
      high += 4 * spread;
      low += 4 * spread;
    }
    const x = v128.load32_splat(xScale);
    sum0 = plusBand(sum0, combineNibbles(a, e, scales), loadScaledHalves(scales, halfMask), x);
    scales += BAND_SCALE_BYTES;
    sum1 = plusBand(sum1, combineNibbles(b, f, scales), loadScaledHalves(scales, halfMask), x);
    scales += BAND_SCALE_BYTES;
    sum2 = plusBand(sum2, combineNibbles(c, g, scales), loadScaledHalves(scales, halfMask), x);
    scales += BAND_SCALE_BYTES;
    sum3 = plusBand(sum3, combineNibbles(d, i, scales), loadScaledHalves(scales, halfMask), x);
    quants += 3 * BAND_BYTES_INT8;
    scales += SCALE_BYTES_INT8 - 3 * BAND_SCALE_BYTES;
  }
  v128.store(sums, sum0);
  v128.store(sums, sum1, 16);
  v128.store(sums, sum2, 32);
  v128.store(sums, sum3, 48);
}

/** dot(x, w) = 16 dot(h, w) + dot(l, w) - 128 sum(w); `scales` of the band, its sums behind them. */
// @ts-ignore: decorator
@inline
function combineNibbles(high: v128, low: v128, scales: usize): v128 {
  return i32x4.sub(joinNibbles(high, low), i32x4.shl(v128.load16x4_s(scales, SUMS), 7));
}
/** dot(x + 128, w) */
// @ts-ignore: decorator
@inline
export function joinNibbles(high: v128, low: v128): v128 {
  return i32x4.add(i32x4.shl(rowSums(high), 4), rowSums(low));
}

/** What makes dot(x, w) of a dot with that plane: 0, or -128 sum(w). */
// @ts-ignore: decorator
@inline
export function offset(plane: usize, scales: usize): v128 {
  return plane ? i32x4.neg(i32x4.shl(v128.load16x4_s(scales, SUMS), 7)) : i32x4.splat(0);
}

/** From the whole activations. */
// @ts-ignore: decorator
@inline
function groupsInt8Add(
  width: usize,
  sums: usize,
  quants: usize,
  scales: usize,
  x: usize,
  spread: usize,
  xScale: usize,
  plane: usize,
  halfMask: v128,
): void {
  let sum0 = v128.load(sums);
  let sum1 = v128.load(sums, 16);
  let sum2 = v128.load(sums, 32);
  let sum3 = v128.load(sums, 48);
  for (const last = x + width * spread; x < last; xScale += 8 * spread) {
    let a = offset(plane, scales);
    let b = offset(plane, scales + BAND_SCALE_BYTES);
    let c = offset(plane, scales + 2 * BAND_SCALE_BYTES);
    let d = offset(plane, scales + 3 * BAND_SCALE_BYTES);
    for (const end = quants + BAND_BYTES_INT8; quants < end; quants += 16) {
      const u = v128.load32_splat(x);
      a = dotAdd(a, v128.load(quants), u);
      b = dotAdd(b, v128.load(quants, BAND_BYTES_INT8), u);
      c = dotAdd(c, v128.load(quants, 2 * BAND_BYTES_INT8), u);
      d = dotAdd(d, v128.load(quants, 3 * BAND_BYTES_INT8), u);
      x += 4 * spread;
    }
    const s = v128.load32_splat(xScale);
    sum0 = plusBand(sum0, a, loadScaledHalves(scales, halfMask), s);
    sum1 = plusBand(sum1, b, loadScaledHalves(scales + BAND_SCALE_BYTES, halfMask), s);
    sum2 = plusBand(sum2, c, loadScaledHalves(scales + 2 * BAND_SCALE_BYTES, halfMask), s);
    sum3 = plusBand(sum3, d, loadScaledHalves(scales + 3 * BAND_SCALE_BYTES, halfMask), s);
    quants += 3 * BAND_BYTES_INT8;
    scales += SCALE_BYTES_INT8;
  }
  v128.store(sums, sum0);
  v128.store(sums, sum1, 16);
  v128.store(sums, sum2, 32);
  v128.store(sums, sum3, 48);
}
