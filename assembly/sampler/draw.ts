// Drawing a token: temperature, top-k, top-p, min-p. Nothing sorts the vocabulary: a cut is found in a histogram of the probabilities'
// float bits, and only the bin that the cut falls into is ordered. Most weights are below every cut: four at a time they are passed over.

import { exp4, log64 } from "../kernels/math";
import { SAMPLER_MIN_P, SAMPLER_TEMPERATURE, SAMPLER_TOP_K, SAMPLER_TOP_P } from "../layout/abi";
import { config } from "../model/config";
import { splitmix, SPLITMIX_STEP } from "../runtime/splitmix";
import { largestLogit } from "./logits";
import { BIN_SHIFT, BINS, sampler } from "./state";

let row: usize = 0; // being drawn from: logits, then weights e^((logit - largest) / temperature), 1 for the likeliest token
let cut: f32 = 0; // weights below it are out
let ties: i32 = 0; // how many of those equal to it are in, smaller ids first

/** Draws a token from a row of logits by the sampler's parameters, with a temperature above 0. Overwrites the row. */
export function draw(logits: usize): i32 {
  row = logits;
  cut = f32.MIN_VALUE;
  ties = i32.MAX_VALUE;
  const k = load<i32>(sampler.parameters, SAMPLER_TOP_K);
  const p = load<f32>(sampler.parameters, SAMPLER_TOP_P);
  const minP = load<f32>(sampler.parameters, SAMPLER_MIN_P);
  const temperature = load<f32>(sampler.parameters, SAMPLER_TEMPERATURE);
  if (k > 0 && k < config.vocabulary) toWeightsOfTopK(temperature, k);
  else toWeights(temperature);
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

/** How many weights have been counted that are in bins from `lowest` on: k, and what of `lowest` is too much. */
let counted = 0;
let lowest: usize = 0;

/**
 * Top-k: the cut is the k-th largest weight; all that equal it stay, as in Hugging Face's TopKLogitsWarper. The bins from `lowest` on hold at
 * least k of the weights so far. What is below them is out, and becomes 0 instead of its weight, which would be most of the work.
 */
function toWeightsOfTopK(temperature: f32, k: i32): void {
  memory.fill(sampler.counts, 0, 4 * BINS);
  lowest = 0;
  counted = 0;
  const most = largestLogit(row);
  const largest = f32x4.splat(most);
  const divisor = f32x4.splat(temperature);
  const whole = row + 4 * <usize>(config.vocabulary & ~3);
  let reach = f32x4.splat(-Infinity);
  let at = row;
  for (; at < whole; at += 16) {
    const logits = v128.load(at);
    if (!v128.any_true(f32x4.ge(logits, reach))) {
      v128.store(at, f32x4.splat(0));
      continue;
    }
    v128.store(at, weightsOf(logits, largest, divisor));
    const before = lowest;
    for (let i: usize = 0; i < 16; i += 4) countWeight(load<f32>(at + i), k);
    if (lowest > before)
      reach = f32x4.splat(logitBelow(reinterpret<f32>((<u32>lowest) << BIN_SHIFT), most, temperature));
  }
  for (const end = rowEnd(); at < end; at += 4) {
    store<f32>(at, f32x4.extract_lane(weightsOf(v128.load32_splat(at), largest, divisor), 0));
    countWeight(load<f32>(at), k);
  }
  if (counted < k) return;
  gatherBin(lowest);
  cut = load<f32>(sampler.members + 8 * <usize>(k - (counted - load<i32>(sampler.counts + 4 * lowest)) - 1));
}

// @ts-ignore: decorator
@inline
function countWeight(weight: f32, k: i32): void {
  const counts = sampler.counts;
  const bin = binOf(weight);
  if (bin < lowest || !(weight >= cut)) return;
  store<i32>(counts + 4 * bin, load<i32>(counts + 4 * bin) + 1);
  counted++;
  for (let count = load<i32>(counts + 4 * lowest); counted - count >= k; count = load<i32>(counts + 4 * lowest)) {
    counted -= count;
    lowest++;
  }
}

/** A logit that rounding cannot lift to this weight. */
function logitBelow(weight: f32, largest: f32, temperature: f32): f32 {
  return <f32>(<f64>largest + <f64>temperature * (log64(weight) - 1e-3) - abs<f64>(largest) * 1e-6);
}

/** The first weight of at least `floor` from `at` on, or `end`. */
// @ts-ignore: decorator
@inline
function next(at: usize, end: usize, floor: f32): usize {
  const floors = f32x4.splat(floor);
  for (; at + 16 <= end; at += 16) {
    const hits = f32x4.ge(v128.load(at), floors);
    if (v128.any_true(hits)) return at + 4 * <usize>ctz(i32x4.bitmask(hits));
  }
  while (at < end && !(load<f32>(at) >= floor)) at += 4;
  return at;
}

/** Sum of the weights that are not cut. */
function massAboveCut(): f64 {
  if (ties == i32.MAX_VALUE) return massBetween(cut, Infinity);
  return massBetween(reinterpret<f32>(reinterpret<u32>(cut) + 1), Infinity) + <f64>ties * cut;
}

/** Sum of the weights from `low` to below `high`. */
function massBetween(low: f32, high: f32): f64 {
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  let even = f64x2.splat(0);
  let odd = even;
  const whole = row + 4 * <usize>(config.vocabulary & ~3);
  for (let at = row; at < whole; at += 16) {
    const all = v128.load(at);
    const within = v128.and(all, v128.and(f32x4.ge(all, lows), f32x4.lt(all, highs)));
    even = f64x2.add(even, f64x2.promote_low_f32x4(within));
    odd = f64x2.add(odd, f64x2.promote_low_f32x4(v128.shuffle<i64>(within, within, 1, 0)));
  }
  const both = f64x2.add(even, odd);
  let mass = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (let at = whole, end = rowEnd(); at < end; at += 4) {
    const weight = load<f32>(at);
    if (weight >= low && weight < high) mass += weight;
  }
  return mass;
}

/** The token at which the sum of the weights that are not cut passes `mass`. */
function tokenAt(mass: f64): i32 {
  let tied = 0;
  let last = 0;
  const end = rowEnd();
  for (let at = next(row, end, cut); at < end; at = next(at + 4, end, cut)) {
    const weight = load<f32>(at);
    if (weight == cut && tied++ >= ties) continue;
    last = <i32>((at - row) >> 2);
    mass -= weight;
    if (mass < 0) break;
  }
  return last;
}

/** Uniform in [0, 1), 53 bits. */
function random(): f64 {
  const sequence = sampler.sequence;
  sequence.random += SPLITMIX_STEP;
  return <f64>(splitmix(sequence.random) >>> 11) * 1.1102230246251565e-16;
}

// @ts-ignore: decorator
@inline
function weightsOf(logits: v128, largest: v128, divisor: v128): v128 {
  const x = f32x4.div(f32x4.sub(logits, largest), divisor);
  return v128.and(exp4(x), f32x4.ge(x, f32x4.splat(-87)));
}

/** Top-p: the smallest set of likeliest tokens whose share reaches p; among equals the smaller ids. */
function cutTopP(p: f32): void {
  const masses = sampler.masses;
  const members = sampler.members;
  // All weights that are smaller come to less than 1 - p of the likeliest alone.
  const floor = max(cut, (1 - p) / (2 * <f32>config.vocabulary));
  const wanted = (fillHistogram(floor) + massBetween(cut, floor)) * p;
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

/** Sums the weights of at least `floor` by bins; returns their sum. */
function fillHistogram(floor: f32): f64 {
  const masses = sampler.masses;
  memory.fill(masses, 0, 8 * BINS);
  const end = rowEnd();
  for (let at = next(row, end, floor); at < end; at = next(at + 4, end, floor)) {
    const weight = load<f32>(at);
    const bin = masses + 8 * binOf(weight);
    store<f64>(bin, load<f64>(bin) + weight);
  }
  let total: f64 = 0;
  for (let bin = 0; bin < BINS; bin++) total += load<f64>(masses + 8 * bin);
  return total;
}

// @ts-ignore: decorator
@inline
function binOf(weight: f32): usize {
  return <usize>(reinterpret<u32>(weight) >> BIN_SHIFT);
}

/** Collects the weights of a bin that are not cut, largest first, equals by id; returns how many. */
function gatherBin(bin: usize): i32 {
  const members = sampler.members;
  let count = 0;
  const end = rowEnd();
  const floor = max(cut, reinterpret<f32>((<u32>bin) << BIN_SHIFT));
  for (let at = next(row, end, floor); at < end; at = next(at + 4, end, floor)) {
    const weight = load<f32>(at);
    if (binOf(weight) != bin) continue;
    store<f32>(members + 8 * <usize>count, weight);
    store<u32>(members + 8 * <usize>count, <u32>((at - row) >> 2), 4);
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
