// Vectors of the cache's integers: one holds four columns of four positions, int4 twice as many (the low halves of its bytes are four
// columns, the high halves the four behind them). Keys are summed over columns, values over positions:
//
//                    byte 0   1   2   3     4   5   6   7     8 ...            position p, column c
//     keys           p0 c0  c1  c2  c3    p1 c0  c1  c2  c3   p2 c0
//     values         c0 p0  p1  p2  p3    c1 p0  p1  p2  p3   c2 p0
//
// Both lie in the order in which they are read: a tile of keys, four positions, column by column; of values eight columns of all tiles
// and then the next eight. Behind the last position that was stored, a vector is 0; what stands in a page's other tiles is stale.

import { BLOCK, TILE_POSITIONS } from "../../layout/kv";

/** Vectors of one position: where its tile begins, how far one is from the next, and which of their lanes are its own. */
// @ts-ignore: decorator
@inline
export function keyTile(position: i32, rowBytes: usize): usize {
  return <usize>(position / TILE_POSITIONS) * (<usize>TILE_POSITIONS * rowBytes);
}
// @ts-ignore: decorator
@inline
export function valueTile(position: i32, tileBytes: usize): usize {
  return <usize>(position / TILE_POSITIONS) * tileBytes;
}

const LANES = memory.data<i32>([0, 1, 2, 3], 16);

/** Of the four positions of a vector: those in front of `lane`, which stay when it is stored; those behind it become 0. */
// @ts-ignore: decorator
@inline
export function lanesBefore(areKeys: bool, lane: i32): v128 {
  return areKeys ? i32x4.lt_s(v128.load(LANES), i32x4.splat(lane)) : i32x4.splat((1 << (8 * lane)) - 1);
}
/** Position `lane` itself. */
// @ts-ignore: decorator
@inline
export function laneOf(areKeys: bool, lane: i32): v128 {
  return areKeys ? i32x4.eq(v128.load(LANES), i32x4.splat(lane)) : i32x4.splat(255 << (8 * lane));
}

/** Puts a position's four columns into a vector; `bytes` has them four times. */
// @ts-ignore: decorator
@inline
export function putColumns(areKeys: bool, target: usize, bytes: v128, before: v128, own: v128): void {
  const spread = areKeys ? bytes : i8x16.shuffle(bytes, bytes, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  v128.store(target, v128.or(v128.and(v128.load(target), before), v128.and(spread, own)));
}

/** Makes the vectors of a head's keys 0 from position `from` on. */
export function clearKeyVectors(at: usize, from: i32, rowBytes: usize): void {
  for (let position = from & ~(TILE_POSITIONS - 1); position < BLOCK; position += TILE_POSITIONS) {
    const lanes = lanesBefore(true, max(from - position, 0));
    maskVectors(at + keyTile(position, rowBytes), <usize>TILE_POSITIONS * rowBytes, lanes);
  }
}
/** The same for its values, `bytes` in all, of which a tile of eight columns takes `tileBytes`. */
export function clearValueVectors(at: usize, from: i32, bytes: usize, tileBytes: usize): void {
  for (let position = from & ~(TILE_POSITIONS - 1); position < BLOCK; position += TILE_POSITIONS) {
    const lanes = lanesBefore(false, max(from - position, 0));
    let tile = at + valueTile(position, tileBytes);
    for (const end = tile + bytes; tile < end; tile += <usize>(BLOCK / TILE_POSITIONS) * tileBytes) {
      maskVectors(tile, tileBytes, lanes);
    }
  }
}
function maskVectors(at: usize, bytes: usize, lanes: v128): void {
  for (const end = at + bytes; at < end; at += 16) v128.store(at, v128.and(v128.load(at), lanes));
}
