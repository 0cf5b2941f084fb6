// From logits to a token, with the meaning and the order that Hugging Face `generate` gives the parameters: logit bias,
// repetition penalty, no-repeat n-grams, the mask of allowed tokens, temperature, top-k, top-p, min-p. Nothing sorts the
// vocabulary: a cut is found in a histogram of the probabilities' float bits, and only the bin that the cut falls into is ordered.

import { exp4, log64 } from "../kernels/math";
import { f32x4Max } from "../kernels/reduce";
import {
  LOGIT_ROWS,
  MAX_LOGIT_BIAS,
  MAX_TOP,
  SAMPLER_BIAS,
  SAMPLER_BIAS_COUNT,
  SAMPLER_BYTES,
  SAMPLER_MASKED,
  SAMPLER_MIN_P,
  SAMPLER_NO_REPEAT_NGRAM,
  SAMPLER_REPETITION_PENALTY,
  SAMPLER_TEMPERATURE,
  SAMPLER_TOP_K,
  SAMPLER_TOP_P,
} from "../layout/abi";
import { config } from "../model/config";
import { run } from "../model/run_state";
import { align64 } from "../runtime/memory";

// A bin holds the probabilities whose float bits agree above bit 20: sign, exponent and 3 bits of mantissa; 1.0 is the last.
const BIN_SHIFT = 20;
const BINS = (0x3f800000 >> BIN_SHIFT) + 1;

let parameters: usize = 0;
let rows: usize = 0; // f32[LOGIT_ROWS][vocabulary]
let mask: usize = 0; // u8[ceil(vocabulary / 8)], bit i & 7 of byte i >> 3 for token i: whether it may be sampled
let seen: usize = 0; // u8[vocabulary]: in the history
let counts: usize = 0; // u32[BINS]
let masses: usize = 0; // f64[BINS]
let members: usize = 0; // { probability f32, id u32 }[vocabulary] of the bin that is cut; also the result of top()
let state: u64 = 0;
let logits: usize = 0; // the row that is being sampled

/** Lays the sampler out from `at` and returns its end. */
export function carveSampler(at: u64): u64 {
  const vocabulary = <u64>config.vocabulary;
  parameters = <usize>at;
  at = align64(at + SAMPLER_BYTES);
  rows = <usize>at;
  at = align64(at + LOGIT_ROWS * 4 * vocabulary);
  mask = <usize>at;
  at = align64(at + (vocabulary + 7) / 8);
  seen = <usize>at;
  at = align64(at + vocabulary);
  counts = <usize>at;
  at = align64(at + 4 * BINS);
  masses = <usize>at;
  at = align64(at + 8 * BINS);
  members = <usize>at;
  return align64(at + 8 * max<u64>(vocabulary, MAX_TOP));
}

/** SAMPLER_* parameters. */
export function sampler(): usize {
  return parameters;
}
/** The tokens that may be sampled while SAMPLER_MASKED is 1. */
export function samplerMask(): usize {
  return mask;
}
/** Logits of row `index` of the last projection, f32[vocabulary]. */
export function logitRow(index: i32): usize {
  return rows + 4 * <usize>index * <usize>config.vocabulary;
}

/** Neutral parameters: greedy. */
export function resetSampler(): void {
  memory.fill(parameters, 0, SAMPLER_BYTES);
  store<f32>(parameters, 1, SAMPLER_TOP_P);
  store<f32>(parameters, 1, SAMPLER_REPETITION_PENALTY);
  seed(0);
}

/** Seeds the generator (SplitMix64, https://doi.org/10.1145/2714064.2660195). */
export function seed(value: u64): void {
  state = value;
}

/** Uniform in [0, 1), 53 bits. */
function random(): f64 {
  state += 0x9e3779b97f4a7c15;
  let z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return <f64>((z ^ (z >> 31)) >> 11) * 1.1102230246251565e-16;
}

/** Picks a token from a row of logits, which it changes, after the first `length` tokens of the history. */
export function sampleToken(row: usize, length: i32): i32 {
  logits = row;
  applyBias();
  applyRepetitionPenalty(length);
  banRepeatedNgrams(length);
  applyMask();
  const temperature = load<f32>(parameters, SAMPLER_TEMPERATURE);
  return temperature > 0 ? draw(temperature) : argmax();
}

