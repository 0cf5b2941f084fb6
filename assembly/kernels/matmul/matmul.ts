// Quantized weights times quantized activations: out[token][row] = sum over groups of scale(row) * scale(token) * integer dot.
//
// The integer dot of a group of 32 columns is exact; groups are added in f32 in column order. So a result depends neither on how
// many tokens are computed together nor on which of the kernels computes it.

import { GROUP } from "../../layout/blocks";
import { BAND_ROWS, TILE_ROWS } from "../../layout/tile";
import { parallelFor, parameter, setParameter, threadCount } from "../../runtime/threads";
import { fromHalf } from "../half";
import { RELAXED } from "../simd";
import { groupBytes, Matrix, scaleBytes } from "./matrix";
import { matmulNarrow } from "./narrow";
import { matmulWide } from "./wide";

const CHUNKS_PER_THREAD = 4;

/**
 * out f32[tokens][m.rows] = M x, with x the activations (activations.ts) of `tokens` tokens, wide where m.wideInput says so. Rows are
 * shared between threads.
 */
export function matmul(out: usize, m: Matrix, x: usize, tokens: i32): void {
  const step = chunkRows(m.rows);
  setParameter(0, out);
  setParameter(1, changetype<usize>(m));
  setParameter(2, x);
  setParameter(3, tokens);
  setParameter(4, step);
  parallelFor(matmulShared, (m.rows + step - 1) / step);
}

/** Rows of a chunk: a few chunks for each thread, so that one which is held up costs little. */
function chunkRows(rows: i32): i32 {
  const threads = threadCount();
  if (threads == 1) return rows;
  const step = rows / (threads * CHUNKS_PER_THREAD) + TILE_ROWS;
  return step - (step % TILE_ROWS);
}

function matmulShared(chunk: i32, thread: i32): void {
  const m = changetype<Matrix>(parameter(1));
  const step = <i32>parameter(4);
  const from = chunk * step;
  const to = min(from + step, m.rows);
  const tokens = <i32>parameter(3);
  if (RELAXED && !m.wideInput) matmulNarrow(parameter(0), m, parameter(2), tokens, from, to);
  else matmulWide(parameter(0), m, parameter(2), tokens, from, to);
}

/** target f32[columns] = row `row` of m, dequantized. */
export function dequantizeRow(target: usize, m: Matrix, row: i32): void {
  const groups = m.columns / GROUP;
  const band = <usize>((row % TILE_ROWS) / BAND_ROWS);
  let group = <usize>(row / TILE_ROWS) * groups;
  for (const end = group + groups; group < end; group++) {
    const scale = fromHalf(load<u16>(m.scales + group * scaleBytes(m) + 2 * (row % TILE_ROWS)));
    const quants = m.quants + group * groupBytes(m) + band * (groupBytes(m) / 4) + 4 * (row % BAND_ROWS);
    for (let column: usize = 0; column < <usize>GROUP; column++) {
      // layout/tile.ts: which of the row's four bytes, and whether it is in the second vector or the high nibble.
      const byte = ((column & 1) << 1) | ((column >> 2) & 1);
      const second = (column >> 1) & 1;
      const q = m.int8
        ? load<i8>(quants + 32 * (column / 8) + 16 * second + byte)
        : <i32>((load<u8>(quants + 16 * (column / 8) + byte) >> <u8>(4 * second)) & 15) - 8;
      store<f32>(target, <f32>q * scale);
      target += 4;
    }
  }
}
