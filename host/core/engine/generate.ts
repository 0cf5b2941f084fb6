// One generation: its turn in the queue, the prompt, then a token at a time.

import * as abi from "../../../assembly/layout/abi.js";
import type { ChatFinishReason, FinishReason, Piece, Timings, Usage } from "../api/api.js";
import type { Generation } from "../api/options.js";
import type { Constraint } from "../grammar/constraint.js";
import { HERE, type Origin } from "../kv/kv_pool.js";
import type { Speculation } from "../speculation/speculation.js";
import { allowNext, checkRoom, constrain } from "./constrain.js";
import type { Engine } from "./engine.js";
import { slide } from "./overflow.js";
import type { Pace } from "./pace.js";
import { prefill, runBatch } from "./prefill.js";
import { topLogprobs } from "./score.js";
import { StopMatcher } from "./stop.js";
import { encode, decode as textOf } from "./tokenizer.js";

export interface Job {
  options: Generation;
  /** The whole token sequence to continue; asked for when it is the job's turn. Generated tokens are added to it. */
  sequence(): number[];
  /** Told when the prompt has been run and `sequence` is going to grow. */
  started?(sequence: number[]): void;
  /** Throws when the job must not go on. */
  check?(): void;
  /** Who vouches for the KV that it continues, and may have it later. Default: HERE. */
  origin?: Origin;
}

/** What is known of a generation, filled in as it goes. */
export interface Report<End extends ChatFinishReason = FinishReason> {
  tokens: number[];
  finishReason: End | undefined;
  usage: Usage | undefined;
  timings: Timings | undefined;
}

/** @throws ZagreusError ABORTED, CLOSED, CONTEXT_OVERFLOW, ... */
export async function* generate(engine: Engine, job: Job, report: Report): AsyncGenerator<Piece> {
  const { signal } = job.options;
  const release = await engine.queue.enter(signal);
  // Aborted while its reader is away, a generation must not keep others waiting; on return it finds the signal first.
  signal?.addEventListener("abort", release, { once: true });
  try {
    const speculate = await speculator(job.options);
    const pace = engine.pace(signal, job.check);
    const constraint = await constrain(engine, job.options, pace);
    await pace.breathe();
    const sequence = job.sequence();
    slide(sequence, job.options.overflow, engine.info.contextLength);
    const promptTokens = sequence.length;
    if (constraint && job.options.maxTokens > 0) checkRoom(engine, constraint, job.options, promptTokens);

    const begun = performance.now();
    const { origin = HERE } = job;
    const { prefilledTokens, logits } = await readPrompt(engine, sequence, origin, pace, job.options.onPrefill);
    const prefillMs = performance.now() - begun;
    job.started?.(sequence);

    const clock = new Clock();
    const speculation = speculate?.(engine, sequence);
    const end = (finishReason: FinishReason) => {
      const completionTokens = report.tokens.length;
      const decodeMs = clock.stop();
      engine.cache.settle(sequence);
      report.finishReason = finishReason;
      report.usage = { promptTokens, reusedTokens: promptTokens - prefilledTokens, prefilledTokens, completionTokens };
      report.timings = {
        prefillMs,
        decodeMs,
        prefillTokensPerSecond: rate(prefilledTokens, prefillMs),
        decodeTokensPerSecond: rate(Math.max(completionTokens - 1, 0), decodeMs),
        proposedTokens: speculation?.proposedTokens ?? 0,
        acceptedTokens: speculation?.acceptedTokens ?? 0,
      };
    };
    const decoding = { sequence, tokens: report.tokens, logits, speculation, constraint, origin, pace, end };
    for await (const piece of decode(engine, job.options, decoding)) {
      clock.pause();
      yield piece;
      clock.resume();
    }
  } finally {
    signal?.removeEventListener("abort", release);
    release();
  }
}

