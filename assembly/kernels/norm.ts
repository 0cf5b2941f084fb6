// Root mean square normalization.

import { f32x4Sum } from "./reduce";

/**
 * RMSNorm (https://arxiv.org/abs/1910.07467): target = x / sqrt(mean(x^2) + epsilon) * weight, all f32[width].
 * @returns the sum of squares, which is finite exactly if x is, and not too large
 */
export function rmsNorm(target: usize, x: usize, weight: usize, width: i32, epsilon: f32): f32 {
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>width * 4; i += 16) {
    const v = v128.load(x + i);
    squares = f32x4.add(squares, f32x4.mul(v, v));
  }
  const sum = f32x4Sum(squares);
  const scale = f32x4.splat(1 / sqrt<f32>(sum / <f32>width + epsilon));
  for (let i: usize = 0; i < <usize>width * 4; i += 16) {
    v128.store(target + i, f32x4.mul(f32x4.mul(v128.load(x + i), scale), v128.load(weight + i)));
  }
  return sum;
}
