// Runs a token sequence through the model, from where the KV cache already agrees with it.

import { MAX_BATCH } from "../../../assembly/layout/abi.js";
import { failure } from "../api/messages.js";
import type { Origin } from "../kv/kv_pool.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";

/** Tokens start..start + count - 1 have just been run; logits() takes their index in the batch. */
export interface Batch {
  start: number;
  count: number;
}

/**
 * Runs what the cache lacks of `tokens` in batches, yielding after each.
 * @param from first position that is wanted; it is run even if the cache has it
 * @param keep who may have the KV of what is run, later; undefined: it is not worth keeping
 * @throws ZagreusError CONTEXT_OVERFLOW before anything runs
 */
export async function* prefill(
  engine: Engine,
  tokens: readonly number[],
  from: number,
  keep: Origin | undefined,
  pace: Pace,
): AsyncGenerator<Batch> {
  const { contextLength } = engine.info;
  if (tokens.length > contextLength) throw failure("CONTEXT_OVERFLOW", tokens.length, contextLength, "prompt");
  const known = engine.cache.take(tokens, from, keep);
  for (let start = Math.min(known, from); start < tokens.length; start += MAX_BATCH) {
    await pace.breathe();
    const batch = tokens.slice(start, start + MAX_BATCH);
    runBatch(engine, batch, start);
    yield { start, count: batch.length };
  }
}

/** Runs up to MAX_BATCH tokens at positions start.. */
export function runBatch({ core }: Engine, tokens: readonly number[], start: number): void {
  core.words(core.exports.batch(), tokens.length).set(tokens);
  core.check(core.exports.forward(tokens.length, start));
}
