// Reading a row of logits, f32[vocabulary].

import { exp4, log64 } from "../kernels/math";
import { f32x4Max } from "../kernels/reduce";
import { config } from "../model/config";
import { sampler } from "./state";

/** The smallest id with the largest logit. */
export function argmax(row: usize): i32 {
  const largest = largestLogit(row);
  const largests = f32x4.splat(largest);
  const whole = config.vocabulary & ~3;
  let id = 0;
  while (id < whole && !v128.any_true(f32x4.eq(v128.load(row + 4 * <usize>id), largests))) id += 4;
  for (; id < config.vocabulary; id++) if (load<f32>(row + 4 * <usize>id) == largest) return id;
  return 0; // every logit is NaN
}

/** The largest logit. */
export function largestLogit(row: usize): f32 {
  let largest = f32x4.splat(-Infinity);
  const whole = row + 4 * <usize>(config.vocabulary & ~3);
  for (let at = row; at < whole; at += 16) largest = f32x4.pmax(largest, v128.load(at));
  let result = f32x4Max(largest);
  for (let at = whole; at < row + 4 * <usize>config.vocabulary; at += 4) {
    const logit = load<f32>(at);
    if (logit > result) result = logit;
  }
  return result;
}

/** The `k` largest of a row, descending, equals by smaller id: { id u32, logit f32 }[k]. */
export function topLogits(row: usize, k: i32): usize {
  const members = sampler.members;
  let count = 0;
  for (let id = 0; id < config.vocabulary; id++) {
    const logit = load<f32>(row + 4 * <usize>id);
    if (count == k && !(logit > load<f32>(members + 8 * <usize>(k - 1), 4))) continue;
    let at = count < k ? count++ : k - 1;
    for (; at > 0 && !(load<f32>(members + 8 * <usize>(at - 1), 4) >= logit); at--) {
      store<u64>(members + 8 * <usize>at, load<u64>(members + 8 * <usize>(at - 1)));
    }
    store<u32>(members + 8 * <usize>at, id);
    store<f32>(members + 8 * <usize>at, logit, 4);
  }
  return members;
}

/** log(sum(e^logit)) of a row. */
export function logSumExp(row: usize): f64 {
  const largest = largestLogit(row);
  const shift = f32x4.splat(largest);
  let low = f64x2.splat(0);
  let high = low;
  const whole = row + 4 * <usize>(config.vocabulary & ~3);
  for (let at = row; at < whole; at += 16) {
    const e = exp4(f32x4.sub(v128.load(at), shift));
    low = f64x2.add(low, f64x2.promote_low_f32x4(e));
    high = f64x2.add(
      high,
      f64x2.promote_low_f32x4(i8x16.shuffle(e, e, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)),
    );
  }
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (let at = whole; at < row + 4 * <usize>config.vocabulary; at += 4) {
    sum += f32x4.extract_lane(exp4(f32x4.splat(load<f32>(at) - largest)), 0);
  }
  return <f64>largest + log64(sum);
}
