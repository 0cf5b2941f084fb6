// Where the sampler's buffers lie.

import { LOGIT_ROWS, MAX_TOP, SAMPLER_BYTES, SAMPLER_REPETITION_PENALTY, SAMPLER_TOP_P } from "../layout/abi";
import { config } from "../model/config";
import { Sequence, sequenceAt } from "../model/sequence";
import { carve } from "../runtime/carve";
import { samplerAddress, STRUCT_BYTES } from "../runtime/memory";

// A bin holds the probabilities whose float bits agree above bit 20: sign, exponent and 3 bits of mantissa; 1.0 is the last.
export const BIN_SHIFT = 20;
export const BINS = (0x3f800000 >> BIN_SHIFT) + 1;

@unmanaged
export class Sampler {
  parameters: usize; // SAMPLER_*, of the sequence that is sampled
  sequence: Sequence;
  rows: usize; // logits of the last projection: f32[LOGIT_ROWS][vocabulary]
  mask: usize; // u8[ceil(vocabulary / 8)], bit i & 7 of byte i >> 3 for token i: whether it may be sampled while SAMPLER_MASKED is 1
  seen: usize; // u8[vocabulary]: in the history
  counts: usize; // u32[BINS]
  masses: usize; // f64[BINS]
  members: usize; // { probability f32, id u32 }[vocabulary] of the bin that is cut; also the result of topLogits(), and the host's penalties
}

// @ts-ignore: decorator
@lazy
export const sampler = changetype<Sampler>(samplerAddress());
if (offsetof<Sampler>() > STRUCT_BYTES) ERROR("Sampler is larger than STRUCT_BYTES");

/** Carves the buffers, which are written to only when memory is there. */
export function carveSampler(): void {
  const vocabulary = <u64>config.vocabulary;
  sampler.rows = carve(LOGIT_ROWS * 4 * vocabulary);
  sampler.mask = carve((vocabulary + 7) / 8);
  sampler.seen = carve(vocabulary);
  sampler.counts = carve(4 * BINS);
  sampler.masses = carve(8 * BINS);
  sampler.members = carve(8 * max<u64>(vocabulary, MAX_TOP));
}

/** Neutral parameters for all sequences: greedy. */
export function resetSampler(): void {
  for (let i = 0; i < config.sequences; i++) {
    const parameters = sequenceAt(i).parameters;
    memory.fill(parameters, 0, SAMPLER_BYTES);
    store<f32>(parameters, 1, SAMPLER_TOP_P);
    store<f32>(parameters, 1, SAMPLER_REPETITION_PENALTY);
  }
}

/** Logits of row `index` of the last projection, f32[vocabulary]. */
export function logitRow(index: i32): usize {
  return sampler.rows + 4 * <usize>index * <usize>config.vocabulary;
}
