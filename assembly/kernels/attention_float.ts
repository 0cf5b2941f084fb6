// Attention over f32 keys and values, one query head at a time (https://arxiv.org/abs/1706.03762): scores, softmax, weighted sum.

import { exp4 } from "./math";
import { f32x4Max, f32x4Sum } from "./reduce";

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

/** scores[j] = e^(scores[j] - largest), f32[count]; returns their sum. */
export function softmax(scores: usize, count: i32): f32 {
  const end = scores + 4 * <usize>count;
  const whole = scores + 4 * <usize>((count + 3) & ~3);
  for (let at = end; at < whole; at += 4) store<f32>(at, -Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < whole; at += 16) largest = f32x4.pmax(largest, v128.load(at));
  largest = f32x4.splat(f32x4Max(largest));
  for (let at = scores; at < whole; at += 16) v128.store(at, exp4(f32x4.sub(v128.load(at), largest)));
  for (let at = end; at < whole; at += 4) store<f32>(at, 0);
  let sum = f32x4.splat(0);
  for (let at = scores; at < whole; at += 16) sum = f32x4.add(sum, v128.load(at));
  return f32x4Sum(sum);
}

/** target = scale * sum over j of weights[j] * values[j], f32 values [count][headSize]. */
export function weightedValuesFloat(
  target: usize,
  weights: usize,
  scale: f32,
  values: usize,
  count: i32,
  headSize: i32,
): void {
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
