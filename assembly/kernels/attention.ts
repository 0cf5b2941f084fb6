// Attention of one query head over the positions 0..count-1 of its key-value head (https://arxiv.org/abs/1706.03762), in three
// steps over one buffer of scores, f32[count], which has room up to the next multiple of four.
//
// int8 cache: the query is quantized to i16 once, so that a score is an exact integer dot and two scales.

import { exp4 } from "./math";
import { f32x4Max, f32x4Sum } from "./reduce";

/** Query f32[headSize] to i16[headSize] at `target`; returns its scale. */
export function quantizeQuery(target: usize, query: usize, headSize: i32): f32 {
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>headSize * 4; i += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(query + i)));
  const amax = f32x4Max(largest);
  const inverse = f32x4.splat(amax > 0 ? 32767 / amax : 0);
  for (let i: usize = 0; i < <usize>headSize * 2; i += 16) {
    const a = f32x4.nearest(f32x4.mul(v128.load(query + 2 * i), inverse));
    const b = f32x4.nearest(f32x4.mul(v128.load(query + 2 * i, 16), inverse));
    v128.store(target + i, i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(a), i32x4.trunc_sat_f32x4_s(b)));
  }
  return amax / 32767;
}

/** Dot of 16 keys (i8) and 16 query numbers (i16), added to acc. */
// @ts-ignore: decorator
@inline function dot16(acc: v128, key: usize, low: v128, high: v128): v128 {
  const k = v128.load(key);
  return i32x4.add(
    acc,
    i32x4.add(
      i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(k), low),
      i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(k), high),
    ),
  );
}

/** The sums of four vectors, one a lane. */
// @ts-ignore: decorator
@inline function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(
    i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
    i8x16.shuffle(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31),
  );
  const cd = i32x4.add(
    i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
    i8x16.shuffle(c, d, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31),
  );
  return i32x4.add(
    i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
}

/** scores[j] = scale * keyScales[j] * (query . keys[j]) over int8 keys [count][headSize]; query i16[headSize]. */
export function scoreInt8(scores: usize, query: usize, scale: f32, keys: usize, scales: usize, count: i32, headSize: i32): void {
  const factor = f32x4.splat(scale);
  const row = <usize>headSize;
  for (let j = 0; j < count; j += 4) {
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    let c = i32x4.splat(0);
    let d = i32x4.splat(0);
    for (let i: usize = 0; i < row; i += 16) {
      const low = v128.load(query + 2 * i);
      const high = v128.load(query + 2 * i, 16);
      a = dot16(a, keys + i, low, high);
      b = dot16(b, keys + row + i, low, high);
      c = dot16(c, keys + 2 * row + i, low, high);
      d = dot16(d, keys + 3 * row + i, low, high);
    }
    const dots = f32x4.convert_i32x4_s(sums(a, b, c, d));
    v128.store(scores, f32x4.mul(dots, f32x4.mul(v128.load(scales), factor)));
    keys += 4 * row;
    scales += 16;
    scores += 16;
  }
}

/** scores[j] = scale * (query . keys[j]) over f32 keys [count][headSize]. */
export function scoreFloat(scores: usize, query: usize, scale: f32, keys: usize, count: i32, headSize: i32): void {
  for (let j = 0; j < count; j++) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < <usize>headSize * 4; i += 16) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(query + i), v128.load(keys + i)));
    }
    store<f32>(scores, f32x4Sum(sum) * scale);
    keys += <usize>headSize * 4;
    scores += 4;
  }
}

/** scores[j] = e^(scores[j] - largest), not yet divided by their sum, which is returned. */
export function softmax(scores: usize, count: i32): f32 {
  const end = scores + 4 * <usize>count;
  const padded = scores + 4 * <usize>((count + 3) & ~3);
  for (let at = end; at < padded; at += 4) store<f32>(at, -Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < padded; at += 16) largest = f32x4.max(largest, v128.load(at));
  largest = f32x4.splat(f32x4Max(largest));
  for (let at = scores; at < padded; at += 16) v128.store(at, exp4(f32x4.sub(v128.load(at), largest)));
  for (let at = end; at < padded; at += 4) store<f32>(at, 0);
  let sum = f32x4.splat(0);
  for (let at = scores; at < padded; at += 16) sum = f32x4.add(sum, v128.load(at));
  return f32x4Sum(sum);
}

/** target = sum over j of weights[j] * scales[j] * values[j], int8 values [count][headSize], times `scale`; weights are changed. */
export function mixInt8(target: usize, weights: usize, scale: f32, values: usize, scales: usize, count: i32, headSize: i32): void {
  const row = <usize>headSize;
  const end = weights + 4 * <usize>count;
  const factor = f32x4.splat(scale);
  for (let at = weights; at < end; at += 16) {
    v128.store(at, f32x4.mul(f32x4.mul(v128.load(at), factor), v128.load(scales)));
    scales += 16;
  }
  for (let i: usize = 0; i < row; i += 16) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let c = f32x4.splat(0);
    let d = f32x4.splat(0);
    let value = values + i;
    for (let at = weights; at < end; at += 4) {
      const weight = v128.load32_splat(at);
      const v = v128.load(value);
      const low = i16x8.extend_low_i8x16_s(v);
      const high = i16x8.extend_high_i8x16_s(v);
      a = f32x4.add(a, f32x4.mul(weight, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low))));
      b = f32x4.add(b, f32x4.mul(weight, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low))));
      c = f32x4.add(c, f32x4.mul(weight, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high))));
      d = f32x4.add(d, f32x4.mul(weight, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high))));
      value += row;
    }
    v128.store(target, a);
    v128.store(target, b, 16);
    v128.store(target, c, 32);
    v128.store(target, d, 48);
    target += 64;
  }
}

/** target = scale * sum over j of weights[j] * values[j], f32 values [count][headSize]. */
export function mixFloat(target: usize, weights: usize, scale: f32, values: usize, count: i32, headSize: i32): void {
  const row = <usize>headSize * 4;
  const end = weights + 4 * <usize>count;
  const factor = f32x4.splat(scale);
  for (let i: usize = 0; i < row; i += 16) {
    let sum = f32x4.splat(0);
    let value = values + i;
    for (let at = weights; at < end; at += 4) {
      sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(at), v128.load(value)));
      value += row;
    }
    v128.store(target + i, f32x4.mul(sum, factor));
  }
}
