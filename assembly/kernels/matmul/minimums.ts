// What the minimums of an int4 matrix, w = d * q + m, add to a product: m times the sum of a group's activations. It comes after all groups
// of d * q, so that it is the same whichever kernel went over those.

import { GROUP } from "../../layout/blocks";
import { BAND_SCALE_BYTES, SCALE_BYTES_INT4 } from "../../layout/tile";
import { halvesMask, loadScaledHalves } from "../half";
import { RELAXED } from "../simd";
import { activationBytes, SUM_EXCESS, sumsOffset } from "./activations";
import { Matrix } from "./matrix";
import { TILE_SUMS } from "./results";

/** sums f32[tokens][16] of a tile += minimums times the sums of the activations at `x`; the first token's number is even. */
export function addMinimums(sums: usize, m: Matrix, tile: i32, x: usize, tokens: i32): void {
  const narrow = RELAXED && !m.wideInput;
  const groups = <usize>m.columns / GROUP;
  const minimums = m.minimums + <usize>tile * groups * SCALE_BYTES_INT4;
  const end = minimums + groups * SCALE_BYTES_INT4;
  const offset = sumsOffset(m.columns, narrow);
  for (; tokens >= 2; tokens -= 2) {
    addTokens(2, sums, minimums, end, x + 2 * offset);
    sums += 2 * TILE_SUMS;
    x += 2 * activationBytes(m.columns, narrow);
  }
  if (tokens > 0) addTokens(1, sums, minimums, end, x + offset);
}

/** Of one token, or of two that share a row. */
// @ts-ignore: decorator
@inline
function addTokens(tokens: usize, sums: usize, minimums: usize, end: usize, xSums: usize): void {
  const mask = halvesMask();
  let a0 = f32x4.splat(0);
  let b0 = a0;
  let c0 = a0;
  let d0 = a0;
  let a1 = a0;
  let b1 = a0;
  let c1 = a0;
  let d1 = a0;
  for (; minimums < end; minimums += SCALE_BYTES_INT4) {
    const a = loadScaledHalves(minimums, mask);
    const b = loadScaledHalves(minimums + BAND_SCALE_BYTES, mask);
    const c = loadScaledHalves(minimums + 2 * BAND_SCALE_BYTES, mask);
    const d = loadScaledHalves(minimums + 3 * BAND_SCALE_BYTES, mask);
    const x0 = v128.load32_splat(xSums);
    a0 = f32x4.add(a0, f32x4.mul(a, x0));
    b0 = f32x4.add(b0, f32x4.mul(b, x0));
    c0 = f32x4.add(c0, f32x4.mul(c, x0));
    d0 = f32x4.add(d0, f32x4.mul(d, x0));
    if (tokens == 2) {
      const x1 = v128.load32_splat(xSums, 4);
      a1 = f32x4.add(a1, f32x4.mul(a, x1));
      b1 = f32x4.add(b1, f32x4.mul(b, x1));
      c1 = f32x4.add(c1, f32x4.mul(c, x1));
      d1 = f32x4.add(d1, f32x4.mul(d, x1));
    }
    xSums += 4 * tokens;
  }
  addTile(sums, a0, b0, c0, d0);
  if (tokens == 2) addTile(sums + TILE_SUMS, a1, b1, c1, d1);
}

// @ts-ignore: decorator
@inline
function addTile(sums: usize, a: v128, b: v128, c: v128, d: v128): void {
  const excess = f32x4.splat(SUM_EXCESS);
  v128.store(sums, f32x4.add(v128.load(sums), f32x4.mul(a, excess)));
  v128.store(sums, f32x4.add(v128.load(sums, 16), f32x4.mul(b, excess)), 16);
  v128.store(sums, f32x4.add(v128.load(sums, 32), f32x4.mul(c, excess)), 32);
  v128.store(sums, f32x4.add(v128.load(sums, 48), f32x4.mul(d, excess)), 48);
}
