// Keys and values of every position, in the arena, one segment for every layer, keys and values, and key-value head; int8 after a
// rotation (kernels/hadamard.ts), because a large number among 64 would cost all the others their precision:
//
//     f32:    f32[capacity][headSize]
//     f16:    f16[capacity][headSize]
//     int8:   keys i8[capacity / 4][headSize / 4][4][4], values i8[capacity / 32][headSize / 8][8][2][4][4]; after all of these f32
//             scales [capacity] for each, value = scale * q, and for each segment of keys i32[capacity], -64 times the sum of a key's q:
//             what a query's bias has to lose (kernels/attention.ts)
//
// A vector of int8 holds four columns of four positions. Keys are summed over columns, values over positions:
//
//                    byte 0   1   2   3     4   5   6   7     8 ...            position p, column c
//     keys           p0 c0  c1  c2  c3    p1 c0  c1  c2  c3   p2 c0
//     values         c0 p0  p1  p2  p3    c1 p0  p1  p2  p3   c2 p0
//
// Both lie in the order in which they are read: a tile of keys, four positions, column by column; of values a block of 32 positions
// (BLOCK), eight columns of all its tiles and then the next eight. Behind the last position that was stored, a vector is 0. What a
// snapshot copies is the beginning of every segment.

import { rotate } from "../kernels/hadamard";
import { HALF_LIMIT, toHalves } from "../kernels/half";
import { nearestInt, TINY } from "../kernels/math";
import { f32x4Max, i32x4Sum } from "../kernels/reduce";
import { KV_F16, KV_INT8 } from "../layout/abi";
import { BLOCK, QUERY_BIAS, TILE_POSITIONS } from "../layout/kv";
import { carve } from "../runtime/carve";
import { config, kvCapacity } from "./config";
import { recordOverflow, run } from "./run_state";

// @ts-ignore: decorator
@inline
function headStride(): usize {
  return kvCapacity() * kvRowBytes();
}
/** Bytes of one head at one position. */
// @ts-ignore: decorator
@inline
function kvRowBytes(): usize {
  return (<usize>config.headSize) << (config.kvType == KV_INT8 ? 0 : config.kvType == KV_F16 ? 1 : 2);
}
function dataSegments(): i32 {
  return 2 * config.layers * config.kvHeads;
}
function keySegments(): i32 {
  return config.layers * config.kvHeads;
}

/** Carves the cache; nothing lies between its parts, because a capacity is whole blocks. */
export function carveKvCache(): void {
  run.cache = carve(<u64>dataSegments() * headStride());
  if (config.kvType != KV_INT8) return;
  run.cacheScales = carve(<u64>dataSegments() * 4 * kvCapacity());
  run.keyBiases = carve(<u64>keySegments() * 4 * kvCapacity());
}

// @ts-ignore: decorator
@inline
function segment(layer: i32, values: i32, head: i32): usize {
  return <usize>((2 * layer + values) * config.kvHeads + head);
}
/** Keys of a head. */
// @ts-ignore: decorator
@inline
export function keys(layer: i32, head: i32): usize {
  return run.cache + segment(layer, 0, head) * headStride();
}
/** Their scales, f32[capacity]. */
// @ts-ignore: decorator
@inline
export function keyScales(layer: i32, head: i32): usize {
  return run.cacheScales + segment(layer, 0, head) * 4 * kvCapacity();
}
/** Their biases, i32[capacity]. */
// @ts-ignore: decorator
@inline
export function keyBiases(layer: i32, head: i32): usize {
  return run.keyBiases + <usize>(layer * config.kvHeads + head) * 4 * kvCapacity();
}
/** Values of a head. */
// @ts-ignore: decorator
@inline
export function values(layer: i32, head: i32): usize {
  return run.cache + segment(layer, 1, head) * headStride();
}
/** Their scales, f32[capacity]. */
// @ts-ignore: decorator
@inline
export function valueScales(layer: i32, head: i32): usize {
  return run.cacheScales + segment(layer, 1, head) * 4 * kvCapacity();
}

/** Writes the key and the value of `position`, each f32[kvHeads][headSize]. */
export function storeKeyValue(layer: i32, position: i32, key: usize, value: usize): void {
  const bytes = <usize>config.headSize * 4;
  for (let head = 0; head < config.kvHeads; head++) {
    if (config.kvType == KV_INT8) {
      rotate(key, config.headSize);
      rotate(value, config.headSize);
      const bias = storeHead(true, keys(layer, head), keyScales(layer, head), position, key);
      store<i32>(keyBiases(layer, head) + 4 * <usize>position, bias);
      storeHead(false, values(layer, head), valueScales(layer, head), position, value);
    } else if (config.kvType == KV_F16) {
      storeHalves(keys(layer, head) + <usize>position * kvRowBytes(), key);
      storeHalves(values(layer, head) + <usize>position * kvRowBytes(), value);
    } else {
      memory.copy(keys(layer, head) + <usize>position * bytes, key, bytes);
      memory.copy(values(layer, head) + <usize>position * bytes, value, bytes);
    }
    key += bytes;
    value += bytes;
  }
}