function applyBias(): void {
  const count = min(load<i32>(parameters, SAMPLER_BIAS_COUNT), MAX_LOGIT_BIAS);
  for (let i = 0; i < count; i++) {
    const entry = parameters + SAMPLER_BIAS + 8 * i;
    const id = load<u32>(entry);
    if (id >= <u32>config.vocabulary) continue;
    const logit = logits + 4 * <usize>id;
    store<f32>(logit, load<f32>(logit) + load<f32>(entry, 4));
  }
}

/** Every token of the history, once: a positive logit is divided by the penalty, a negative one multiplied. */
function applyRepetitionPenalty(length: i32): void {
  const penalty = load<f32>(parameters, SAMPLER_REPETITION_PENALTY);
  if (penalty == 1) return;
  memory.fill(seen, 0, config.vocabulary);
  for (let i = 0; i < length; i++) {
    const id = <usize>load<u32>(run.history + 4 * i);
    if (load<u8>(seen + id)) continue;
    store<u8>(seen + id, 1);
    const logit = load<f32>(logits + 4 * id);
    store<f32>(logits + 4 * id, logit < 0 ? logit * penalty : logit / penalty);
  }
}

/** Bans every token that would complete an n-gram of the history a second time. */
function banRepeatedNgrams(length: i32): void {
  const n = load<i32>(parameters, SAMPLER_NO_REPEAT_NGRAM);
  if (n <= 0 || length < n) return;
  const bytes = <usize>(n - 1) * 4;
  const tail = run.history + 4 * <usize>length - bytes;
  for (let i = 0; i + n <= length; i++) {
    const gram = run.history + 4 * <usize>i;
    if (memory.compare(gram, tail, bytes) == 0) store<f32>(logits + 4 * <usize>load<u32>(gram + bytes), -Infinity);
  }
}

const BITS = memory.data<i32>([1, 2, 4, 8], 16);

/** Tokens that are not allowed get -Infinity; banned ones that are stay possible, in case that nothing else is left. */
function applyMask(): void {
  if (!load<i32>(parameters, SAMPLER_MASKED)) return;
  const least: f32 = -1e30;
  const bits = v128.load(BITS);
  const never = f32x4.splat(-Infinity);
  const whole = config.vocabulary & ~7;
  let row = logits;
  for (let id = 0; id < whole; id += 8) {
    const allowed = <i32>load<u8>(mask + (id >> 3));
    const low = i32x4.ne(v128.and(i32x4.splat(allowed), bits), i32x4.splat(0));
    const high = i32x4.ne(v128.and(i32x4.splat(allowed >> 4), bits), i32x4.splat(0));
    v128.store(row, v128.bitselect(f32x4.pmax(f32x4.splat(least), v128.load(row)), never, low));
    v128.store(row, v128.bitselect(f32x4.pmax(f32x4.splat(least), v128.load(row, 16)), never, high), 16);
    row += 32;
  }
  for (let id = whole; id < config.vocabulary; id++) {
    const allowed = (load<u8>(mask + (id >> 3)) >> <u8>(id & 7)) & 1;
    const logit = load<f32>(row);
    store<f32>(row, !allowed ? -Infinity : logit > least ? logit : least);
    row += 4;
  }
}

/** The smallest id with the largest logit. */
function argmax(): i32 {
  const largest = largestLogit(logits);
  for (let id = 0; id < config.vocabulary; id++) if (load<f32>(logits + 4 * <usize>id) == largest) return id;
  return 0; // every logit is NaN
}

