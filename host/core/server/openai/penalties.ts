// What tokens lose for having been said: OpenAI's two penalties, and DRY as llama-server has it.

import * as z from "zod";
import { MAX_CONTEXT } from "../../../../assembly/layout/gguf.js";
import type { GenerateOptions } from "../../api/api.js";
import { list, optional } from "./fields.js";

const MAX_BREAKERS = 16;
const MAX_BREAKER = 40; // bytes, as in the library
const isShort = (text: string) => new TextEncoder().encode(text).length <= MAX_BREAKER;

/** Some clients of llama-server send the list as JSON. */
const breakers = z.preprocess(
  (value) => {
    try {
      return typeof value === "string" ? JSON.parse(value) : value;
    } catch {
      return value;
    }
  },
  list(z.string().min(1).refine(isShort, `has more than ${MAX_BREAKER} bytes`), MAX_BREAKERS),
);

/** Fields of requests. */
export const penalties = {
  repetition_penalty: optional(z.number().min(0.01).max(100)),
  frequency_penalty: optional(z.number().min(-2).max(2)),
  presence_penalty: optional(z.number().min(-2).max(2)),
  dry_multiplier: optional(z.number().min(0).max(100)),
  dry_base: optional(z.number().min(1).max(100)),
  dry_allowed_length: optional(z.int().min(0).max(MAX_CONTEXT)),
  dry_penalty_last_n: optional(z.int().min(-1).max(MAX_CONTEXT)),
  dry_sequence_breakers: optional(breakers),
};
const body = z.object(penalties);

/** As options of a generation. */
export function penaltyOptions(request: z.infer<typeof body>): Partial<GenerateOptions> {
  const { dry_multiplier: multiplier, dry_penalty_last_n: last } = request;
  const dry = {
    multiplier,
    base: request.dry_base,
    allowedLength: request.dry_allowed_length,
    penaltyLastN: last === -1 ? MAX_CONTEXT : last, // the whole context, as llama-server's clients knew it
    sequenceBreakers: request.dry_sequence_breakers,
  };
  return {
    frequencyPenalty: request.frequency_penalty,
    presencePenalty: request.presence_penalty,
    dry: multiplier ? dry : undefined,
  };
}