/** Rounds f32[headSize] to f16; what f16 has no finite number for is an overflow. */
function storeHalves(target: usize, source: usize): void {
  let largest = f32x4.splat(0);
  for (const end = source + <usize>config.headSize * 4; source < end; source += 32) {
    const x = v128.load(source);
    const y = v128.load(source, 16);
    largest = f32x4.pmax(largest, f32x4.pmax(f32x4.abs(x), f32x4.abs(y)));
    v128.store(target, toHalves(x, y));
    target += 16;
  }
  if (f32x4Max(largest) >= HALF_LIMIT) recordOverflow(Infinity);
}

/** Where the first vector of a position's tile lies, behind the beginning of the segment. */
// @ts-ignore: decorator
@inline
function keyTile(position: i32): usize {
  return <usize>(position / TILE_POSITIONS) * (<usize>TILE_POSITIONS * kvRowBytes());
}
// @ts-ignore: decorator
@inline
function valueTile(position: i32): usize {
  return <usize>(position / BLOCK) * (<usize>BLOCK * kvRowBytes()) + <usize>((position % BLOCK) / TILE_POSITIONS) * 32;
}

// Of the four positions of a vector: those in front of the one to store stay, those behind it become 0.
const LANES = memory.data<i32>([0, 1, 2, 3], 16);

// @ts-ignore: decorator
@inline
function lanesBefore(areKeys: bool, lane: i32): v128 {
  return areKeys ? i32x4.lt_s(v128.load(LANES), i32x4.splat(lane)) : i32x4.splat((1 << (8 * lane)) - 1);
}

/** Rounds f32[headSize] to int8 and puts it among the keys, or the values, of a head; returns the bias. */
function storeHead(areKeys: bool, vectors: usize, scales: usize, position: i32, source: usize): i32 {
  const end = source + <usize>config.headSize * 4;
  let largest = f32x4.splat(0);
  for (let at = source; at < end; at += 16) largest = f32x4.pmax(largest, f32x4.abs(v128.load(at)));
  const amax = f32x4Max(largest);
  const inverse = f32x4.splat(amax > TINY ? 127 / amax : 0);
  store<f32>(scales + 4 * <usize>position, amax / 127);

  const lane = position % TILE_POSITIONS;
  const mask = lanesBefore(areKeys, lane);
  const own = areKeys ? i32x4.eq(v128.load(LANES), i32x4.splat(lane)) : i32x4.splat(255 << (8 * lane));
  let target = areKeys ? vectors + keyTile(position) : vectors + valueTile(position);
  let sum = i32x4.splat(0);
  for (; source < end; source += 32) {
    for (let half: usize = 0; half < 32; half += 16) {
      const q = nearestInt(f32x4.mul(v128.load(source + half), inverse));
      sum = i32x4.add(sum, q);
      const words = i16x8.narrow_i32x4_s(q, q);
      const bytes = i8x16.narrow_i16x8_s(words, words); // columns 0 1 2 3 0 1 2 3 ...
      const spread = areKeys ? bytes : i8x16.shuffle(bytes, bytes, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
      v128.store(target + half, v128.or(v128.and(v128.load(target + half), mask), v128.and(spread, own)));
    }
    target += areKeys ? 32 : 8 * BLOCK;
  }
  return -QUERY_BIAS * i32x4Sum(sum);
}

// Snapshots

/** Segments of the cache: those of keys and values, then (int8) the scales of each, then the biases. */
export function kvSegments(): i32 {
  return config.kvType == KV_INT8 ? 2 * dataSegments() + keySegments() : dataSegments();
}
/** Address of segment `index`. */
export function kvSegment(index: i32): usize {
  const data = dataSegments();
  return index < data
    ? run.cache + <usize>index * headStride()
    : run.cacheScales + <usize>(index - data) * 4 * kvCapacity();
}
/** Makes positions from `length` on 0 where they share a block with the one in front, so that a snapshot holds nobody else's. */
export function clearTail(length: i32): void {
  if (config.kvType != KV_INT8) return;
  const row = kvRowBytes();
  const lane = length % TILE_POSITIONS;
  for (let index = 0; index < dataSegments(); index++) {
    const areKeys = (index / config.kvHeads) % 2 == 0;
    const mask = lanesBefore(areKeys, lane);
    if (areKeys) {
      if (lane) maskLanes(kvSegment(index) + keyTile(length), <usize>TILE_POSITIONS * row, mask);
      continue;
    }
    for (let position = length; position % BLOCK; position = (position | (TILE_POSITIONS - 1)) + 1) {
      const lanes = position == length ? mask : i32x4.splat(0);
      let at = kvSegment(index) + valueTile(position);
      for (const end = at + <usize>BLOCK * row; at < end; at += 8 * BLOCK) maskLanes(at, 32, lanes);
    }
  }
}
function maskLanes(at: usize, bytes: usize, lanes: v128): void {
  for (const end = at + bytes; at < end; at += 16) v128.store(at, v128.and(v128.load(at), lanes));
}
/** Bytes at the beginning of a segment that hold the first `positions` positions. */
export function kvSegmentBytes(index: i32, positions: i32): usize {
  if (index >= dataSegments()) return 4 * <usize>positions;
  if (config.kvType != KV_INT8) return <usize>positions * kvRowBytes();
  const together = (index / config.kvHeads) % 2 == 0 ? TILE_POSITIONS : BLOCK;
  return <usize>((positions + together - 1) & ~(together - 1)) * kvRowBytes();
}
