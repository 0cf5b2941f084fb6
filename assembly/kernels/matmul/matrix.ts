// A packed matrix: what the matmul kernels read.

import { GROUP_BYTES_INT4, GROUP_BYTES_INT8, SCALE_BYTES_INT4, SCALE_BYTES_INT8 } from "../../layout/tile";

/** A matrix in tiles (layout/tile.ts draws them). */
@unmanaged
export class Matrix {
  rows: i32;
  columns: i32;
  int8: bool; // otherwise int4
  wide: bool; // was floats in the file
  wideInput: bool; // meets 15-bit activations: it was, or one that reads the same input
  sums: bool; // meets activations with their sums: it has minimums, or one that reads the same input
  quants: usize; // u8[tiles][groups][4][64] or i8[tiles][groups][4][128]
  scales: usize; // f16[tiles][groups][16], for int8 each followed by sums i16[16]
  minimums: usize; // m of int4 w = d * q + m: f16[tiles][groups][16]; 0 where w = d * (q - 8)
}

/** Bytes of one group of a tile. */
// @ts-ignore: decorator
@inline
export function groupBytes(m: Matrix): usize {
  return m.int8 ? GROUP_BYTES_INT8 : GROUP_BYTES_INT4;
}
/** Bytes of its scales. */
// @ts-ignore: decorator
@inline
export function scaleBytes(m: Matrix): usize {
  return m.int8 ? SCALE_BYTES_INT8 : SCALE_BYTES_INT4;
}
