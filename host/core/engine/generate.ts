// One generation: its turn in the queue, the prompt, then a token at a time.

import type { ChatFinishReason, FinishReason, Piece, Timings, Usage } from "../api/api.js";
import { part } from "../api/errors.js";
import type { Generation } from "../api/options.js";
import type { Origin } from "../kv/kv_pool.js";
import type { Speculation } from "../speculation/speculation.js";
import type { GenerationRecord } from "./completion.js";
import { checkRoom, constrain } from "./constrain.js";
import { Decode } from "./decode.js";
import type { Engine } from "./engine.js";
import { slide } from "./overflow.js";
import type { Pace } from "./pace.js";
import { prefill, runBatch } from "./prefill.js";
import type { Release } from "./queue.js";

export interface GenerationJob {
  options: Generation;
  /** The turn, if it has been taken already. */
  turn?: Release | undefined;
  /**
   * The whole token sequence to continue, to which generated tokens are added. Called when it is the job's turn, so that what is costly
   * about a request waits as it does.
   */
  sequence(): number[];
  /** Told when the prompt has been run and `sequence` is going to grow. */
  started?(sequence: number[]): void;
  /** Throws when the job must not go on. */
  check?(): void;
  /** Who vouches for the KV that it continues, and may have it later. Default: whoever has the same cacheSalt. */
  origin?: Origin;
}

/**
 * @param signal instead of that of the options
 * @throws ZagreusError ABORTED, CLOSED, CONTEXT_OVERFLOW, what job.sequence() throws, ...
 */
export async function* generate(
  engine: Engine,
  job: GenerationJob,
  record: GenerationRecord<ChatFinishReason>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Piece> {
  record.model = engine.info.name;
  const { client } = job.options;
  const release = job.turn ?? (await engine.queue.enter(signal, client));
  // Aborted while its reader is away, a generation must not keep others waiting; on return it finds the signal first.
  signal?.addEventListener("abort", release, { once: true });
  try {
    yield* run(engine, { ...job, options: { ...job.options, signal } }, record);
  } finally {
    signal?.removeEventListener("abort", release);
    release();
  }
}

async function* run(
  engine: Engine,
  job: GenerationJob,
  record: GenerationRecord<ChatFinishReason>,
): AsyncGenerator<Piece> {
  const { options } = job;
  const pace = engine.pace(options.signal, job.check);
  await pace.yield();
  const sequence = job.sequence();
  const speculate = await speculator(options);
  const constraint = await constrain(engine, options, pace);
  const penalties = await penaltiesOf(engine, options);
  const loop = options.loopStop && !constraint ? new (await part(import("./text/loop_stop.js"))).LoopStop() : undefined;
  await pace.yield();
  slide(sequence, options.overflow, engine.info.contextLength);
  if (constraint && options.maxTokens > 0) checkRoom(engine, constraint, options, sequence.length);

  const origin = job.origin ?? engine.origin(options.cacheSalt);
  const meter = new Meter(sequence.length);
  const { length } = sequence;
  let logits = await readPrompt(engine, sequence, origin, pace, (done, run) => {
    meter.prefilledTokens = run;
    options.onPrefill?.({ done, total: length, reused: done - run });
  });
  meter.startDecode();
  job.started?.(sequence);
  const speculation = speculate?.(engine, sequence);
  const end = (finishReason: FinishReason) => {
    engine.cache.truncate(sequence);
    Object.assign(record, { finishReason, ...meter.report(record.tokens.length, speculation) });
  };
  const decode = new Decode(engine, { options, sequence, record, speculation, constraint, penalties, loop, end });
  while (!decode.ended) {
    decode.sampleFrom(logits);
    while (decode.hasRow) {
      await pace.yield();
      const piece = await decode.sample(pace);
      meter.pause();
      if (piece) yield piece;
      meter.resume();
    }
    if (decode.ended) return;
    await pace.yield();
    if (decode.isFull) {
      decode.slide();
      logits = await readPrompt(engine, sequence, origin, pace);
    } else {
      logits = runTokens(engine, decode.next(), sequence.length - 1);
    }
  }
}

/**
 * Runs what the cache lacks of `sequence` and computes the last token's logits, whose address it returns.
 * @param onBatch told how many tokens are in the cache by now, and how many of them have been run; first of all that none has
 */
async function readPrompt(
  engine: Engine,
  sequence: readonly number[],
  origin: Origin,
  pace: Pace,
  onBatch: (done: number, run: number) => void = () => {},
): Promise<number> {
  let logits = 0;
  let run = 0;
  const use = { origin, parks: true };
  const begin = (start: number) => onBatch(start, 0);
  for await (const { start, count } of prefill(engine, sequence, sequence.length - 1, use, pace, begin)) {
    if (start + count === sequence.length) logits = engine.core.rows(engine.core.exports.logits(count - 1, 1));
    run += count;
    onBatch(start + count, run);
  }
  return logits;
}

/** Runs up to LOGIT_ROWS tokens at positions start.. and returns the address of the logits of all. */
function runTokens(engine: Engine, tokens: readonly number[], start: number): number {
  const begun = performance.now();
  runBatch(engine, tokens, start);
  const logits = engine.core.rows(engine.core.exports.logits(0, tokens.length));
  const ms = performance.now() - begun;
  if (engine.kernels?.learn(tokens.length, ms)) engine.batchCosts.record(tokens.length, ms);
  return logits;
}

/** What makes guesses, if they are wanted. */
async function speculator({ promptLookup, maxTokens }: Generation) {
  if (!promptLookup) return undefined;
  const { Speculation } = await part(import("../speculation/speculation.js"));
  return (engine: Engine, sequence: readonly number[]) => {
    const capacity = Math.min(sequence.length + maxTokens, engine.info.contextLength);
    return new Speculation(promptLookup, sequence, capacity, engine.batchCosts);
  };
}

/** What tokens lose for having been said, if anything. */
async function penaltiesOf(engine: Engine, options: Generation) {
  const { frequencyPenalty, presencePenalty, dry } = options;
  if (!frequencyPenalty && !presencePenalty && !dry) return undefined;
  const { Penalties } = await part(import("./penalties/penalties.js"));
  return new Penalties(engine.core, options);
}

/** Counts tokens and time, without the time that the reader of a generation is away. */
class Meter {
  prefilledTokens = 0;
  readonly #promptTokens: number;
  #since = performance.now();
  #prefillMs = 0;
  #decodeMs = 0;

  constructor(promptTokens: number) {
    this.#promptTokens = promptTokens;
  }

  startDecode(): void {
    this.#prefillMs = performance.now() - this.#since;
    this.resume();
  }
  pause(): void {
    this.#decodeMs += performance.now() - this.#since;
  }
  resume(): void {
    this.#since = performance.now();
  }

  report(completionTokens: number, speculation: Speculation | undefined): { usage: Usage; timings: Timings } {
    this.pause();
    const [promptTokens, prefilledTokens] = [this.#promptTokens, this.prefilledTokens];
    return {
      usage: { promptTokens, reusedTokens: promptTokens - prefilledTokens, prefilledTokens, completionTokens },
      timings: {
        prefillMs: this.#prefillMs,
        decodeMs: this.#decodeMs,
        prefillTokensPerSecond: rate(prefilledTokens, this.#prefillMs),
        decodeTokensPerSecond: rate(Math.max(completionTokens - 1, 0), this.#decodeMs),
        proposedTokens: speculation?.proposedTokens ?? 0,
        acceptedTokens: speculation?.acceptedTokens ?? 0,
      },
    };
  }
}

function rate(count: number, milliseconds: number): number {
  return milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}
