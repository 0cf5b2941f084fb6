// The kernels for i16 activations, in every build. `int8` is a constant at every call: one source, two kernels.

import { GROUP } from "../../layout/blocks";
import {
  BAND_BYTES_INT4,
  BAND_BYTES_INT8,
  BAND_SCALE_BYTES,
  GROUP_BYTES_INT4,
  GROUP_BYTES_INT8,
  SCALE_BYTES_INT4,
  SCALE_BYTES_INT8,
} from "../../layout/tile";
import { halvesMask, loadScaledHalves } from "../half";
import { dotWide, xBytes } from "../simd";
import { activationBytes } from "./activations";
import { addBand, plusBand, TILE_SUMS } from "./results";
import { Streams, together } from "./streams";

// Loaded once a call: V8 would build a constant anew at every use inside a loop.
const MASK = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15], 16);
export function pairMask(): v128 {
  return v128.load(MASK);
}

/** s.sums += the tiles of an int4 matrix, group by group. */
export function streamWideInt4(s: Streams): void {
  stream(false, s);
}
/** The same of an int8 matrix. */
export function streamWideInt8(s: Streams): void {
  stream(true, s);
}

// @ts-ignore: decorator
@inline
function stream(int8: bool, s: Streams): void {
  const mask = pairMask();
  const halfMask = halvesMask();
  const columns = <usize>s.columns;
  const pair: usize = 2 * activationBytes(s.columns, false);
  const xScales = columns * xBytes(false) + s.starts;
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
        groupOfTwo(int8, sums, q, scale, row + 2 * column * xBytes(false), xScale, mask, halfMask);
        row += pair;
        sums += 2 * TILE_SUMS;
      }
      if (tokens > 0) {
        const xScale = row + xScales + column / 4; // 8 bytes
        groupsOfOne(int8, width, sums, q, scale, row + column * xBytes(false), xScale, mask, halfMask);
        sums += TILE_SUMS;
      }
      q += s.quantsApart;
      scale += s.scalesApart;
    }
    quants += (width / GROUP) * (int8 ? GROUP_BYTES_INT8 : GROUP_BYTES_INT4);
    scales += (width / GROUP) * (int8 ? SCALE_BYTES_INT8 : SCALE_BYTES_INT4);
  }
}

// Groups of a tile, `width` columns: f32[16] at `sums` +=, from weights at `quants`, their scales and the activations of these columns.

// @ts-ignore: decorator
@inline
function groupsOfOne(
  int8: bool,
  width: usize,
  sums: usize,
  quants: usize,
  scales: usize,
  x: usize,
  xScale: usize,
  mask: v128,
  halfMask: v128,
): void {
  const band: usize = int8 ? BAND_BYTES_INT8 : BAND_BYTES_INT4;
  let sum0 = v128.load(sums);
  let sum1 = v128.load(sums, 16);
  let sum2 = v128.load(sums, 32);
  let sum3 = v128.load(sums, 48);
  for (const last = x + width * xBytes(false); x < last; xScale += 8) {
    let a = int8 ? i32x4.splat(0) : v128.load32_splat(xScale, 4);
    let b = a;
    let c = a;
    let d = a;
    for (const end = quants + band; quants < end; quants += band / 4) {
      const x0 = v128.load32_splat(x);
      const x1 = v128.load32_splat(x, 4);
      const x2 = v128.load32_splat(x, 8);
      const x3 = v128.load32_splat(x, 12);
      a = dotVector(int8, a, quants, x0, x1, x2, x3, mask);
      b = dotVector(int8, b, quants + band, x0, x1, x2, x3, mask);
      c = dotVector(int8, c, quants + 2 * band, x0, x1, x2, x3, mask);
      d = dotVector(int8, d, quants + 3 * band, x0, x1, x2, x3, mask);
      x += 16;
    }
    const s = v128.load32_splat(xScale);
    sum0 = plusBand(sum0, a, loadScaledHalves(scales, halfMask), s);
    sum1 = plusBand(sum1, b, loadScaledHalves(scales + BAND_SCALE_BYTES, halfMask), s);
    sum2 = plusBand(sum2, c, loadScaledHalves(scales + 2 * BAND_SCALE_BYTES, halfMask), s);
    sum3 = plusBand(sum3, d, loadScaledHalves(scales + 3 * BAND_SCALE_BYTES, halfMask), s);
    quants += 3 * band;
    scales += int8 ? SCALE_BYTES_INT8 : SCALE_BYTES_INT4;
  }
  v128.store(sums, sum0);
  v128.store(sums, sum1, 16);
  v128.store(sums, sum2, 32);
  v128.store(sums, sum3, 48);
}

