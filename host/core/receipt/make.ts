// What is kept of a completion so that anybody can repeat it: the model's hash, the tokens, every option that has a say, and the SHA-256 of the
// logits behind the last token, which is what `zagreus logits --tokens` prints of the receipt's tokens.

import type { ModelInfo, Receipt, ScoredToken } from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { hex, hexOfHash } from "../api/hex.js";
import type { Generation } from "../api/options.js";
import type { Core } from "../wasm/core.js";

export const VERSION = 1;

/** Options that are off unless somebody wants them, and that not every host knows. */
const SELDOM = ["frequencyPenalty", "presencePenalty", "dry", "loopStop", "responseFormat"] as const;

/** @throws ZagreusError INVALID_OPTION where the beginning of the tokens may slide away */
export function checkReceipt({ overflow, adapters }: Generation): void {
  if (adapters?.length) throw invalidOption("receipt", true, "used without adapters, which it does not name");
  if (overflow) throw invalidOption("receipt", true, 'used with overflow: "stop" only');
}

/**
 * @param said what was generated
 * @param logits behind the last token, f32[vocabulary]
 */
export async function makeReceipt(
  { core, info }: { readonly core: Core; readonly info: ModelInfo },
  prompt: readonly number[],
  said: {
    readonly tokens: readonly number[];
    endToken: ScoredToken | undefined;
    finishReason: Receipt["finishReason"] | undefined;
  },
  options: Generation,
  logits: Uint8Array,
): Promise<Receipt> {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, noRepeatNgram, stop, logitBias } = options;
  const seldom = SELDOM.filter((name) => options[name]).map((name) => [name, options[name]]);
  return {
    version: VERSION,
    model: hexOfHash(core.exports.modelHash()),
    kvType: info.kvType,
    contextLength: info.contextLength,
    prompt: [...prompt],
    options: {
      ...{ maxTokens, temperature, topK, topP, minP, repetitionPenalty, noRepeatNgram, stop },
      logitBias: logitBias.map(([token, bias]) => [token, Number.isFinite(bias) ? bias : "-Infinity"]),
      ...Object.fromEntries(seldom),
    },
    seed: String(options.seed),
    tokens: [...said.tokens],
    endToken: said.endToken?.token ?? null,
    finishReason: said.finishReason!,
    logits: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", logits.slice()))),
  };
}
