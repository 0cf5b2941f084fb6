// Logits and log-probabilities of a given text.

import { LOGIT_ROWS } from "../../../assembly/layout/abi.js";
import type { ScoredToken, TokenLogprob } from "../api/api.js";
import type { Embedding, Scoring } from "../api/options.js";
import type { Core } from "../wasm/core.js";
import type { Engine } from "./engine.js";
import { prefill } from "./prefill.js";

/** Logits after tokens[0..position]: row `row` of the core's last logits() call, f32[vocabulary] in its memory. */
interface LogitRow {
  position: number;
  row: number;
  logits: Float32Array;
}

/** Yields the logits after every position from `from` on. A row is valid until the next one is asked for. */
async function* logitRows(
  engine: Engine,
  tokens: readonly number[],
  from: number,
  { client, cacheSalt, signal }: Embedding,
): AsyncGenerator<LogitRow> {
  const release = await engine.queue.enter(signal, client);
  try {
    const { vocabulary } = engine.info;
    const use = { origin: engine.origin(cacheSalt), parks: false };
    for await (const { start, count } of prefill(engine, tokens, from, use, engine.pace(signal))) {
      for (let first = Math.max(from - start, 0); first < count; first += LOGIT_ROWS) {
        const { core } = engine;
        const rows = Math.min(LOGIT_ROWS, count - first);
        const address = core.rows(core.exports.logits(first, rows));
        for (let row = 0; row < rows; row++) {
          const logits = core.floats(address + 4 * row * vocabulary, vocabulary);
          yield { position: start + first + row, row, logits };
        }
      }
    }
  } finally {
    release();
  }
}

/** Copies of the logits after every position from `from` on. */
export async function* logitsFrom(
  engine: Engine,
  tokens: readonly number[],
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array> {
  const options = { client: undefined, cacheSalt: undefined, signal };
  for await (const { logits } of logitRows(engine, tokens, from, options)) yield logits.slice();
}

/** Scores tokens[from..] each after the ones before it. */
export async function scoreTokens(engine: Engine, tokens: readonly number[], options: Scoring): Promise<ScoredToken[]> {
  const { top, from } = options;
  const scored: ScoredToken[] = [];
  const [first] = tokens;
  if (from === 0 && first !== undefined) scored.push({ token: first, logprob: null, topLogprobs: [] });
  for await (const { position, row, logits } of logitRows(
    engine,
    tokens.slice(0, -1),
    Math.max(from - 1, 0),
    options,
  )) {
    const token = tokens[position + 1]!;
    const total = engine.core.exports.logSumExp(row);
    scored.push({ token, logprob: logits[token]! - total, topLogprobs: topLogprobs(engine.core, row, top, total) });
  }
  return scored;
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
