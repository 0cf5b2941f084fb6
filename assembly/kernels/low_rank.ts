// out += c * B t for a B of few columns, the second factor of an adapter. Rows are multiples of 16, and each has one scale, as the
// activations have: sums over the columns are exact integers. Columns are filled up to an even number.
//
//     B   tiles of 16 rows | q i8[columns / 2][16 rows][2] | scales f32[16] |
//     t   | scale f32 | 12 bytes unused | q i16[columns], 15 bits |

import { TILE_ROWS } from "../layout/tile";
import { TINY } from "./math";

const SCALES: usize = 4 * TILE_ROWS; // bytes, of a tile
const HEAD: usize = 16; // bytes of an activation before its numbers
const LARGEST: f32 = 65504; // scale

/** Columns as they are stored. */
// @ts-ignore: decorator
@inline
function stored(columns: i32): i32 {
  return (columns + 1) & ~1;
}
/** Bytes of a B. */
export function lowRankBytes(rows: i32, columns: i32): usize {
  return <usize>(rows / TILE_ROWS) * tileBytes(columns);
}
// @ts-ignore: decorator
@inline
function tileBytes(columns: i32): usize {
  return <usize>(stored(columns) * TILE_ROWS) + SCALES;
}
/** Bytes of a t. */
// @ts-ignore: decorator
@inline
export function lowActivationBytes(columns: i32): usize {
  return HEAD + 2 * <usize>stored(columns);
}

function largestOf(source: usize, columns: i32): f32 {
  let largest: f32 = 0;
  for (let i = 0; i < columns; i++) largest = max(largest, abs(load<f32>(source + 4 * i)));
  return largest;
}

/** Packs f32[columns] as a row of the B at `target`; false when its scale is too large. */
export function packLowRank(target: usize, row: i32, columns: i32, source: usize): bool {
  const tile = target + <usize>(row / TILE_ROWS) * tileBytes(columns);
  const step = largestOf(source, columns) / 127;
  if (!(step <= LARGEST)) return false;
  const inverse: f32 = step > TINY ? 1 / step : 0;
  const lane = row % TILE_ROWS;
  for (let i = 0; i < columns; i++) {
    const q = <i8>nearest(load<f32>(source + 4 * i) * inverse);
    store<i8>(tile + 2 * TILE_ROWS * (i >> 1) + 2 * lane + (i & 1), q);
  }
  store<f32>(tile + TILE_ROWS * stored(columns) + 4 * lane, step);
  return true;
}

/** Quantizes f32[columns] as the t at `target`; returns the largest of their absolute values. */
export function quantizeLow(target: usize, columns: i32, source: usize): f32 {
  const largest = largestOf(source, columns);
  const inverse: f32 = largest > TINY ? 16383 / largest : 0;
  store<f32>(target, largest / 16383);
  if (columns & 1) store<i16>(target + HEAD + 2 * columns, 0);
  for (let i = 0; i < columns; i++)
    store<i16>(target + HEAD + 2 * i, <i16>nearest(load<f32>(source + 4 * i) * inverse));
  return largest;
}

/** out f32[rows] += c * B t, for the tile `tile` of B. */
// @ts-ignore: decorator
@inline
export function addLowRank(out: usize, b: usize, tile: i32, columns: i32, t: usize, c: f32): void {
  let q = b + <usize>tile * tileBytes(columns);
  let sum0 = i32x4.splat(0);
  let sum1 = i32x4.splat(0);
  let sum2 = i32x4.splat(0);
  let sum3 = i32x4.splat(0);
  const factor = f32x4.splat(c * load<f32>(t));
  t += HEAD;
  for (const end = t + 2 * columns; t < end; t += 4) {
    const x = v128.load32_splat(t);
    sum0 = i32x4.add(sum0, i32x4.dot_i16x8_s(v128.load8x8_s(q), x));
    sum1 = i32x4.add(sum1, i32x4.dot_i16x8_s(v128.load8x8_s(q, 8), x));
    sum2 = i32x4.add(sum2, i32x4.dot_i16x8_s(v128.load8x8_s(q, 16), x));
    sum3 = i32x4.add(sum3, i32x4.dot_i16x8_s(v128.load8x8_s(q, 24), x));
    q += 2 * TILE_ROWS;
  }
  out += <usize>(4 * TILE_ROWS * tile);
  addFour(out, q, sum0, factor);
  addFour(out + 16, q + 16, sum1, factor);
  addFour(out + 32, q + 32, sum2, factor);
  addFour(out + 48, q + 48, sum3, factor);
}
// @ts-ignore: decorator
@inline
function addFour(out: usize, scales: usize, sums: v128, factor: v128): void {
  const change = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sums), v128.load(scales)), factor);
  v128.store(out, f32x4.add(v128.load(out), change));
}
