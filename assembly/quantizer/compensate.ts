// Q4_0 blocks that keep a matrix's outputs, not its weights: rounding that compensates earlier errors along a row
// (GPTQ, https://arxiv.org/abs/2210.17323, in the form of LDLQ, https://arxiv.org/abs/2307.13304), then coordinate
// descent on the same objective e H e^T over levels and scales until nothing changes.

import { fromHalf, toHalf } from "../kernels/half";
import { f32x4Sum } from "../kernels/reduce";
import { BYTES_Q4_0, GROUP } from "../layout/blocks";
import { solve } from "./hessian";

const WIDTH: usize = GROUP;
const GROUP_BYTES: usize = 4 * WIDTH;
const SWEEPS = 8;
/** Scales tried: the extreme of a block as -8 or as +8 (which clips to 7), times these factors. */
const SMALLEST_FACTOR: f32 = 0.55;
const FACTOR_STEP: f32 = 0.025;
const FACTORS = 26;

/**
 * Rounds rows of f32[rows][width] at `weights` to Q4_0 at `target`.
 * @param h f32[width][width], of factorize(); @param m its factors
 * @param pull f32[rows][width], or 0: what the outputs lack already, times the inputs, scaled as h; the rows make up
 * for it (the residual term of GPTAQ, https://arxiv.org/abs/2504.02692)
 * @param scratch f32[5 * width]
 * @returns the sum of squared differences of the weights
 */
export function compensate(
  weights: usize,
  target: usize,
  rows: i32,
  width: i32,
  h: usize,
  m: usize,
  pull: usize,
  scratch: usize,
): f64 {
  const bytes: usize = 4 * <usize>width;
  const wanted = scratch;
  const moved = wanted + bytes;
  const levels = moved + bytes; // whole numbers -8..7
  const gradient = levels + bytes; // H e
  const scales = gradient + bytes; // f32[width / 32]
  let error: f64 = 0;
  for (let row = 0; row < rows; row++) {
    memory.copy(wanted, weights, bytes);
    if (pull != 0) {
      solve(pull, m, width);
      addScaled(wanted, pull, 1, bytes);
      pull += bytes;
    }
    memory.copy(moved, wanted, bytes);
    roundAlong(moved, wanted, levels, scales, width, m);
    descend(wanted, levels, scales, gradient, width, h);
    for (let at: usize = 0; at < bytes; at += 4) {
      const e = load<f32>(weights + at) - load<f32>(levels + at) * load<f32>(scales + (at / GROUP_BYTES) * 4);
      error += <f64>e * e;
    }
    for (let at: usize = 0; at < bytes; at += GROUP_BYTES) {
      storeBlock(target, levels + at, load<f32>(scales + at / WIDTH));
      target += BYTES_Q4_0;
    }
    weights += bytes;
  }
  return error;
}

/** pull f32[rows][width] = scale * (pull + weights C), with c f32[width][width]. */
export function addPull(pull: usize, weights: usize, rows: i32, width: i32, c: usize, scale: f32): void {
  const bytes: usize = 4 * <usize>width;
  for (const end = weights + <usize>rows * bytes; weights < end; weights += bytes, pull += bytes) {
    for (let at: usize = 0; at < bytes; at += 4) addScaled(pull, c + (at / 4) * bytes, load<f32>(weights + at), bytes);
    const factor = f32x4.splat(scale);
    for (let at: usize = 0; at < bytes; at += 16) v128.store(pull + at, f32x4.mul(v128.load(pull + at), factor));
  }
}

/** Rounds `wanted`, column after column; each error moves what is wanted of the columns behind it. */
function roundAlong(wanted: usize, weights: usize, levels: usize, scales: usize, width: i32, m: usize): void {
  const bytes: usize = 4 * <usize>width;
  let factors = m;
  let d: f32 = 0;
  let inverse: f32 = 0;
  for (let at: usize = 0; at < bytes; at += 4, factors += bytes) {
    if (at % GROUP_BYTES == 0) {
      d = bestScale(wanted + at, m + (at / 4) * bytes + at, bytes + 4);
      inverse = d != 0 ? 1 / d : 0;
      store<f32>(scales + at / WIDTH, d);
    }
    const q = level(load<f32>(wanted + at) * inverse);
    store<f32>(levels + at, q);
    const e = f32x4.splat(load<f32>(weights + at) - q * d);
    for (let to: usize = (at + 4) & ~15; to < bytes; to += 16) {
      v128.store(wanted + to, f32x4.add(v128.load(wanted + to), f32x4.mul(e, v128.load(factors + to))));
    }
  }
}

