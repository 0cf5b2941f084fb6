// How the makers of models say that they should be sampled. Data only: a new model is a new line. What is not here samples as llama.cpp
// and OpenAI's API do, without a penalty.

import type { ModelInfo, ModelSampling, SamplingDefaults } from "../api/api.js";
import { modelName } from "./templates.js";

export interface SamplingPreset {
  /** Of which one is in what the file says about the model's name, but for capitals, punctuation and the size "0.4B". */
  names: readonly string[];
  /** For text that is continued. */
  text?: SamplingDefaults;
  /** For conversations. */
  chat: SamplingDefaults;
  /** For tool calls and other structure, where a penalty would suppress quotes, braces and names. */
  structure?: SamplingDefaults;
  source: string;
}

const REPORT = "https://github.com/mii-llm/zagreus-nesso-slm";
const EXACT: SamplingDefaults = { temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0 };
const BASE: SamplingDefaults = { temperature: 0.8, repetitionPenalty: 1.1 };

/** The first that fits. Structure: nesso2/MODEL_CARD.md, "For function calling and structured output". */
export const PRESETS: readonly SamplingPreset[] = [
  {
    names: ["nesso2-agentic"],
    chat: { temperature: 0, repetitionPenalty: 1.15, noRepeatNgram: 6, loopStop: true },
    structure: EXACT,
    source: `${REPORT}/blob/main/nesso2/MODEL_CARD.md, "Plain conversation (no tools)"`,
  },
  {
    names: ["nesso-instruct"],
    chat: { temperature: 0.7, repetitionPenalty: 1.3, loopStop: true },
    structure: EXACT,
    source: `https://huggingface.co/mii-llm/nesso-0.4B-instruct; the penalty: ${REPORT}, "repetition_penalty ≥ 1.3"`,
  },
  {
    names: ["nesso-agentic", "open-zagreus"],
    chat: { temperature: 0.7, repetitionPenalty: 1.3, loopStop: true },
    structure: EXACT,
    source: "as Nesso-0.4B-instruct, which is of the same base model",
  },
  {
    names: ["zagreus-ita", "zagreus-spa", "zagreus-por", "zagreus-fra"],
    text: BASE,
    chat: BASE,
    structure: EXACT,
    source: "https://huggingface.co/mii-llm/zagreus-0.4B-ita",
  },
  {
    names: ["SmolLM2"],
    chat: { temperature: 0.2, topP: 0.9 },
    source: "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
  },
];

/** What the names leave out. */
export const NAME_SIZE = "04b";

/** How names are compared. */
export const squeezed = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replaceAll(NAME_SIZE, "");

/** What a model's makers say, and nothing for models that are not here. */
export function samplingOf(info: Pick<ModelInfo, "name" | "metadata">): ModelSampling {
  const given = squeezed(modelName(info));
  const preset = PRESETS.find(({ names }) => names.some((name) => given.includes(squeezed(name))));
  const { text = {}, chat = {}, source } = preset ?? {};
  return { text, chat, structure: preset?.structure ?? chat, source };
}

/** What a chat takes where its caller says nothing. */
export function presetFor(info: Pick<ModelInfo, "name" | "metadata">, structured: boolean): SamplingDefaults {
  const { structure, chat } = samplingOf(info);
  return structured ? structure : chat;
}
