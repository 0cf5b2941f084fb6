// Keys and values of every position, in the arena. Per layer, for keys and then for values, per key-value head:
//
//     int8:   i8 [capacity][headSize]   and, after all of these, f32 scales [capacity]; value = scale * q
//     f32:    f32[capacity][headSize]
//
// Every head is one contiguous segment, which is what attention streams and what a snapshot copies.

import { config, kvCapacity } from "./config";
import { nearestInt, TINY } from "./kernels/math";
import { f32x4Max } from "./kernels/reduce";
import { KV_INT8 } from "./layout/abi";
import { run } from "./run_state";

// @ts-ignore: decorator
@inline
function headStride(): usize {
  return kvCapacity() * kvRowBytes();
}
/** Bytes of one head at one position. */
// @ts-ignore: decorator
@inline
export function kvRowBytes(): usize {
  return (<usize>config.headSize) << (config.kvType == KV_INT8 ? 0 : 2);
}
function dataSegments(): i32 {
  return 2 * config.layers * config.kvHeads;
}

/** Bytes of the whole cache. */
export function kvBytes(): u64 {
  const data = <u64>dataSegments() * headStride();
  return config.kvType == KV_INT8 ? data + <u64>dataSegments() * 4 * kvCapacity() : data;
}

export function carveKvCache(at: usize): void {
  run.cache = at;
  run.cacheScales = at + <usize>dataSegments() * headStride();
}

// @ts-ignore: decorator
@inline
function segment(layer: i32, values: i32, head: i32): usize {
  return <usize>((2 * layer + values) * config.kvHeads + head);
}
/** Keys of a head: [capacity][headSize] of i8 or f32. */
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
/** Values of a head: [capacity][headSize] of i8 or f32. */
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
    storeHead(keys(layer, head), keyScales(layer, head), position, key);
    storeHead(values(layer, head), valueScales(layer, head), position, value);
    key += bytes;
    value += bytes;
  }
}

function storeHead(rows: usize, rowScales: usize, position: i32, source: usize): void {
  let target = rows + <usize>position * kvRowBytes();
  const end = source + <usize>config.headSize * 4;
  if (config.kvType != KV_INT8) {
    memory.copy(target, source, end - source);
    return;
  }
  let largest = f32x4.splat(0);
  for (let at = source; at < end; at += 16) largest = f32x4.pmax(largest, f32x4.abs(v128.load(at)));
  const amax = f32x4Max(largest);
  const inverse = f32x4.splat(amax > TINY ? 127 / amax : 0);
  for (; source < end; source += 16) {
    const q = nearestInt(f32x4.mul(v128.load(source), inverse));
    const words = i16x8.narrow_i32x4_s(q, q);
    v128.store_lane<u32>(target, i8x16.narrow_i16x8_s(words, words), 0);
    target += 4;
  }
  store<f32>(rowScales + 4 * <usize>position, amax / 127);
}

// Snapshots

/** Segments of the cache: rows of every head, then (int8) scales of every head. */
export function kvSegments(): i32 {
  return config.kvType == KV_INT8 ? 2 * dataSegments() : dataSegments();
}
export function kvSegment(index: i32): usize {
  const data = dataSegments();
  return index < data
    ? run.cache + <usize>index * headStride()
    : run.cacheScales + <usize>(index - data) * 4 * kvCapacity();
}
/** Bytes that one position takes in a segment. */
export function kvSegmentStride(index: i32): i32 {
  return index < dataSegments() ? <i32>kvRowBytes() : 4;
}
