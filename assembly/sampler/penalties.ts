// What changes logits before a token is drawn: bias, repetition penalty, the host's penalties, banned n-grams, mask.

import { SAMPLER_MASKED, SAMPLER_NO_REPEAT_NGRAM, SAMPLER_REPETITION_PENALTY } from "../layout/abi";
import { config } from "../model/config";
import { sampler } from "./state";

/** Adds { token id u32, bias f32 }[count] to logits. */
export function addAll(logits: usize, entries: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    const entry = entries + 8 * <usize>i;
    const id = load<u32>(entry);
    if (id >= <u32>config.vocabulary) continue;
    const logit = logits + 4 * <usize>id;
    store<f32>(logit, load<f32>(logit) + load<f32>(entry, 4));
  }
}

/** Every token of the history, once: a positive logit is divided by the penalty, a negative one multiplied. */
export function applyRepetitionPenalty(logits: usize, length: i32): void {
  const penalty = load<f32>(sampler.parameters, SAMPLER_REPETITION_PENALTY);
  if (penalty == 1) return;
  const seen = sampler.seen;
  memory.fill(seen, 0, config.vocabulary);
  for (let i = 0; i < length; i++) {
    const id = <usize>load<u32>(sampler.sequence.history + 4 * i);
    if (load<u8>(seen + id)) continue;
    store<u8>(seen + id, 1);
    const logit = load<f32>(logits + 4 * id);
    store<f32>(logits + 4 * id, logit < 0 ? logit * penalty : logit / penalty);
  }
}

/** Bans every token that would complete an n-gram of the history a second time. */
export function banRepeatedNgrams(logits: usize, length: i32): void {
  const n = load<i32>(sampler.parameters, SAMPLER_NO_REPEAT_NGRAM);
  if (n <= 0 || length < n) return;
  const bytes = <usize>(n - 1) * 4;
  const tail = sampler.sequence.history + 4 * <usize>length - bytes;
  for (let i = 0; i + n <= length; i++) {
    const gram = sampler.sequence.history + 4 * <usize>i;
    if (memory.compare(gram, tail, bytes) == 0) store<f32>(logits + 4 * <usize>load<u32>(gram + bytes), -Infinity);
  }
}

/** What a banned token that the mask allows gets. */
const LOWEST: f32 = -1e30;
const BITS = memory.data<i32>([1, 2, 4, 8], 16);

/** Tokens that are not allowed get -Infinity; banned ones that are stay possible, in case that nothing else is left. */
export function applyMask(logits: usize): void {
  if (!load<i32>(sampler.parameters, SAMPLER_MASKED)) return;
  const mask = sampler.mask;
  const bits = v128.load(BITS);
  const lowest = f32x4.splat(LOWEST);
  const never = f32x4.splat(-Infinity);
  const whole = config.vocabulary & ~7;
  let row = logits;
  for (let id = 0; id < whole; id += 8) {
    const allowed = <i32>load<u8>(mask + (id >> 3));
    const low = i32x4.ne(v128.and(i32x4.splat(allowed), bits), i32x4.splat(0));
    const high = i32x4.ne(v128.and(i32x4.splat(allowed >> 4), bits), i32x4.splat(0));
    v128.store(row, v128.bitselect(f32x4.pmax(lowest, v128.load(row)), never, low));
    v128.store(row, v128.bitselect(f32x4.pmax(lowest, v128.load(row, 16)), never, high), 16);
    row += 32;
  }
  for (let id = whole; id < config.vocabulary; id++) {
    const allowed = (load<u8>(mask + (id >> 3)) >> <u8>(id & 7)) & 1;
    const logit = load<f32>(row);
    store<f32>(row, !allowed ? -Infinity : logit > LOWEST ? logit : LOWEST);
    row += 4;
  }
}
