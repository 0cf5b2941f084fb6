// Keys and values of every position, in pages of BLOCK positions; a sequence's table (sequence.ts) says which page has which. Several
// sequences may read one page. What a head of a layer has of a page lies in two parts, its keys and its values, and the parts of
// neighbouring pages follow each other, because attention reads all keys of a head and then all values, and memory is fast in streams (pages
// that lie together as a whole cost 16 % of decoding behind 2,048 positions, keys and values of a page together 19 %):
//
//     pages                [layers][kvHeads]{ [config.pages] keys' part | [config.pages] values' part }
//     f32, f16             keys [BLOCK][headSize]                                          | values [BLOCK][headSize]
//     int8                 keys i8[BLOCK / 4][headSize / 4][4][4], biases i32[BLOCK],      | values i8[headSize / 8][8][2][4][4]
//                          key scales f32[BLOCK], value scales f32[BLOCK]                  |
//
// int8 is stored after a rotation (kernels/hadamard.ts), because a large number among 64 would cost all the others their precision; value =
// scale * q. A bias is -64 times the sum of a key's q: what a query's bias has to lose (kernels/attention.ts).
//
// A vector of int8 holds four columns of four positions. Keys are summed over columns, values over positions:
//
//                    byte 0   1   2   3     4   5   6   7     8 ...            position p, column c
//     keys           p0 c0  c1  c2  c3    p1 c0  c1  c2  c3   p2 c0
//     values         c0 p0  p1  p2  p3    c1 p0  p1  p2  p3   c2 p0
//
// Both lie in the order in which they are read: a tile of keys, four positions, column by column; of values eight columns of all tiles
// and then the next eight. Behind the last position that was stored, a vector is 0; what stands in a page's other tiles is stale.

import { biasesAt, keyScalesAt, valueScalesAt } from "../kernels/attention";
import { rotate } from "../kernels/hadamard";
import { HALF_LIMIT, toHalves } from "../kernels/half";
import { nearestInt, TINY } from "../kernels/math";
import { f32x4Max, i32x4Sum } from "../kernels/reduce";
import { KV_F16, KV_INT8 } from "../layout/abi";
import { BLOCK, QUERY_BIAS, TILE_POSITIONS } from "../layout/kv";
import { carve } from "../runtime/carve";
import { config } from "./config";
import { rowAt } from "./row";
import { recordOverflow, run } from "./run_state";

/** Bytes of one head at one position, of keys or values. */
// @ts-ignore: decorator
@inline
function kvRowBytes(): usize {
  return (<usize>config.headSize) << (config.kvType == KV_INT8 ? 0 : config.kvType == KV_F16 ? 1 : 2);
}
/** Bytes of a page's values of a head. */
// @ts-ignore: decorator
@inline
export function valueBytes(): usize {
  return kvRowBytes() * BLOCK;
}
/** Bytes of its keys, and of what lies with them. */
// @ts-ignore: decorator
@inline
export function keyBytes(): usize {
  return config.kvType == KV_INT8 ? valueScalesAt(config.headSize) + 4 * BLOCK : valueBytes();
}
/** Parts of a page: keys, then values, of every head of every layer. */
export function pageParts(): i32 {
  return 2 * config.layers * config.kvHeads;
}
/** Bytes of a part. */
export function partBytes(part: i32): usize {
  return part & 1 ? valueBytes() : keyBytes();
}
/** Address of a part of a page. */
export function partAt(page: i32, part: i32): usize {
  const head = part >> 1;
  return part & 1 ? valuesOf(head) + <usize>page * valueBytes() : keysOf(head) + <usize>page * keyBytes();
}
/** Bytes of a page. */
export function pageBytes(): usize {
  return (<usize>pageParts() >> 1) * (keyBytes() + valueBytes());
}
/** Bytes of a head, in all pages. */
// @ts-ignore: decorator
@inline
function headBytes(): usize {
  return <usize>config.pages * (keyBytes() + valueBytes());
}

/** Carves all pages. */
export function carveKvCache(): void {
  run.pages = carve(<u64>config.pages * pageBytes());
}

/** The keys that head `head`, counted over all layers, has of the first page; keyBytes() further are the next one's. */
// @ts-ignore: decorator
@inline
function keysOf(head: i32): usize {
  return run.pages + <usize>head * headBytes();
}
/** The values; valueBytes() further are the next one's. */
// @ts-ignore: decorator
@inline
function valuesOf(head: i32): usize {
  return keysOf(head) + <usize>config.pages * keyBytes();
}
/** keysOf() a head of a layer. */
// @ts-ignore: decorator
@inline
export function headKeys(layer: i32, head: i32): usize {
  return keysOf(layer * config.kvHeads + head);
}
/** valuesOf() a head of a layer. */
// @ts-ignore: decorator
@inline
export function headValues(layer: i32, head: i32): usize {
  return valuesOf(layer * config.kvHeads + head);
}