/** A group of two tokens that share a row. */
// @ts-ignore: decorator
@inline
function groupOfTwo(
  int8: bool,
  sums: usize,
  quants: usize,
  scales: usize,
  x: usize,
  xScale: usize,
  mask: v128,
  halfMask: v128,
): void {
  const band: usize = int8 ? BAND_BYTES_INT8 : BAND_BYTES_INT4;
  const s0 = v128.load32_splat(xScale);
  const s1 = v128.load32_splat(xScale, 8);
  for (const end = sums + TILE_SUMS; sums < end; sums += 32) {
    let a0 = int8 ? i32x4.splat(0) : v128.load32_splat(xScale, 4);
    let a1 = int8 ? a0 : v128.load32_splat(xScale, 12);
    let b0 = a0;
    let b1 = a1;
    let at = x;
    for (const last = quants + band; quants < last; quants += band / 4) {
      const p0 = v128.load32_splat(at);
      const p1 = v128.load32_splat(at, 4);
      const q0 = v128.load32_splat(at, 8);
      const q1 = v128.load32_splat(at, 12);
      const r0 = v128.load32_splat(at, 16);
      const r1 = v128.load32_splat(at, 20);
      const t0 = v128.load32_splat(at, 24);
      const t1 = v128.load32_splat(at, 28);
      let first = v128.load(quants);
      let second = int8 ? v128.load(quants, 16) : first;
      a0 = dotOf(int8, a0, first, second, p0, q0, r0, t0, mask);
      a1 = dotOf(int8, a1, first, second, p1, q1, r1, t1, mask);
      first = v128.load(quants + band);
      second = int8 ? v128.load(quants + band, 16) : first;
      b0 = dotOf(int8, b0, first, second, p0, q0, r0, t0, mask);
      b1 = dotOf(int8, b1, first, second, p1, q1, r1, t1, mask);
      at += 32;
    }
    quants += band;
    let scale = loadScaledHalves(scales, halfMask);
    addBand(sums, a0, scale, s0);
    addBand(sums + TILE_SUMS, a1, scale, s1);
    scale = loadScaledHalves(scales + BAND_SCALE_BYTES, halfMask);
    addBand(sums + 16, b0, scale, s0);
    addBand(sums + TILE_SUMS + 16, b1, scale, s1);
    scales += 2 * BAND_SCALE_BYTES;
  }
}

/** acc + eight columns of four rows, and the activations of their pairs. */
// @ts-ignore: decorator
@inline
function dotVector(int8: bool, acc: v128, quants: usize, x0: v128, x1: v128, x2: v128, x3: v128, mask: v128): v128 {
  const first = v128.load(quants);
  return dotOf(int8, acc, first, int8 ? v128.load(quants, 16) : first, x0, x1, x2, x3, mask);
}

// @ts-ignore: decorator
@inline
function dotOf(
  int8: bool,
  acc: v128,
  first: v128,
  second: v128,
  x0: v128,
  x1: v128,
  x2: v128,
  x3: v128,
  mask: v128,
): v128 {
  acc = dotWide(acc, columnPair(int8, first, second, 0, mask), x0);
  acc = dotWide(acc, columnPair(int8, first, second, 1, mask), x1);
  acc = dotWide(acc, columnPair(int8, first, second, 2, mask), x2);
  return dotWide(acc, columnPair(int8, first, second, 3, mask), x3);
}

/** Columns 2 i, 2 i + 1 of four rows as i16x8: q of an int4 matrix (0..15) from its one vector, or of an int8 one from its two. */
// @ts-ignore: decorator
@inline
export function columnPair(int8: bool, first: v128, second: v128, i: i32, mask: v128): v128 {
  if (int8) {
    const vector = i & 1 ? second : first;
    return i16x8.shr_s(i < 2 ? i16x8.shl(vector, 8) : vector, 8);
  }
  const shifted = i == 0 ? first : i16x8.shr_u(first, 4 * i);
  return i == 3 ? shifted : v128.and(shifted, mask);
}