/** Runs what the cache lacks of `sequence` and computes the last token's logits, which lie at `logits`. */
async function readPrompt(
  engine: Engine,
  sequence: readonly number[],
  origin: Origin,
  pace: Pace,
  onPrefill?: Generation["onPrefill"],
) {
  const total = sequence.length;
  let prefilledTokens = 0;
  let logits = 0;
  for await (const { start, count } of prefill(engine, sequence, total - 1, origin, pace)) {
    prefilledTokens += count;
    const done = start + count;
    if (done === total) logits = engine.core.exports.logits(count - 1, 1);
    onPrefill?.({ done, total, reused: done - prefilledTokens });
  }
  return { prefilledTokens, logits };
}

/** What makes guesses, if they are wanted. */
async function speculator({ promptLookup, maxTokens }: Generation) {
  if (!promptLookup) return undefined;
  const { Speculation } = await import("../speculation/speculation.js");
  return (engine: Engine, sequence: readonly number[]) => {
    const capacity = Math.min(sequence.length + maxTokens, engine.info.contextLength);
    return new Speculation(promptLookup, sequence, capacity, engine.batchCosts);
  };
}

interface Decoding {
  /** All tokens and, of these, the generated ones; both grow. */
  sequence: number[];
  tokens: number[];
  /** Address of the last token's logits. */
  logits: number;
  speculation: Speculation | undefined;
  constraint: Constraint | undefined;
  origin: Origin;
  pace: Pace;
  /** Called before the last piece. */
  end(reason: FinishReason): void;
}

/** Samples until the end. */
async function* decode(engine: Engine, options: Generation, decoding: Decoding): AsyncGenerator<Piece> {
  const { sequence, tokens, speculation, constraint, origin, pace, end } = decoding;
  let { logits } = decoding;
  let proposal: readonly number[] = []; // tokens that have been run behind the last one of the sequence
  let row = 0; // how many of them have come true; logits of one row more are there
  const { contextLength, tokenizer } = engine.info;
  if (options.maxTokens === 0) return end("length");
  if (sequence.length === contextLength) return end("context");

  const text = new GeneratedText(engine, options.stop);
  configureSampler(engine, options);
  for (;;) {
    await pace.breathe();
    if (constraint) {
      const room = options.overflow ? options.maxTokens : contextLength - sequence.length;
      allowNext(engine, constraint, Math.min(options.maxTokens - tokens.length, room));
    }
    const { token, ...scores } = sample(engine, logits, row, options.logprobs);
    const proposed = token === proposal[row];
    if (speculation && proposed) speculation.acceptedTokens++;
    if (tokenizer.end.includes(token)) {
      const rest = text.finish();
      end("stop");
      if (rest) yield { text: rest, token, ...scores };
      return;
    }
    tokens.push(token);
    sequence.push(token);
    constraint?.accept(token);
    const piece: Piece = { text: text.append(token), token, ...scores };
    if (text.stopped) {
      replaceEnd(sequence, tokens, text.tokensShown(tokens));
      end("stop");
      return yield piece;
    }
    const full = sequence.length === contextLength;
    const isLast = (full && !options.overflow) || tokens.length === options.maxTokens;
    if (isLast || constraint?.finished) {
      piece.text += text.finish();
      end(constraint?.complete ? "stop" : tokens.length === options.maxTokens ? "length" : "context");
      return yield piece;
    }
    yield piece;
    if (full) {
      await pace.breathe();
      slide(sequence, options.overflow, contextLength);
      engine.cache.settle(sequence); // what was dropped will not be asked for again
      speculation?.restart();
      ({ logits } = await readPrompt(engine, sequence, origin, pace));
      proposal = [];
      row = 0;
      continue;
    }
    if (proposed) {
      row++;
      continue;
    }
    await pace.breathe();
    row = 0;
    proposal = speculation?.propose(options.maxTokens - tokens.length, contextLength - sequence.length) ?? [];
    logits = runTokens(engine, [token, ...proposal], sequence.length - 1);
  }
}

/** Runs up to LOGIT_ROWS tokens at positions start.. and returns the address of the logits of all. */
function runTokens(engine: Engine, tokens: readonly number[], start: number): number {
  const begun = performance.now();
  runBatch(engine, tokens, start);
  const logits = engine.core.exports.logits(0, tokens.length);
  engine.batchCosts.record(tokens.length, performance.now() - begun);
  return logits;
}

