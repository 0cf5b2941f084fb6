// What an int4 cache has of a head in a page (vectors.ts draws a vector):
//
//     u32[BLOCK]: step, upper half of an f32, and least, the same, in its lower bits | value scales f32[BLOCK] |
//     base u7[headSize] | base's scale f32 | 12 bytes unused | keys u4[BLOCK / 4][headSize / 8][4][4][2]
//     values u4[headSize / 8][8][4][4][2]
//
// Both are rotated as int8's are. key = base + least + step * u, value = scale * (u - 7.5). Keys of a head have much in common, which would
// take most of the sixteen steps: the base is the mean of the keys of the page before, in a text's first page its first key, and what is
// rounded is the rest. That halves what the rounding of keys costs (docs/design.md has the table), and a position depends on those before
// it alone: a page that is shared, cut, or computed again has the same bits.

import { BASE, keyVectorsInt4, VALUE_BIAS, VALUE_SCALES_INT4 } from "../../kernels/attention_int4";
import { nearestInt, TINY } from "../../kernels/math";
import { f32x4Max, f32x4Sum, largestMagnitude } from "../../kernels/reduce";
import { BASE_BIAS, BLOCK, TILE_POSITIONS } from "../../layout/kv";
import { clearKeyVectors, clearValueVectors, keyTile, laneOf, lanesBefore, putColumns, valueTile } from "./vectors";

/** Bytes of a page's keys of a head, and of what lies with them. */
// @ts-ignore: decorator
@inline
export function keyBytesInt4(headSize: i32): usize {
  return keyVectorsInt4(headSize) + (<usize>headSize * BLOCK) / 2;
}

/** Stores the key of position `own` of a page, from f32[headSize], rotated, which is overwritten; `before`: the keys of the page before, 0: none. */
export function storeKeyInt4(keys: usize, before: usize, own: i32, key: usize, headSize: i32): void {
  const base = keys + BASE;
  const vectors = keys + keyVectorsInt4(headSize);
  if (own == 0) {
    if (before) meanKey(vectors, before, headSize); // into the page's vectors, which nothing is in yet
    storeBase(base, before ? vectors : key, headSize);
  }
  const end = key + 4 * <usize>headSize;
  const baseScale = v128.load32_splat(base + headSize);
  let least = f32x4.splat(Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = key, b = base; at < end; at += 16) {
    const rest = f32x4.sub(v128.load(at), f32x4.mul(baseAtFour(b), baseScale));
    v128.store(at, rest);
    least = f32x4.pmin(least, rest);
    largest = f32x4.pmax(largest, rest);
    b += 4;
  }
  const low = upperDown(-f32x4Max(f32x4.neg(least)));
  const step = upperUp((f32x4Max(largest) - reinterpret<f32>(low)) / 15);
  store<u32>(keys + 4 * <usize>own, step | (low >> 16));
  const inverse: f32 = reinterpret<f32>(step) > TINY ? 1 / reinterpret<f32>(step) : 0;
  storeHalfBytes(true, vectors + keyTile(own, headSize / 2), own, key, end, reinterpret<f32>(low), inverse, 0);
}

/** Stores its value; the scale lies with the keys. */
export function storeValueInt4(keys: usize, values: usize, own: i32, value: usize, headSize: i32): void {
  const end = value + 4 * <usize>headSize;
  const amax = largestMagnitude(value, end);
  store<f32>(keys + VALUE_SCALES_INT4 + 4 * <usize>own, amax / VALUE_BIAS);
  storeHalfBytes(
    false,
    values + valueTile(own, 16),
    own,
    value,
    end,
    0,
    amax > TINY ? VALUE_BIAS / amax : 0,
    VALUE_BIAS,
  );
}

/** Puts u = nearest((x - least) * inverse + bias) of f32[...] at `source` into vectors, eight columns in one. */
// @ts-ignore: decorator
@inline
function storeHalfBytes(
  areKeys: bool,
  target: usize,
  own: i32,
  source: usize,
  end: usize,
  least: f32,
  inverse: f32,
  bias: f32,
): void {
  const before = lanesBefore(areKeys, own % TILE_POSITIONS);
  const lane = laneOf(areKeys, own % TILE_POSITIONS);
  for (; source < end; source += 32) {
    const low = sixteenth(v128.load(source), least, inverse, bias);
    const high = sixteenth(v128.load(source, 16), least, inverse, bias);
    const both = v128.or(low, i32x4.shl(high, 4));
    const words = i16x8.narrow_i32x4_u(both, both);
    putColumns(areKeys, target, i8x16.narrow_i16x8_u(words, words), before, lane);
    target += areKeys ? 16 : 4 * BLOCK;
  }
}
// @ts-ignore: decorator
@inline
function sixteenth(x: v128, least: f32, inverse: f32, bias: f32): v128 {
  const scaled = f32x4.add(f32x4.mul(f32x4.sub(x, f32x4.splat(least)), f32x4.splat(inverse)), f32x4.splat(bias));
  return i32x4.min_s(i32x4.max_s(nearestInt(scaled), i32x4.splat(0)), i32x4.splat(15));
}

