// Rotary position embedding (https://arxiv.org/abs/2104.09864). llama.cpp stores the query and key rows of a Llama model so
// that the two numbers turned together are neighbours: (2i, 2i + 1).

import { cos64, exp64, log64, sin64 } from "./math";

// YaRN (https://arxiv.org/abs/2309.00071): frequencies that turn FAST times or more in the original context stay, those that turn SLOW times
// or less are scaled, and those between are blended. ggml's numbers, which other ones in a file of this architecture do not change.
const FAST: f64 = 32;
const SLOW: f64 = 1;

/**
 * Fills f64[headSize / 2] with scale * theta^(-2i / headSize), divided by f32 `factors` when there are any.
 * @param yarnContext the original context, when `scale` is YaRN's; 0 otherwise
 */
export function ropeFrequencies(
  target: usize,
  headSize: i32,
  theta: f64,
  scale: f64,
  factors: usize,
  yarnContext: i32,
): void {
  const step = log64(theta) / <f64>headSize;
  const low = max<f64>(0, floor<f64>(turning(FAST, step, yarnContext)));
  const high = min<f64>(<f64>headSize - 1, ceil<f64>(turning(SLOW, step, yarnContext)));
  for (let i = 0; i < headSize / 2; i++) {
    const factor = factors ? <f64>load<f32>(factors + 4 * i) : 1;
    const stretched = max<f64>(0, min<f64>(1, (<f64>i - low) / max<f64>(0.001, high - low)));
    const scaled = yarnContext ? scale * stretched + (1 - stretched) : scale;
    store<f64>(target + 8 * i, (exp64(-2 * <f64>i * step) * scaled) / factor);
  }
}

/** The pair whose frequency turns so many times in the context. */
function turning(turns: f64, step: f64, context: i32): f64 {
  return log64(<f64>max(context, 1) / (turns * 2 * Math.PI)) / (2 * step);
}

/** The turns of one position, times `magnitude`: f32[headSize / 2][4] of cos, cos, -sin, sin. */
export function ropeTurns(target: usize, frequencies: usize, headSize: i32, position: i32, magnitude: f32): void {
  for (let i = 0; i < headSize / 2; i++) {
    const angle = load<f64>(frequencies + 8 * i) * <f64>position;
    const cos = <f32>cos64(angle) * magnitude;
    const sin = <f32>sin64(angle) * magnitude;
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
