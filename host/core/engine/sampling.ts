// The core's sampler, as the options of a generation want it.

import * as abi from "../../../assembly/layout/abi.js";
import type { Piece } from "../api/api.js";
import type { Generation } from "../api/options.js";
import type { Engine } from "./engine.js";
import { topLogprobs } from "./score.js";

/** Sets the parameters and the seed of a sequence of the core. */
export function configureSampler({ core }: Engine, sequence: number, options: Generation): void {
  const view = core.view(core.exports.sampler(sequence), abi.SAMPLER_BYTES);
  view.setFloat32(abi.SAMPLER_TEMPERATURE, options.temperature, true);
  view.setInt32(abi.SAMPLER_TOP_K, options.topK, true);
  view.setFloat32(abi.SAMPLER_TOP_P, options.topP, true);
  view.setFloat32(abi.SAMPLER_MIN_P, options.minP, true);
  view.setFloat32(abi.SAMPLER_REPETITION_PENALTY, options.repetitionPenalty, true);
  view.setInt32(abi.SAMPLER_NO_REPEAT_NGRAM, options.noRepeatNgram, true);
  view.setInt32(abi.SAMPLER_MASKED, 0, true);
  view.setInt32(abi.SAMPLER_PENALTY_COUNT, 0, true);
  view.setInt32(abi.SAMPLER_BIAS_COUNT, options.logitBias.length, true);
  options.logitBias.forEach(([token, bias], i) => {
    view.setUint32(abi.SAMPLER_BIAS + 8 * i, token, true);
    view.setFloat32(abi.SAMPLER_BIAS + 8 * i + 4, bias, true);
  });
  core.check(core.exports.seed(sequence, options.seed));
}

/**
 * Picks a token from row first + index of the last logits; `address` is that of row `first`, f32[...][vocabulary].
 * @param alternatives how many log-probabilities to report, taken before sampling changes the logits; undefined: not even its own
 * @param penalise writes the sampler's penalties, which lie where log-probabilities do
 */
export function sample(
  { core, info }: Engine,
  address: number,
  first: number,
  index: number,
  alternatives: number | undefined,
  penalise: () => void,
): Omit<Piece, "text"> {
  const { exports } = core;
  const row = first + index;
  if (alternatives === undefined) {
    penalise();
    return { token: exports.sample(row) };
  }
  const total = exports.logSumExp(row);
  const best = topLogprobs(core, row, alternatives, total);
  const raw = core.floats(address + 4 * index * info.vocabulary, info.vocabulary).slice();
  penalise();
  const token = exports.sample(row);
  return { token, logprob: raw[token]! - total, topLogprobs: best };
}