function largestLogit(row: usize): f32 {
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

// Drawing. Logits become weights e^((logit - largest) / temperature) in place, 1 for the likeliest token.

let cut: f32 = 0; // weights below it are out
let ties: i32 = 0; // how many of those equal to it are in, smaller ids first

function draw(temperature: f32): i32 {
  const vocabulary = <usize>config.vocabulary;
  const end = logits + 4 * vocabulary;
  const largest = f32x4.splat(largestLogit(logits));
  const divisor = f32x4.splat(temperature);
  const whole = logits + 4 * (vocabulary & ~3);
  for (let at = logits; at < whole; at += 16) v128.store(at, weightsOf(v128.load(at), largest, divisor));
  for (let at = whole; at < end; at += 4) {
    store<f32>(at, f32x4.extract_lane(weightsOf(v128.load32_splat(at), largest, divisor), 0));
  }

  cut = f32.MIN_VALUE;
  ties = i32.MAX_VALUE;
  const k = load<i32>(parameters, SAMPLER_TOP_K);
  const p = load<f32>(parameters, SAMPLER_TOP_P);
  if (k > 0 && k < config.vocabulary) cutCount(k);
  if (p < 1) cutMass(p);
  const least = load<f32>(parameters, SAMPLER_MIN_P);
  if (least > cut) {
    cut = least;
    ties = i32.MAX_VALUE;
  }

  let mass: f64 = 0;
  let tied = 0;
  for (let at = logits; at < end; at += 4) {
    const weight = load<f32>(at);
    if (weight > cut || (weight == cut && tied++ < ties)) mass += weight;
  }
  let left = random() * mass;
  tied = 0;
  let last = 0;
  for (let at = logits; at < end; at += 4) {
    const weight = load<f32>(at);
    if (!(weight > cut || (weight == cut && tied++ < ties))) continue;
    last = <i32>((at - logits) >> 2);
    left -= weight;
    if (left < 0) break;
  }
  return last;
}

// @ts-ignore: decorator
@inline
function weightsOf(logits: v128, largest: v128, divisor: v128): v128 {
  const x = f32x4.div(f32x4.sub(logits, largest), divisor);
  return v128.and(exp4(x), f32x4.ge(x, f32x4.splat(-87)));
}

/** Top-k: the cut is the k-th largest weight; all that equal it stay, as in Hugging Face's TopKLogitsWarper. */
function cutCount(k: i32): void {
  fillHistogram();
  let bin = BINS - 1;
  let above = 0;
  for (; bin >= 0; bin--) {
    const count = load<i32>(counts + 4 * bin);
    if (above + count >= k) break;
    above += count;
  }
  if (bin < 0) return;
  gatherBin(bin);
  cut = load<f32>(members + 8 * <usize>(k - above - 1));
}

/** Top-p: the smallest set of likeliest tokens whose share reaches p; among equals the smaller ids. */
function cutMass(p: f32): void {
  fillHistogram();
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
  memory.fill(counts, 0, 4 * BINS);
  memory.fill(masses, 0, 8 * BINS);
  for (let at = logits, end = logits + 4 * <usize>config.vocabulary; at < end; at += 4) {
    const weight = load<f32>(at);
    if (!(weight >= cut)) continue;
    const bin = <usize>(reinterpret<u32>(weight) >> BIN_SHIFT);
    store<u32>(counts + 4 * bin, load<u32>(counts + 4 * bin) + 1);
    store<f64>(masses + 8 * bin, load<f64>(masses + 8 * bin) + weight);
  }
}

/** Collects the weights of a bin that are not cut, largest first, equals by id; returns how many. */
function gatherBin(bin: i32): i32 {
  let count = 0;
  for (let id = 0; id < config.vocabulary; id++) {
    const weight = load<f32>(logits + 4 * <usize>id);
    if (!(weight >= cut) || <i32>(reinterpret<u32>(weight) >> BIN_SHIFT) != bin) continue;
    store<f32>(members + 8 * <usize>count, weight);
    store<u32>(members + 8 * <usize>count, id, 4);
    count++;
  }
  sortMembers(count);
  return count;
}

// As one u64, weight bits above inverted id bits, members compare in one step.
// @ts-ignore: decorator
@inline
function rank(index: i32): u64 {
  const member = members + 8 * <usize>index;
  return ((<u64>load<u32>(member)) << 32) | (<u64>load<u32>(member, 4) ^ 0xffffffff);
}

/** Shell sort (Ciura's gaps), descending. */
function sortMembers(count: i32): void {
  for (let gap = firstGap(count); gap > 0; gap = gap == 1 ? 0 : max(1, <i32>(<f64>gap / 2.25))) {
    for (let i = gap; i < count; i++) {
      const moving = load<u64>(members + 8 * <usize>i);
      const value = rank(i);
      let j = i;
      for (; j >= gap && rank(j - gap) < value; j -= gap) {
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

// Reading logits

/** The `k` largest of a row, descending, equals by smaller id: { id u32, logit f32 }[k]. */
export function topLogits(row: usize, k: i32): usize {
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
