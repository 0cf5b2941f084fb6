// Drawing a token: temperature, top-k, top-p, min-p. Nothing sorts the vocabulary: a cut is found in a histogram of the probabilities'
// float bits, and only the bin that the cut falls into is ordered.

import { exp4 } from "../kernels/math";
import { SAMPLER_MIN_P, SAMPLER_TEMPERATURE, SAMPLER_TOP_K, SAMPLER_TOP_P } from "../layout/abi";
import { config } from "../model/config";
import { sequence } from "../model/sequence";
import { splitmix, SPLITMIX_STEP } from "../runtime/splitmix";
import { largestLogit } from "./logits";
import { BIN_SHIFT, BINS, sampler } from "./state";

let row: usize = 0; // being drawn from: logits, then weights e^((logit - largest) / temperature), 1 for the likeliest token
let cut: f32 = 0; // weights below it are out
let ties: i32 = 0; // how many of those equal to it are in, smaller ids first

/** Draws a token from a row of logits by the sampler's parameters, with a temperature above 0. Overwrites the row. */
export function draw(logits: usize): i32 {
  row = logits;
  toWeights(load<f32>(sampler.parameters, SAMPLER_TEMPERATURE));
  cut = f32.MIN_VALUE;
  ties = i32.MAX_VALUE;
  const k = load<i32>(sampler.parameters, SAMPLER_TOP_K);
  const p = load<f32>(sampler.parameters, SAMPLER_TOP_P);
  const minP = load<f32>(sampler.parameters, SAMPLER_MIN_P);
  if (k > 0 && k < config.vocabulary) cutTopK(k);
  if (p < 1) cutTopP(p);
  if (minP > cut) {
    cut = minP;
    ties = i32.MAX_VALUE;
  }
  return tokenAt(random() * massAboveCut());
}

function rowEnd(): usize {
  return row + 4 * <usize>config.vocabulary;
}

function toWeights(temperature: f32): void {
  const largest = f32x4.splat(largestLogit(row));
  const divisor = f32x4.splat(temperature);
  const whole = row + 4 * <usize>(config.vocabulary & ~3);
  for (let at = row; at < whole; at += 16) v128.store(at, weightsOf(v128.load(at), largest, divisor));
  for (let at = whole, end = rowEnd(); at < end; at += 4) {
    store<f32>(at, f32x4.extract_lane(weightsOf(v128.load32_splat(at), largest, divisor), 0));
  }
}

/** Sum of the weights that are not cut. */
function massAboveCut(): f64 {
  let mass: f64 = 0;
  let tied = 0;
  for (let at = row, end = rowEnd(); at < end; at += 4) {
    const weight = load<f32>(at);
    if (weight > cut || (weight == cut && tied++ < ties)) mass += weight;
  }
  return mass;
}

/** The token at which the sum of the weights that are not cut passes `mass`. */
function tokenAt(mass: f64): i32 {
  let tied = 0;
  let last = 0;
  for (let at = row, end = rowEnd(); at < end; at += 4) {
    const weight = load<f32>(at);
    if (!(weight > cut || (weight == cut && tied++ < ties))) continue;
    last = <i32>((at - row) >> 2);
    mass -= weight;
    if (mass < 0) break;
  }
  return last;
}

/** Uniform in [0, 1), 53 bits. */
function random(): f64 {
  sequence.random += SPLITMIX_STEP;
  return <f64>(splitmix(sequence.random) >>> 11) * 1.1102230246251565e-16;
}

// @ts-ignore: decorator
@inline
function weightsOf(logits: v128, largest: v128, divisor: v128): v128 {
  const x = f32x4.div(f32x4.sub(logits, largest), divisor);
  return v128.and(exp4(x), f32x4.ge(x, f32x4.splat(-87)));
}

