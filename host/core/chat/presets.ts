// How the makers of the models say that they should be sampled. Data only: a new model is a new line.

import type { GenerateOptions, ModelInfo } from "../api/api.js";
import { modelName } from "./templates.js";

export type Sampling = Pick<GenerateOptions, "temperature" | "repetitionPenalty" | "noRepeatNgram" | "loopStop">;

export interface SamplingPreset {
  /** In what the file says about the model's name. */
  name: RegExp;
  sampling: Sampling;
  source: string;
}

const REPORT = "https://github.com/mii-llm/zagreus-nesso-slm";

/** For conversations; the first that fits. */
export const PRESETS: readonly SamplingPreset[] = [
  {
    name: /nesso2/i,
    sampling: { temperature: 0, repetitionPenalty: 1.15, noRepeatNgram: 6 },
    source: `${REPORT}/blob/main/nesso2/MODEL_CARD.md, "Plain conversation (no tools)"`,
  },
  {
    name: /nesso.*instruct/i,
    sampling: { temperature: 0.7, repetitionPenalty: 1.3 },
    source: `https://huggingface.co/mii-llm/nesso-0.4B-instruct; the penalty: ${REPORT}, "repetition_penalty ≥ 1.3"`,
  },
  {
    name: /nesso|open[-_ ]?zagreus/i,
    sampling: { temperature: 0.7, repetitionPenalty: 1.3 },
    source: "as Nesso-0.4B-instruct, which is of the same base model",
  },
  {
    name: /zagreus/i,
    sampling: { temperature: 0.8, repetitionPenalty: 1.1 },
    source: "https://huggingface.co/mii-llm/zagreus-0.4B-ita; what complete() does by default",
  },
];

/** For tool calls and other structure, where a penalty would suppress quotes, braces and names. */
export const STRUCTURE: Omit<SamplingPreset, "name"> = {
  sampling: { temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0 },
  source: `${REPORT}/blob/main/nesso2/MODEL_CARD.md, "For function calling and structured output"`,
};

/** What the caller leaves open. */
export function presetFor(info: Pick<ModelInfo, "name" | "metadata">, structured: boolean): Sampling {
  if (structured) return STRUCTURE.sampling;
  return PRESETS.find(({ name }) => name.test(modelName(info)))?.sampling ?? {};
}
