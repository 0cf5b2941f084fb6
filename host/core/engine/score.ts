// Logits and log-probabilities of a given text.

import { LOGIT_ROWS } from "../../../assembly/layout/abi.js";
import type { ScoredToken, TokenLogprob } from "../api/api.js";
import { failure } from "../api/messages.js";
import type { Embedding, Scoring } from "../api/options.js";
import type { Core } from "../wasm/core.js";
import type { Engine } from "./engine.js";
import { RowReader } from "./row_reader.js";

/** Rows of logits that are copied at a time. */
const COPIED_ROWS = 2 * LOGIT_ROWS;

/** Copies of the logits after every position from `from` on. */
export async function* logitsFrom(
  engine: Engine,
  tokens: readonly number[],
  from: number,
  given: Pick<Embedding, "adapters" | "signal">,
): AsyncGenerator<Float32Array> {
  const { vocabulary, contextLength } = engine.info;
  if (tokens.length > contextLength) throw failure("CONTEXT_OVERFLOW", tokens.length, contextLength, "prompt");
  const reader = await RowReader.open(engine, { client: undefined, cacheSalt: undefined, ...given });
  try {
    for (let at = from; at < tokens.length; at += COPIED_ROWS) {
      const copies: Float32Array[] = [];
      await reader.read(tokens.slice(0, at + COPIED_ROWS), at, "logits", ({ count, address }) => {
        for (let i = 0; i < count; i++)
          copies.push(engine.core.floats(address + 4 * i * vocabulary, vocabulary).slice());
      });
      yield* copies;
    }
  } finally {
    reader.close();
  }
}

/** Scores tokens[from..] each after the ones before it. */
export async function scoreTokens(engine: Engine, tokens: readonly number[], options: Scoring): Promise<ScoredToken[]> {
  const { top, from } = options;
  const { vocabulary } = engine.info;
  const scored: ScoredToken[] = [];
  const [first] = tokens;
  if (from === 0 && first !== undefined) scored.push({ token: first, logprob: null, topLogprobs: [] });
  const reader = await RowReader.open(engine, options);
  try {
    const before = tokens.slice(0, -1);
    if (before.length === 0) return scored;
    await reader.read(before, Math.max(from - 1, 0), "logits", ({ position, count, row, address }) => {
      const { core } = engine;
      for (let i = 0; i < count; i++) {
        const token = tokens[position + i + 1]!;
        const total = core.exports.logSumExp(row + i);
        const logit = core.floats(address + 4 * (i * vocabulary + token), 1)[0]!;
        scored.push({ token, logprob: logit - total, topLogprobs: topLogprobs(core, row + i, top, total) });
      }
    });
    return scored;
  } finally {
    reader.close();
  }
}

/** The `count` most probable tokens of a logits row whose log-sum-exp is `total`. */
export function topLogprobs(core: Core, row: number, count: number, total: number): TokenLogprob[] {
  if (count === 0) return [];
  const entries = core.view(core.exports.top(row, count), 8 * count);
  return Array.from({ length: count }, (_, i) => ({
    token: entries.getUint32(8 * i, true),
    logprob: entries.getFloat32(8 * i + 4, true) - total,
  }));
}