/** Coordinate descent from there. */
function descend(weights: usize, levels: usize, scales: usize, gradient: usize, width: i32, h: usize): void {
  const bytes: usize = 4 * <usize>width;
  memory.fill(gradient, 0, bytes);
  for (let at: usize = 0; at < bytes; at += 4) {
    const value = load<f32>(weights + at) - load<f32>(levels + at) * load<f32>(scales + (at / GROUP_BYTES) * 4);
    addScaled(gradient, h + (at / 4) * bytes, value, bytes);
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let changed = 0;
    for (let at: usize = 0; at < bytes; at += GROUP_BYTES) {
      const scale = scales + at / WIDTH;
      refit(levels + at, scale, gradient, at, h, bytes);
      const d = load<f32>(scale);
      if (d == 0) continue;
      for (let i = at; i < at + GROUP_BYTES; i += 4) {
        const row = h + (i / 4) * bytes;
        const before = load<f32>(levels + i);
        const q = level(before + load<f32>(gradient + i) / (load<f32>(row + i) * d));
        if (q == before) continue;
        store<f32>(levels + i, q);
        addScaled(gradient, row, (before - q) * d, bytes);
        changed++;
      }
    }
    if (changed == 0) break;
  }
}

/** The scale of one block that is best for its levels, if f16 has one that is better than the present. */
function refit(levels: usize, scale: usize, gradient: usize, at: usize, h: usize, bytes: usize): void {
  let slope = f32x4.splat(0); // q . gradient
  let curve: f32 = 0; // q H q^T
  for (let i: usize = 0; i < GROUP_BYTES; i += 16) {
    slope = f32x4.add(slope, f32x4.mul(v128.load(levels + i), v128.load(gradient + at + i)));
  }
  for (let i: usize = 0; i < GROUP_BYTES; i += 4) {
    const q = load<f32>(levels + i);
    if (q == 0) continue;
    const row = h + ((at + i) / 4) * bytes + at;
    let sum = f32x4.splat(0);
    for (let j: usize = 0; j < GROUP_BYTES; j += 16) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(row + j), v128.load(levels + j)));
    }
    curve += q * f32x4Sum(sum);
  }
  if (!(curve > 0)) return;
  const gain = f32x4Sum(slope);
  const before = load<f32>(scale);
  const d = fromHalf(toHalf(before + gain / curve));
  const step = d - before;
  if (!(step * (step * curve - 2 * gain) < 0) || !(abs(d) < 65504)) return;
  store<f32>(scale, d);
  for (let i: usize = 0; i < GROUP_BYTES; i += 4) {
    addScaled(gradient, h + ((at + i) / 4) * bytes, -step * load<f32>(levels + i), bytes);
  }
}

/** The f16 scale that rounds f32[32] at `values` best, errors weighted by 32 floats `stride` bytes apart. */
function bestScale(values: usize, importance: usize, stride: usize): f32 {
  let extreme: f32 = 0;
  for (let i: usize = 0; i < GROUP_BYTES; i += 4) {
    if (abs(load<f32>(values + i)) > abs(extreme)) extreme = load<f32>(values + i);
  }
  let best: f32 = 0;
  let smallest: f32 = Infinity;
  for (let sign = -1; sign <= 1; sign += 2) {
    for (let i = 0; i < FACTORS; i++) {
      const d = fromHalf(toHalf((<f32>sign * extreme * (SMALLEST_FACTOR + FACTOR_STEP * <f32>i)) / 8));
      const inverse: f32 = d != 0 ? 1 / d : 0;
      let error: f32 = 0;
      let weight = importance;
      for (let j: usize = 0; j < GROUP_BYTES; j += 4, weight += stride) {
        const x = load<f32>(values + j);
        const e = x - level(x * inverse) * d;
        error += load<f32>(weight) * e * e;
      }
      if (error < smallest) {
        smallest = error;
        best = d;
      }
    }
  }
  return best;
}

// @ts-ignore: decorator
@inline
function level(x: f32): f32 {
  return min<f32>(max<f32>(nearest<f32>(x), -8), 7);
}

/** y f32[bytes / 4] += factor * x */
// @ts-ignore: decorator
@inline
function addScaled(y: usize, x: usize, factor: f32, bytes: usize): void {
  if (factor == 0) return;
  const f = f32x4.splat(factor);
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(f, v128.load(x + i))));
  }
}

function storeBlock(target: usize, levels: usize, d: f32): void {
  store<u16>(target, toHalf(d));
  for (let i: usize = 0; i < WIDTH / 2; i++) {
    const low = <i32>load<f32>(levels + 4 * i) + 8;
    const high = <i32>load<f32>(levels + 4 * i, GROUP_BYTES / 2) + 8;
    store<u8>(target + i, low | (high << 4), 2);
  }
}
