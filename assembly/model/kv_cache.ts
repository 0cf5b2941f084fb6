// Keys and values of every position, in pages of BLOCK positions; a sequence's table (sequence.ts) says which page has which. Several
// sequences may read one page. What a head of a layer has of a page lies in two parts, its keys and its values, and the parts of
// neighbouring pages follow each other, because attention reads all keys of a head and then all values, and memory is fast in streams (pages
// that lie together as a whole cost 16 % of decoding behind 2,048 positions, keys and values of a page together 19 %):
//
//     pages                [layers][kvHeads]{ [config.pages] keys' part | [config.pages] values' part }
//     f32, f16             keys [BLOCK][headSize]                                          | values [BLOCK][headSize]
//     int8, int4           vectors of four positions, scales beside the keys (kv/int8.ts, kv/int4.ts)

import { rotate } from "../kernels/hadamard";
import { HALF_LIMIT, toHalves } from "../kernels/half";
import { f32x4Max } from "../kernels/reduce";
import { KV_F16, KV_INT4, KV_INT8 } from "../layout/abi";
import { BLOCK } from "../layout/kv";
import { carve } from "../runtime/carve";
import { config } from "./config";
import { clearKeysInt4, clearValuesInt4, keyBytesInt4, storeKeyInt4, storeValueInt4 } from "./kv/int4";
import { clearKeysInt8, clearValuesInt8, keyBytesInt8, storeInt8 } from "./kv/int8";
import { rowAt } from "./row";
import { recordOverflow, run } from "./run_state";

/** Bytes of one head at one position, of values, and of keys without what lies with them. */
// @ts-ignore: decorator
@inline
function kvRowBytes(): usize {
  if (config.kvType == KV_INT4) return <usize>config.headSize >> 1;
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
  if (config.kvType == KV_INT8) return keyBytesInt8(config.headSize);
  return config.kvType == KV_INT4 ? keyBytesInt4(config.headSize) : valueBytes();
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

/** Writes the key and the value of row `t`, each f32[kvHeads][headSize]; what is rounded to integers is rotated in place. */
export function storeKeyValue(layer: i32, t: i32, key: usize, value: usize): void {
  const bytes = <usize>config.headSize * 4;
  const position = rowAt(t).position;
  const entry = rowAt(t).sequence.table + 4 * <usize>(position / BLOCK);
  let keys = headKeys(layer, 0) + <usize>load<u32>(entry) * keyBytes();
  let values = headValues(layer, 0) + <usize>load<u32>(entry) * valueBytes();
  let before = position < BLOCK ? <usize>0 : headKeys(layer, 0) + <usize>load<u32>(entry - 4) * keyBytes();
  const own = position % BLOCK;
  for (let head = 0; head < config.kvHeads; head++) {
    if (config.kvType == KV_INT8 || config.kvType == KV_INT4) {
      rotate(key, config.headSize);
      rotate(value, config.headSize);
    }
    if (config.kvType == KV_INT8) {
      storeInt8(keys, values, own, key, value, config.headSize);
    } else if (config.kvType == KV_INT4) {
      storeKeyInt4(keys, before, own, key, config.headSize);
      storeValueInt4(keys, values, own, value, config.headSize);
    } else if (config.kvType == KV_F16) {
      storeHalves(t, keys + <usize>own * kvRowBytes(), key);
      storeHalves(t, values + <usize>own * kvRowBytes(), value);
    } else {
      memory.copy(keys + <usize>own * bytes, key, bytes);
      memory.copy(values + <usize>own * bytes, value, bytes);
    }
    keys += headBytes();
    values += headBytes();
    if (before) before += headBytes();
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

/** Makes `target` hold the first `length` positions of `source`, and behind them nothing: what is there is another sequence's. */
export function copyPageTo(source: i32, target: i32, length: i32): void {
  const size = config.headSize;
  for (let part = 0; part < pageParts(); part++) {
    const at = partAt(target, part);
    memory.copy(at, partAt(source, part), partBytes(part));
    if (config.kvType == KV_INT8) {
      if (part & 1) clearValuesInt8(at, length, size);
      else clearKeysInt8(at, length, size);
    } else if (config.kvType == KV_INT4) {
      if (part & 1) clearValuesInt4(at, length, size);
      else clearKeysInt4(at, length, size);
    } else {
      memory.fill(at + <usize>length * kvRowBytes(), 0, <usize>(BLOCK - length) * kvRowBytes());
    }
  }
}
