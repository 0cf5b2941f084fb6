// Runs a token sequence through the model, from where the KV cache already agrees with it.

import { MAX_BATCH } from "../../../assembly/layout/abi.js";
import { failure } from "../api/messages.js";
import type { Origin } from "../kv/kv_pool.js";
import type { Core } from "../wasm/core.js";
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
 * Milliseconds after which a prompt lets the event loop come round, and an abort be seen, and that it may take at most where one layer of
 * the smallest batch does not take longer. Batches run some layers at a time: larger ones cost less. What a token costs more than in
 * batches of 64 (0.4B, Q4_0, simd, 1 thread, CPU time): 18 % with 8 rows, 6 % with 16, 3 % with 24.
 */
const STEP_MS = 12;
const MAX_STEP_MS = 100;
/** The fewest rows, of which others are multiples. */
const ROWS = 8;

/**
 * Runs what the cache lacks of `tokens` in batches, yielding after each.
 * @param from first position that is wanted; it is run even if the cache has it
 * @param begin told the first position that is run, before it is
 * @throws ZagreusError CONTEXT_OVERFLOW before anything runs
 */
export async function* prefill(
  engine: Engine,
  tokens: readonly number[],
  from: number,
  use: CacheUse,
  pace: Pace,
  begin: (start: number) => void = () => {},
): AsyncGenerator<PrefillBatch> {
  const { contextLength } = engine.info;
  if (tokens.length > contextLength) throw failure("CONTEXT_OVERFLOW", tokens.length, contextLength, "prompt");
  const known = engine.cache.restorePrefix(tokens, from, use);
  let start = Math.min(known, from);
  begin(start);
  while (start < tokens.length) {
    const batch = tokens.slice(start, start + batchRows(engine));
    await runInSteps(engine, batch, start, pace);
    yield { start, count: batch.length };
    start += batch.length;
  }
}

/** Tokens to run together so that a layer takes so long; a clock that stands still, as Cloudflare's, tells 0. */
function batchRows({ tokenMs, info }: Engine): number {
  const rows = ROWS * Math.floor((MAX_STEP_MS * info.layers) / (ROWS * tokenMs));
  return Math.max(ROWS, Math.min(rows, MAX_BATCH));
}

/** runBatch(), some layers at a time; measures what a token costs. */
async function runInSteps(engine: Engine, batch: readonly number[], start: number, pace: Pace): Promise<void> {
  const { layers } = engine.info;
  const layerMs = (engine.tokenMs * batch.length) / layers;
  const step = Math.max(1, Math.min(Math.floor(STEP_MS / layerMs), layers));
  let spent = 0;
  for (let left = layers; left > 0; ) {
    await pace.yield();
    const { core } = engine;
    const begun = performance.now();
    if (left === layers) core.check(core.exports.beginForward(place(core, batch), start));
    left = core.counted(core.exports.forwardLayers(step));
    spent += performance.now() - begun;
  }
  if (batch.length >= ROWS) engine.tokenMs = spent / batch.length;
}

/** Runs up to MAX_BATCH tokens at positions start.. */
export function runBatch({ core }: Engine, tokens: readonly number[], start: number): void {
  core.check(core.exports.forward(place(core, tokens), start));
}

/** Tokens for the next forward pass; how many there are. */
function place(core: Core, tokens: readonly number[]): number {
  core.words(core.exports.batch(), tokens.length).set(tokens);
  return tokens.length;
}
