// Quantized weights times quantized activations: out[token][row] = sum over groups of scale(row) * scale(token) * integer dot.
//
// The integer dot of a group of 32 columns is exact; groups are added in f32 in column order. So a result depends neither on how
// many tokens are computed together nor on which of the kernels computes it.

import { GROUP } from "../layout/blocks";
import { HALF_GROUP_BYTES, HALF_ROWS, TILE_GROUP_BYTES, TILE_ROWS, TILE_SCALE_BYTES } from "../layout/tile";
import { Matrix } from "../weights";
import { fromHalf } from "./half";
import { matmulNarrow } from "./matmul_narrow";
import { matmulWide } from "./matmul_wide";
import { RELAXED } from "./simd";

/** out f32[tokens][m.rows] = activations (kernels/quantize.ts) of `tokens` tokens at x, times m. */
export function matmul(out: usize, m: Matrix, x: usize, tokens: i32, narrow: bool): void {
  if (RELAXED && narrow) matmulNarrow(out, m, x, tokens);
  else matmulWide(out, m, x, tokens);
}

/** target f32[columns] = row `row` of m, dequantized. */
export function dequantizeRow(target: usize, m: Matrix, row: i32): void {
  const groups = m.columns / GROUP;
  const first = <usize>(row / TILE_ROWS) * groups;
  const lane = <usize>(row % TILE_ROWS);
  for (let group: usize = 0; group < <usize>groups; group++) {
    const at = (first + group) * TILE_GROUP_BYTES + (lane / HALF_ROWS) * HALF_GROUP_BYTES + 4 * (lane % HALF_ROWS);
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