/** Top-k: the cut is the k-th largest weight; all that equal it stay, as in Hugging Face's TopKLogitsWarper. */
function cutTopK(k: i32): void {
  fillHistogram();
  const counts = sampler.counts;
  let bin = BINS - 1;
  let above = 0;
  for (; bin >= 0; bin--) {
    const count = load<i32>(counts + 4 * bin);
    if (above + count >= k) break;
    above += count;
  }
  if (bin < 0) return;
  gatherBin(bin);
  cut = load<f32>(sampler.members + 8 * <usize>(k - above - 1));
}

/** Top-p: the smallest set of likeliest tokens whose share reaches p; among equals the smaller ids. */
function cutTopP(p: f32): void {
  fillHistogram();
  const masses = sampler.masses;
  const members = sampler.members;
  let total: f64 = 0;
  for (let bin = 0; bin < BINS; bin++) total += load<f64>(masses + 8 * bin);
  const wanted = total * p;
  let bin = BINS - 1;
  let mass: f64 = 0;
  for (; bin >= 0; bin--) {
    const more = load<f64>(masses + 8 * bin);
    if (mass + more >= wanted && more > 0) break;
    mass += more;
  }
  if (bin < 0) return;
  const count = gatherBin(bin);
  let i = 0;
  for (; i < count - 1; i++) {
    mass += load<f32>(members + 8 * i);
    if (mass >= wanted) break;
  }
  cut = load<f32>(members + 8 * i);
  ties = 1;
  for (let j = i - 1; j >= 0 && load<f32>(members + 8 * j) == cut; j--) ties++;
}

function fillHistogram(): void {
  const counts = sampler.counts;
  const masses = sampler.masses;
  memory.fill(counts, 0, 4 * BINS);
  memory.fill(masses, 0, 8 * BINS);
  for (let at = row, end = rowEnd(); at < end; at += 4) {
    const weight = load<f32>(at);
    if (!(weight >= cut)) continue;
    const bin = <usize>(reinterpret<u32>(weight) >> BIN_SHIFT);
    store<u32>(counts + 4 * bin, load<u32>(counts + 4 * bin) + 1);
    store<f64>(masses + 8 * bin, load<f64>(masses + 8 * bin) + weight);
  }
}

/** Collects the weights of a bin that are not cut, largest first, equals by id; returns how many. */
function gatherBin(bin: i32): i32 {
  const members = sampler.members;
  let count = 0;
  for (let id = 0; id < config.vocabulary; id++) {
    const weight = load<f32>(row + 4 * <usize>id);
    if (!(weight >= cut) || <i32>(reinterpret<u32>(weight) >> BIN_SHIFT) != bin) continue;
    store<f32>(members + 8 * <usize>count, weight);
    store<u32>(members + 8 * <usize>count, id, 4);
    count++;
  }
  sortMembers(members, count);
  return count;
}

// As one u64, weight bits above inverted id bits, members compare in one step.
// @ts-ignore: decorator
@inline
function rank(members: usize, index: i32): u64 {
  const member = members + 8 * <usize>index;
  return ((<u64>load<u32>(member)) << 32) | (<u64>load<u32>(member, 4) ^ 0xffffffff);
}

/** Shell sort (Ciura's gaps), descending. */
function sortMembers(members: usize, count: i32): void {
  for (let gap = firstGap(count); gap > 0; gap = gap == 1 ? 0 : max(1, <i32>(<f64>gap / 2.25))) {
    for (let i = gap; i < count; i++) {
      const moving = load<u64>(members + 8 * <usize>i);
      const value = rank(members, i);
      let j = i;
      for (; j >= gap && rank(members, j - gap) < value; j -= gap) {
        store<u64>(members + 8 * <usize>j, load<u64>(members + 8 * <usize>(j - gap)));
      }
      store<u64>(members + 8 * <usize>j, moving);
    }
  }
}
function firstGap(count: i32): i32 {
  let gap = 1;
  while (<f64>gap * 2.25 < count) gap = <i32>(<f64>gap * 2.25) + 1;
  return gap;
}
