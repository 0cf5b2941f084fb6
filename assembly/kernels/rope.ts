// Rotary position embedding (https://arxiv.org/abs/2104.09864). llama.cpp stores the query and key rows of a Llama model so
// that the two numbers turned together are neighbours: (2i, 2i + 1).

import { cos64, exp64, log64, sin64 } from "./math";

/** Fills f64[headSize / 2] with scale * theta^(-2i / headSize), divided by f32 `factors` when there are any. */
export function ropeFrequencies(target: usize, headSize: i32, theta: f64, scale: f64, factors: usize): void {
  const step = log64(theta) / <f64>headSize;
  for (let i = 0; i < headSize / 2; i++) {
    const factor = factors ? <f64>load<f32>(factors + 4 * i) : 1;
    store<f64>(target + 8 * i, (exp64(-2 * <f64>i * step) * scale) / factor);
  }
}

/** The turns of one position: f32[headSize / 2][4] of cos, cos, -sin, sin. */
export function ropeTurns(target: usize, frequencies: usize, headSize: i32, position: i32): void {
  for (let i = 0; i < headSize / 2; i++) {
    const angle = load<f64>(frequencies + 8 * i) * <f64>position;
    const cos = <f32>cos64(angle);
    const sin = <f32>sin64(angle);
    store<f32>(target, cos);
    store<f32>(target, cos, 4);
    store<f32>(target, -sin, 8);
    store<f32>(target, sin, 12);
    target += 16;
  }
}

/** Turns `heads` heads at `x`, f32[heads][headSize], in place. */
export function rope(x: usize, heads: i32, headSize: i32, turns: usize): void {
  for (let head = 0; head < heads; head++) {
    for (let i: usize = 0; i < <usize>headSize * 4; i += 16) {
      const v = v128.load(x + i);
      const first = v128.load(turns + 2 * i);
      const second = v128.load(turns + 2 * i, 16);
      const cos = i8x16.shuffle(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
      const sin = i8x16.shuffle(first, second, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
      const swapped = i8x16.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
      v128.store(x + i, f32x4.add(f32x4.mul(v, cos), f32x4.mul(swapped, sin)));
    }
    x += <usize>headSize * 4;
  }
}