/** Rounds f32[headSize] to u7[headSize] with a scale behind it. */
function storeBase(base: usize, source: usize, headSize: i32): void {
  const amax = largestMagnitude(source, source + 4 * <usize>headSize);
  const inverse = f32x4.splat(amax > TINY ? 63 / amax : 0);
  for (let i: usize = 0; i < <usize>headSize; i += 4) {
    const q = i32x4.add(nearestInt(f32x4.mul(v128.load(source + 4 * i), inverse)), i32x4.splat(BASE_BIAS));
    const words = i16x8.narrow_i32x4_u(q, q);
    v128.store32_lane(base + i, i8x16.narrow_i16x8_u(words, words), 0);
  }
  store<f32>(base + headSize, amax / 63);
}
/** Four columns of a base, without its scale. */
// @ts-ignore: decorator
@inline
function baseAtFour(at: usize): v128 {
  return f32x4.convert_i32x4_s(i32x4.sub(bytesToInts(v128.load32_zero(at)), i32x4.splat(BASE_BIAS)));
}
/** i32x4 of the first four bytes. */
// @ts-ignore: decorator
@inline
function bytesToInts(bytes: v128): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
}

/** target f32[headSize] = the mean of a whole page's keys. */
function meanKey(target: usize, keys: usize, headSize: i32): void {
  const vectors = keys + keyVectorsInt4(headSize);
  let base = keys + BASE;
  const baseScale = v128.load32_splat(base + headSize);
  const mean = f32x4.splat(1 / <f32>BLOCK);
  let leasts = f32x4.splat(0);
  for (let i = 0; i < 4 * BLOCK; i += 16) leasts = f32x4.add(leasts, i32x4.shl(v128.load(keys + i), 16));
  const least = f32x4.splat(f32x4Sum(leasts));
  for (let t: usize = 0; t < 16 * <usize>(headSize / 8); t += 16) {
    let first = least;
    let second = least;
    for (let position: i32 = 0; position < BLOCK; position++) {
      const lane = vectors + keyTile(position, headSize / 2) + t + 4 * <usize>(position % TILE_POSITIONS);
      const bytes = bytesToInts(v128.load32_zero(lane));
      const step = f32x4.splat(reinterpret<f32>(load<u32>(keys + 4 * <usize>position) & UPPER));
      first = f32x4.add(first, f32x4.mul(f32x4.convert_i32x4_s(v128.and(bytes, i32x4.splat(15))), step));
      second = f32x4.add(second, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(bytes, 4)), step));
    }
    v128.store(target, f32x4.add(f32x4.mul(first, mean), f32x4.mul(baseAtFour(base), baseScale)));
    v128.store(target, f32x4.add(f32x4.mul(second, mean), f32x4.mul(baseAtFour(base + 4), baseScale)), 16);
    target += 32;
    base += 8;
  }
}

// A number's upper half is it, rounded to eight bits.
const UPPER: u32 = 0xffff0000;
/** The upper half of the least f32 of that kind that is not below x >= 0. */
// @ts-ignore: decorator
@inline
function upperUp(x: f32): u32 {
  return (reinterpret<u32>(x) + 0xffff) & UPPER;
}
/** Of the largest that is not above x. */
// @ts-ignore: decorator
@inline
function upperDown(x: f32): u32 {
  return x < 0 ? upperUp(x) : reinterpret<u32>(x) & UPPER;
}

/** Makes a page's keys of a head, and what lies with each, 0 from position `from` on. */
export function clearKeysInt4(at: usize, from: i32, headSize: i32): void {
  const rest = <usize>(BLOCK - from) * 4;
  memory.fill(at + 4 * <usize>from, 0, rest);
  memory.fill(at + VALUE_SCALES_INT4 + 4 * <usize>from, 0, rest);
  clearKeyVectors(at + keyVectorsInt4(headSize), from, headSize / 2);
}
/** Its values. */
export function clearValuesInt4(at: usize, from: i32, headSize: i32): void {
  clearValueVectors(at, from, <usize>(headSize / 2) * BLOCK, 16);
}