/** Makes the tokens `shown` of `said`, which `sequence` ends with, at least with those that have not slid out of it. */
function replaceEnd(sequence: number[], said: readonly number[], shown: readonly number[]): void {
  let same = 0;
  while (same < shown.length && shown[same] === said[same]) same++;
  sequence.length = Math.max(sequence.length - (said.length - same), 0);
  for (const token of shown.slice(same)) sequence.push(token);
}

/** Picks a token from a row of the logits at an address; log-probabilities are taken before sampling changes them. */
function sample(
  { core, info }: Engine,
  logits: number,
  row: number,
  alternatives: number | undefined,
): Omit<Piece, "text"> {
  const { exports } = core;
  if (alternatives === undefined) return { token: exports.sample(row) };
  const total = exports.logSumExp(row);
  const best = topLogprobs(core, row, alternatives, total);
  const raw = core.floats(logits + 4 * row * info.vocabulary, info.vocabulary).slice();
  const token = exports.sample(row);
  return { token, logprob: raw[token]! - total, topLogprobs: best };
}

function configureSampler({ core }: Engine, options: Generation): void {
  const view = core.view(core.exports.sampler(), abi.SAMPLER_BYTES);
  view.setFloat32(abi.SAMPLER_TEMPERATURE, options.temperature, true);
  view.setInt32(abi.SAMPLER_TOP_K, options.topK, true);
  view.setFloat32(abi.SAMPLER_TOP_P, options.topP, true);
  view.setFloat32(abi.SAMPLER_MIN_P, options.minP, true);
  view.setFloat32(abi.SAMPLER_REPETITION_PENALTY, options.repetitionPenalty, true);
  view.setInt32(abi.SAMPLER_NO_REPEAT_NGRAM, options.noRepeatNgram, true);
  view.setInt32(abi.SAMPLER_MASKED, 0, true);
  view.setInt32(abi.SAMPLER_BIAS_COUNT, options.logitBias.length, true);
  options.logitBias.forEach(([token, bias], i) => {
    view.setUint32(abi.SAMPLER_BIAS + 8 * i, token, true);
    view.setFloat32(abi.SAMPLER_BIAS + 8 * i + 4, bias, true);
  });
  core.exports.seed(options.seed);
}

/** The text of generated tokens: whole characters only, and nothing of a stop string. */
class GeneratedText {
  readonly #engine: Engine;
  readonly #matcher: StopMatcher;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  #shown = "";

  constructor(engine: Engine, stops: readonly string[]) {
    this.#engine = engine;
    this.#matcher = new StopMatcher(stops);
    engine.core.exports.pieceReset();
  }

  get stopped(): boolean {
    return this.#matcher.stopped;
  }

  append(token: number): string {
    return this.#show(this.#matcher.push(this.#read(this.#engine.core.exports.pieceAppend(token))));
  }

  /** What is left when no more tokens follow. */
  finish(): string {
    const last = this.#matcher.push(this.#read(this.#engine.core.exports.pieceFlush()));
    return this.#show(last + this.#matcher.flush());
  }

  /** The tokens of exactly the text that was shown: a stop string may begin inside a token. */
  tokensShown(tokens: readonly number[]): number[] {
    const { core } = this.#engine;
    for (let length = tokens.length; ; length--) {
      const kept = tokens.slice(0, length);
      const text = textOf(core, kept, false);
      if (this.#shown.startsWith(text)) return [...kept, ...encode(core, this.#shown.slice(text.length), false)];
    }
  }

  #read(bytes: number): string {
    return this.#utf8.decode(this.#engine.core.read(bytes));
  }
  #show(text: string): string {
    this.#shown += text;
    return text;
  }
}

/** Adds up the time between resume() and pause(). */
class Clock {
  #total = 0;
  #since = performance.now();

  pause(): void {
    this.#total += performance.now() - this.#since;
  }
  resume(): void {
    this.#since = performance.now();
  }
  stop(): number {
    this.pause();
    return this.#total;
  }
}

function rate(count: number, milliseconds: number): number {
  return milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}
