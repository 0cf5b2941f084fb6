// Runs a token sequence through the model, from where the KV cache already agrees with it.

import { MAX_BATCH } from "../../../assembly/layout/abi.js";
import { failure } from "../api/messages.js";
import type { Origin } from "../kv/kv_pool.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";

/** Whose KV a prompt may use, and who may have what is run. */
export interface CacheUse {
  origin: Origin;
  /** Whether the KV is kept when another sequence comes. */
  parks: boolean;
}

/** Tokens start..start + count - 1 have just been run; logits() takes their index in the batch. */
export interface PrefillBatch {
  start: number;
  count: number;
}

/**
 * How long a batch should take: an abort in the middle of a prompt waits for it. Any split of a prompt gives the same bits. What a
 * token costs more than in batches of 64 (0.4B, Q4_0, simd, 1 thread, CPU time): 18 % with 8 rows, 6 % with 16, 3 % with 24.
 */
const BATCH_MS = 150;
/** The fewest rows, of which others are multiples. */
const ROWS = 8;

/**
 * Runs what the cache lacks of `tokens` in batches, yielding after each.
 * @param from first position that is wanted; it is run even if the cache has it
 * @throws ZagreusError CONTEXT_OVERFLOW before anything runs
 */
export async function* prefill(
  engine: Engine,
  tokens: readonly number[],
  from: number,
  use: CacheUse,
  pace: Pace,
): AsyncGenerator<PrefillBatch> {
  const { contextLength } = engine.info;
  if (tokens.length > contextLength) throw failure("CONTEXT_OVERFLOW", tokens.length, contextLength, "prompt");
  const known = engine.cache.restorePrefix(tokens, from, use);
  for (let start = Math.min(known, from); start < tokens.length; ) {
    await pace.yield();
    const batch = tokens.slice(start, start + batchRows(engine.tokenMs));
    const begun = performance.now();
    runBatch(engine, batch, start);
    if (batch.length >= ROWS) engine.tokenMs = (performance.now() - begun) / batch.length;
    yield { start, count: batch.length };
    start += batch.length;
  }
}

/** Tokens to run together where one takes so long; a clock that stands still, as Cloudflare's, tells 0. */
function batchRows(tokenMs: number): number {
  const rows = ROWS * Math.floor(BATCH_MS / (ROWS * tokenMs));
  return Math.max(ROWS, Math.min(rows, MAX_BATCH));
}

/** Runs up to MAX_BATCH tokens at positions start.. */
export function runBatch({ core }: Engine, tokens: readonly number[], start: number): void {
  core.words(core.exports.batch(), tokens.length).set(tokens);
  core.check(core.exports.forward(tokens.length, start));
}
