// What the matmul kernels share: f32 sums of a tile, f32[16], and where they go.

import { TILE_ROWS } from "../../layout/tile";
import { Matrix } from "./matrix";

/** Bytes of a tile's sums. */
export const TILE_SUMS: usize = 4 * TILE_ROWS;

/** sums + dots * (weight scales * 2^-112 * activation scale * 2^112): the one place where an integer dot becomes a float. */
// @ts-ignore: decorator
@inline
export function plusBand(sums: v128, dots: v128, scales: v128, xScale: v128): v128 {
  return plusFloats(sums, f32x4.convert_i32x4_s(dots), scales, xScale);
}
// @ts-ignore: decorator
@inline
function plusFloats(sums: v128, dots: v128, scales: v128, xScale: v128): v128 {
  return f32x4.add(sums, f32x4.mul(dots, f32x4.mul(scales, xScale)));
}
/** The same for sums f32[4] in memory. */
// @ts-ignore: decorator
@inline
export function addBand(sums: usize, dots: v128, scales: v128, xScale: v128): void {
  v128.store(sums, plusBand(v128.load(sums), dots, scales, xScale));
}
/** The same for dots that are floats already. */
// @ts-ignore: decorator
@inline
export function addFloats(sums: usize, dots: v128, scales: v128, xScale: v128): void {
  v128.store(sums, plusFloats(v128.load(sums), dots, scales, xScale));
}

/** Rows of a tile of out f32[tokens][m.rows] = sums f32[tokens][16], as many as there are. */
export function storeTile(out: usize, m: Matrix, tile: i32, sums: usize, tokens: i32): void {
  const rows = m.rows - tile * TILE_ROWS;
  out += 4 * TILE_ROWS * <usize>tile;
  for (const end = sums + TILE_SUMS * tokens; sums < end; sums += TILE_SUMS) {
    if (rows >= TILE_ROWS) {
      v128.store(out, v128.load(sums));
      v128.store(out, v128.load(sums, 16), 16);
      v128.store(out, v128.load(sums, 32), 32);
      v128.store(out, v128.load(sums, 48), 48);
    } else {
      memory.copy(out, sums, 4 * rows);
    }
    out += 4 * <usize>m.rows;
  }
}

/** Sums f32[16] of `tiles` tiles begin at 0. */
// @ts-ignore: decorator
@inline
export function clearTiles(sums: usize, tiles: i32): void {
  const zero = f32x4.splat(0);
  for (const end = sums + TILE_SUMS * tiles; sums < end; sums += 16) v128.store(sums, zero);
}
