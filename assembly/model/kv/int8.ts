// What an int8 cache has of a head in a page (vectors.ts draws a vector):
//
//     biases i32[BLOCK] | key scales f32[BLOCK] | value scales f32[BLOCK] | keys i8[BLOCK / 4][headSize / 4][4][4]
//     values i8[headSize / 8][8][2][4][4]
//
// It is stored after a rotation (kernels/hadamard.ts), because a large number among 64 would cost all the others their precision; value =
// scale * q. A bias is -64 times the sum of a key's q: what a query's bias has to lose (kernels/attention.ts).

import { KEY_SCALES, KEY_VECTORS, VALUE_SCALES } from "../../kernels/attention";
import { nearestInt, TINY } from "../../kernels/math";
import { i32x4Sum, largestMagnitude } from "../../kernels/reduce";
import { BLOCK, QUERY_BIAS, TILE_POSITIONS } from "../../layout/kv";
import { clearKeyVectors, clearValueVectors, keyTile, laneOf, lanesBefore, putColumns, valueTile } from "./vectors";

/** Bytes of a page's keys of a head, and of what lies with them. */
// @ts-ignore: decorator
@inline
export function keyBytesInt8(headSize: i32): usize {
  return KEY_VECTORS + <usize>headSize * BLOCK;
}

/** Stores position `own` of a page, from a key and a value f32[headSize], rotated. */
export function storeInt8(keys: usize, values: usize, own: i32, key: usize, value: usize, headSize: i32): void {
  const bias = storeHead(true, keys + KEY_VECTORS, keys + KEY_SCALES, own, key, headSize);
  store<i32>(keys + 4 * <usize>own, bias);
  storeHead(false, values, keys + VALUE_SCALES, own, value, headSize);
}

/** Rounds f32[headSize] to int8 and puts it among the keys, or the values, of a head's page; returns the bias. */
function storeHead(areKeys: bool, vectors: usize, scales: usize, own: i32, source: usize, headSize: i32): i32 {
  const end = source + <usize>headSize * 4;
  const amax = largestMagnitude(source, end);
  const inverse = f32x4.splat(amax > TINY ? 127 / amax : 0);
  store<f32>(scales + 4 * <usize>own, amax / 127);

  const before = lanesBefore(areKeys, own % TILE_POSITIONS);
  const lane = laneOf(areKeys, own % TILE_POSITIONS);
  let target = areKeys ? vectors + keyTile(own, headSize) : vectors + valueTile(own, 32);
  let sum = i32x4.splat(0);
  for (; source < end; source += 32) {
    for (let half: usize = 0; half < 32; half += 16) {
      const q = nearestInt(f32x4.mul(v128.load(source + half), inverse));
      sum = i32x4.add(sum, q);
      const words = i16x8.narrow_i32x4_s(q, q);
      putColumns(areKeys, target + half, i8x16.narrow_i16x8_s(words, words), before, lane);
    }
    target += areKeys ? 32 : 8 * BLOCK;
  }
  return -QUERY_BIAS * i32x4Sum(sum);
}

/** Makes a page's keys of a head, and what lies with them, 0 from position `from` on. */
export function clearKeysInt8(at: usize, from: i32, headSize: i32): void {
  const rest = <usize>(BLOCK - from) * 4;
  memory.fill(at + 4 * <usize>from, 0, rest);
  memory.fill(at + KEY_SCALES + 4 * <usize>from, 0, rest);
  memory.fill(at + VALUE_SCALES + 4 * <usize>from, 0, rest);
  clearKeyVectors(at + KEY_VECTORS, from, headSize);
}
/** Its values. */
export function clearValuesInt8(at: usize, from: i32, headSize: i32): void {
  clearValueVectors(at, from, <usize>headSize * BLOCK, 32);
}
