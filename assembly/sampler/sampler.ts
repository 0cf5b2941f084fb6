// From logits to a token, with the meaning and the order that Hugging Face `generate` gives the parameters: logit bias,
// repetition penalty, no-repeat n-grams, the mask of allowed tokens, temperature, top-k, top-p, min-p.

import { SAMPLER_TEMPERATURE } from "../layout/abi";
import { draw } from "./draw";
import { argmax } from "./logits";
import { applyBias, applyMask, applyRepetitionPenalty, banRepeatedNgrams } from "./penalties";
import { sampler } from "./state";

/** Picks a token from a row of logits, which it changes, after the first `length` tokens of the history. */
export function sampleToken(row: usize, length: i32): i32 {
  applyBias(row);
  applyRepetitionPenalty(row, length);
  banRepeatedNgrams(row, length);
  applyMask(row);
  return load<f32>(sampler.parameters, SAMPLER_TEMPERATURE) > 0 ? draw(row) : argmax(row);
}