/** Writes the key and the value of row `t`, each f32[kvHeads][headSize]. */
export function storeKeyValue(layer: i32, t: i32, key: usize, value: usize): void {
  const bytes = <usize>config.headSize * 4;
  const position = rowAt(t).position;
  const page = load<u32>(rowAt(t).sequence.table + 4 * <usize>(position / BLOCK));
  let keys = headKeys(layer, 0) + <usize>page * keyBytes();
  let values = headValues(layer, 0) + <usize>page * valueBytes();
  const own = position % BLOCK;
  for (let head = 0; head < config.kvHeads; head++) {
    if (config.kvType == KV_INT8) {
      rotate(key, config.headSize);
      rotate(value, config.headSize);
      const bias = storeHead(true, keys, keys + keyScalesAt(config.headSize), own, key);
      store<i32>(keys + biasesAt(config.headSize) + 4 * <usize>own, bias);
      storeHead(false, values, keys + valueScalesAt(config.headSize), own, value);
    } else if (config.kvType == KV_F16) {
      storeHalves(t, keys + <usize>own * kvRowBytes(), key);
      storeHalves(t, values + <usize>own * kvRowBytes(), value);
    } else {
      memory.copy(keys + <usize>own * bytes, key, bytes);
      memory.copy(values + <usize>own * bytes, value, bytes);
    }
    keys += headBytes();
    values += headBytes();
    key += bytes;
    value += bytes;
  }
}

/** Rounds f32[headSize] to f16; what f16 has no finite number for is an overflow. */
function storeHalves(t: i32, target: usize, source: usize): void {
  let largest = f32x4.splat(0);
  for (const end = source + <usize>config.headSize * 4; source < end; source += 32) {
    const x = v128.load(source);
    const y = v128.load(source, 16);
    largest = f32x4.pmax(largest, f32x4.pmax(f32x4.abs(x), f32x4.abs(y)));
    v128.store(target, toHalves(x, y));
    target += 16;
  }
  if (f32x4Max(largest) >= HALF_LIMIT) recordOverflow(t, Infinity);
}

/** Where the first vector of the tile of a page's position lies, behind the page's first key, or value. */
// @ts-ignore: decorator
@inline
function keyTile(position: i32): usize {
  return <usize>(position / TILE_POSITIONS) * (<usize>TILE_POSITIONS * kvRowBytes());
}
// @ts-ignore: decorator
@inline
function valueTile(position: i32): usize {
  return <usize>(position / TILE_POSITIONS) * 32;
}

// Of the four positions of a vector: those in front of the one to store stay, those behind it become 0.
const LANES = memory.data<i32>([0, 1, 2, 3], 16);

// @ts-ignore: decorator
@inline
function lanesBefore(areKeys: bool, lane: i32): v128 {
  return areKeys ? i32x4.lt_s(v128.load(LANES), i32x4.splat(lane)) : i32x4.splat((1 << (8 * lane)) - 1);
}

/** Rounds f32[headSize] to int8 and puts it among the keys, or the values, of a head's page; returns the bias. */
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

/** Makes `target` hold the first `length` positions of `source`, and behind them nothing: what is there is another sequence's. */
export function copyPageTo(source: i32, target: i32, length: i32): void {
  for (let part = 0; part < pageParts(); part++) {
    const at = partAt(target, part);
    memory.copy(at, partAt(source, part), partBytes(part));
    if (config.kvType != KV_INT8)
      memory.fill(at + <usize>length * kvRowBytes(), 0, <usize>(BLOCK - length) * kvRowBytes());
    else if (part & 1) clearValues(at, length);
    else clearKeys(at, length);
  }
}
function clearKeys(at: usize, from: i32): void {
  const size = config.headSize;
  const rest = <usize>(BLOCK - from) * 4;
  memory.fill(at + biasesAt(size) + 4 * <usize>from, 0, rest);
  memory.fill(at + keyScalesAt(size) + 4 * <usize>from, 0, rest);
  memory.fill(at + valueScalesAt(size) + 4 * <usize>from, 0, rest);
  for (let position = from & ~(TILE_POSITIONS - 1); position < BLOCK; position += TILE_POSITIONS) {
    maskLanes(at + keyTile(position), <usize>TILE_POSITIONS * size, lanesBefore(true, max(from - position, 0)));
  }
}
function clearValues(at: usize, from: i32): void {
  for (let position = from & ~(TILE_POSITIONS - 1); position < BLOCK; position += TILE_POSITIONS) {
    const mask = lanesBefore(false, max(from - position, 0));
    let tile = at + valueTile(position);
    for (const end = tile + valueBytes(); tile < end; tile += 8 * BLOCK) maskLanes(tile, 32, mask);
  }
}
function maskLanes(at: usize, bytes: usize, lanes: v128): void {
  for (const end = at + bytes; at < end; at += 16) v128.store(at, v128.and(v128.load(at), lanes));
}
