// One generation: its place in the queue, the prompt, then a token at a time.

import type { ChatFinishReason, FinishReason, Piece } from "../api/api.js";
import { part } from "../api/errors.js";
import type { Generation } from "../api/options.js";
import type { KvSequence } from "../kv/kv_sequence.js";
import type { Origin } from "../kv/page_tree.js";
import type { Rows, Work } from "./batch/work.js";
import type { GenerationRecord } from "./completion.js";
import { checkRoom, constrain } from "./constrain.js";
import { Decode } from "./decode.js";
import type { Engine } from "./engine.js";
import { Meter } from "./meter.js";
import type { Pace } from "./pace.js";
import type { Release } from "./queue.js";
import { slide } from "./text/overflow.js";

export interface GenerationJob {
  options: Generation;
  /** The place, if it has been taken already. */
  turn?: Release | undefined;
  /**
   * The whole token sequence to continue, to which generated tokens are added. Called when the job has its place, so that what is costly
   * about a request waits as it does.
   */
  sequence(pace: Pace): number[] | Promise<number[]>;
  /** Told when the prompt has been run and `sequence` is going to grow. */
  started?(sequence: number[]): void;
  /** Throws when the job must not go on. */
  check?(): void;
  /** Who vouches for the KV that it continues, and may have it later. Default: whoever has the same cacheSalt. */
  origin?: Origin;
  /** Whether anybody may have it later. Default: true. */
  shares?: boolean;
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
  const place = placeFor(engine, job, release);
  // Aborted while its reader is away, a generation must not keep others waiting; on return it finds the signal first.
  const leave = () => place.kv.close(place.sequence, release);
  signal?.addEventListener("abort", leave, { once: true });
  try {
    yield* run(engine, { ...job, options: { ...job.options, signal } }, record, place);
  } finally {
    signal?.removeEventListener("abort", leave);
    leave();
  }
}

/** @throws ZagreusError CLOSED, INVALID_OPTION */
function placeFor(engine: Engine, job: GenerationJob, release: Release): Place {
  const { cacheSalt, adapters } = job.options;
  try {
    engine.assertOpen();
    const use = { origin: job.origin ?? engine.origin(cacheSalt, adapters), shares: job.shares ?? true };
    return { kv: engine.begin(use, adapters), sequence: [] };
  } catch (error) {
    release();
    throw error;
  }
}

/** Where a generation is run, and the tokens that it leaves there. */
interface Place {
  readonly kv: KvSequence;
  sequence: number[];
}

async function* run(
  engine: Engine,
  job: GenerationJob,
  record: GenerationRecord<ChatFinishReason>,
  place: Place,
): AsyncGenerator<Piece> {
  const { options } = job;
  const { kv } = place;
  const pace = engine.pace(options.signal, job.check);
  await pace.yield();
  const sequence = await job.sequence(pace);
  const receipts = options.receipt ? await part(import("../receipt/make.js")) : undefined;
  receipts?.checkReceipt(options);
  slide(sequence, options.overflow, engine.info.contextLength);
  const { length } = sequence;
  const prompt = receipts && [...sequence];
  const restored = engine.prompts && (await engine.prompts.fetch(sequence, kv.origin, engine.tokenMs, options.signal));
  const meter = new Meter(length);
  const decode = await decodeOf(engine, job, record, kv, sequence, meter, pace);
  const work = { kv, client: options.client, tokens: sequence, check: () => pace.check() };
  let piece: Piece | undefined;
  const tell = (done: number, run: number) => {
    meter.prefilledTokens = run;
    options.onPrefill?.({ done, total: length, reused: done - run });
  };
  await engine.scheduler.run({
    ...work,
    from: length - 1,
    begin: (start) => tell(start, 0),
    progress: tell,
    take(rows) {
      meter.startDecode();
      if (restored) engine.prompts?.keep(sequence, kv.origin, restored, length - meter.prefilledTokens);
      place.sequence = sequence;
      job.started?.(sequence);
      decode.start();
      if (!decode.ended) piece = decode.sampleFrom(rows);
    },
  });
  const take = (rows: Rows) => {
    piece = decode.sampleFrom(rows);
  };
  for (;;) {
    meter.pause();
    if (piece) yield piece;
    meter.resume();
    if (decode.ended) break;
    await pace.yield();
    await decode.prepare(pace);
    if (decode.hasRow) piece = decode.sampleNext();
    else {
      if (decode.isFull) decode.slide();
      await engine.scheduler.run({ ...work, guesses: decode.next(), from: sequence.length - 1, take });
    }
  }
  if (!receipts || !prompt) return;
  const bytes = await logitsBehind(engine, { ...work, tokens: [...prompt, ...record.tokens] });
  record.receipt = await receipts.makeReceipt(engine, prompt, record as GenerationRecord, options, bytes);
}

/** The logits behind the last of the tokens. */
async function logitsBehind(engine: Engine, work: Omit<Work, "from" | "take">): Promise<Uint8Array> {
  let bytes = new Uint8Array();
  await engine.scheduler.run({
    ...work,
    from: work.tokens.length - 1,
    take({ address }) {
      bytes = engine.core.bytes(address, 4 * engine.info.vocabulary).slice();
    },
  });
  return bytes;
}

/** Prepares what it takes to decode, the mask of the first token among it. */
async function decodeOf(
  engine: Engine,
  { options }: GenerationJob,
  record: GenerationRecord<ChatFinishReason>,
  kv: KvSequence,
  sequence: number[],
  meter: Meter,
  pace: Pace,
): Promise<Decode> {
  const speculate = await speculator(options);
  const constraint = await constrain(engine, options, pace);
  const penalties = await penaltiesOf(engine, kv.index, options);
  const loop = options.loopStop && !constraint ? new (await part(import("./text/loop_stop.js"))).LoopStop() : undefined;
  await pace.yield();
  if (constraint && options.maxTokens > 0) checkRoom(engine, constraint, options, sequence.length);
  const speculation = speculate?.(engine, sequence);
  const end = (finishReason: FinishReason) => {
    Object.assign(record, { finishReason, ...meter.report(record.tokens.length, speculation) });
  };
  const decoding = { options, kv, sequence, record, speculation, constraint, penalties, loop, end };
  const decode = new Decode(engine, decoding);
  await decode.prepare(pace);
  return decode;
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
async function penaltiesOf(engine: Engine, sequence: number, options: Generation) {
  const { frequencyPenalty, presencePenalty, dry } = options;
  if (!frequencyPenalty && !presencePenalty && !dry) return undefined;
  const { Penalties } = await part(import("./penalties/penalties.js"));
  return new Penalties(engine.core, sequence, options);
}
