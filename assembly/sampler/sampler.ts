// From logits to a token, with the meaning and the order that Hugging Face `generate` gives the parameters: logit bias,
// repetition penalty, the penalties that the host lists, no-repeat n-grams, the mask of allowed tokens, temperature, top-k, top-p, min-p.

import {
  MAX_LOGIT_BIAS,
  SAMPLER_BIAS,
  SAMPLER_BIAS_COUNT,
  SAMPLER_PENALTY_COUNT,
  SAMPLER_TEMPERATURE,
} from "../layout/abi";
import { config } from "../model/config";
import { Sequence } from "../model/sequence";
import { draw } from "./draw";
import { argmax } from "./logits";
import { addAll, applyMask, applyRepetitionPenalty, banRepeatedNgrams } from "./penalties";
import { sampler } from "./state";

/** Picks a token from a row of logits, which it changes, after the first `length` tokens of the sequence. */
export function sampleToken(row: usize, sequence: Sequence, length: i32): i32 {
  const parameters = sequence.parameters;
  sampler.sequence = sequence;
  sampler.parameters = parameters;
  addAll(row, parameters + SAMPLER_BIAS, min(load<i32>(parameters, SAMPLER_BIAS_COUNT), MAX_LOGIT_BIAS));
  applyRepetitionPenalty(row, length);
  addAll(row, sampler.members, min(load<i32>(parameters, SAMPLER_PENALTY_COUNT), config.vocabulary));
  banRepeatedNgrams(row, length);
  applyMask(row);
  return load<f32>(parameters, SAMPLER_TEMPERATURE) > 0 ? draw(row) : argmax(row);
}
