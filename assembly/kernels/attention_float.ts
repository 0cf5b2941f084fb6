// Attention over keys and values that are f32, or f16 (T = u16), one query head at a time (https://arxiv.org/abs/1706.03762): scores, softmax, weighted sum.

import { BLOCK } from "../layout/kv";
import { Heads, keysIn, valuesIn } from "./attention";
import { exp4 } from "./math";
import { loadHalves } from "./half";
import { f32x4Max, f32x4Sum } from "./reduce";

/** Four numbers as f32x4. */
// @ts-ignore: decorator
@inline
function loadFour<T>(address: usize): v128 {
  return sizeof<T>() == 2 ? loadHalves(address) : v128.load(address);
}

/** h.scores[j] = scale * (query . key j) over the keys T[headSize] of h.positions. */
export function scoreFloat<T>(h: Heads, query: usize, scale: f32): void {
  const headSize = h.headSize;
  let scores = h.scores;
  let keys: usize = 0;
  for (let j = 0; j < h.positions; j++) {
    if (j % BLOCK == 0) keys = keysIn(h, h.table + 4 * <usize>(j / BLOCK));
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < <usize>headSize * 4; i += 16) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(query + i), loadFour<T>(keys)));
      keys += 4 * sizeof<T>();
    }
    store<f32>(scores, f32x4Sum(sum) * scale);
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

/** target = scale * sum over j of h.scores[j] * value j, values T[headSize]. */
export function weightedValuesFloat<T>(h: Heads, target: usize, scale: f32): void {
  const row = <usize>h.headSize * sizeof<T>();
  const factor = f32x4.splat(scale);
  for (let i: usize = 0; i < row; i += 4 * sizeof<T>()) {
    let sum = f32x4.splat(0);
    let weight = h.scores;
    let value: usize = 0;
    for (let j = 0; j < h.positions; j++) {
      if (j % BLOCK == 0) value = valuesIn(h, h.table + 4 * <usize>(j / BLOCK)) + i;
      sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(weight), loadFour<T>(value)));
      weight += 4;
      value += row;
    }
    v128.store(target, f32x4.mul(sum, factor));
    target += 16;
  }
}
