// What the matmul kernels share.

import { BAND_ROWS } from "../../layout/tile";

/** sum + dots * (weight scales * 2^-112 * activation scale * 2^112): the one place where an integer dot becomes a float. */
// @ts-ignore: decorator
@inline
export function accumulate(sum: v128, dots: v128, scales: v128, xScale: usize): v128 {
  return f32x4.add(sum, f32x4.mul(f32x4.convert_i32x4_s(dots), f32x4.mul(scales, v128.load32_splat(xScale))));
}

/** Stores the results of four rows, or as many as there are rows. */
// @ts-ignore: decorator
@inline
export function storeRows(target: usize, sums: v128, rows: i32): void {
  if (rows >= BAND_ROWS) {
    v128.store(target, sums);
    return;
  }
  if (rows > 0) v128.store_lane<f32>(target, sums, 0);
  if (rows > 1) v128.store_lane<f32>(target, sums, 1, 4);
  if (rows > 2) v128.store_lane<f32>(target, sums, 2, 8);
}

/** Stores the results of a tile, four rows a band, or as many as there are rows. */
// @ts-ignore: decorator
@inline
export function storeTile(target: usize, a: v128, b: v128, c: v128, d: v128, rows: i32): void {
  storeRows(target, a, rows);
  storeRows(target + 4 * BAND_ROWS, b, rows - BAND_ROWS);
  storeRows(target + 8 * BAND_ROWS, c, rows - 2 * BAND_ROWS);
  storeRows(target + 12 * BAND_ROWS, d, rows - 3 * BAND_ROWS);
}
