// One generation behind its prompt: which tokens to run, and what comes of their logits. It decides and samples; generate.ts runs.
//
//     next()             -> [last token, guess, guess, ...]: the rows that are wanted
//     sampleFrom(logits)    of these rows
//     sample()           -> a piece, again while hasRow: as long as guesses come true

import type { FinishReason, Piece } from "../api/api.js";
import type { Generation } from "../api/options.js";
import type { Constraint } from "../grammar/constraint.js";
import type { Speculation } from "../speculation/speculation.js";
import type { GenerationRecord } from "./completion.js";
import { allowNext } from "./constrain.js";
import type { Engine } from "./engine.js";
import { slide } from "./overflow.js";
import type { Pace } from "./pace.js";
import type { Penalties } from "./penalties/penalties.js";
import { configureSampler, sample } from "./sampling.js";
import { GeneratedText } from "./stop.js";
import type { LoopStop } from "./text/loop_stop.js";

export interface Decoding {
  options: Generation;
  /** The prompt; what is generated is added to it. */
  sequence: number[];
  /** Gets the tokens; `end` writes the rest. */
  record: Pick<GenerationRecord, "tokens" | "endToken">;
  speculation: Speculation | undefined;
  constraint: Constraint | undefined;
  penalties: Penalties | undefined;
  loop: LoopStop | undefined;
  /** Called before the last piece is handed out. */
  end(reason: FinishReason): void;
}

export class Decode {
  readonly #engine: Engine;
  readonly #decoding: Decoding;
  readonly #text: GeneratedText;
  /** Guesses of the last next(), and how many of them have come true. */
  #guesses: readonly number[] = [];
  #row = 0;
  #hasRow = false;
  #logits = 0;
  #ended = false;

  constructor(engine: Engine, decoding: Decoding) {
    this.#engine = engine;
    this.#decoding = decoding;
    const { options, sequence } = decoding;
    this.#text = new GeneratedText(engine, options.stop, sequence);
    configureSampler(engine, options);
    if (options.maxTokens === 0) this.#end("length");
    else if (sequence.length === engine.info.contextLength) this.#end("context");
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether there is a row to sample from. */
  get hasRow(): boolean {
    return this.#hasRow && !this.#ended && !this.isFull;
  }

  /** Whether slide() has to come before next(). */
  get isFull(): boolean {
    return this.#decoding.sequence.length === this.#engine.info.contextLength;
  }

  /** Tokens to run: the last one of the sequence, and guesses of what follows it. */
  next(): readonly number[] {
    const { options, sequence, record, speculation } = this.#decoding;
    const room = this.#engine.info.contextLength - sequence.length;
    this.#guesses = speculation?.propose(options.maxTokens - record.tokens.length, room) ?? [];
    return [sequence.at(-1)!, ...this.#guesses];
  }

  /** Drops what overflow allows to. The whole sequence has to be run again, as far as the cache does not have it. */
  slide(): void {
    const { options, sequence, speculation, penalties } = this.#decoding;
    slide(sequence, options.overflow, this.#engine.info.contextLength);
    this.#engine.cache.truncate(sequence); // what was dropped will not be asked for again
    speculation?.restart();
    penalties?.restart();
    this.#guesses = [];
  }

  /** @param logits address of the logits of all rows that next() wanted, or of the last token's */
  sampleFrom(logits: number): void {
    this.#logits = logits;
    this.#row = 0;
    this.#hasRow = true;
  }

  /** The next token. Undefined when it ended the text and nothing was held back. */
  async sample(pace: Pace): Promise<Piece | undefined> {
    const { options, sequence, record, speculation, constraint, penalties, loop } = this.#decoding;
    const isMasked = constraint && (await allowNext(this.#engine, constraint, this.#remaining(), pace));
    const penalise = () => (isMasked ? penalties?.skip() : penalties?.apply(sequence, record.tokens));
    const scored = sample(this.#engine, this.#logits, this.#row, options.logprobs, penalise);
    const { token } = scored;
    const guessed = token === this.#guesses[this.#row++];
    if (speculation && guessed) speculation.acceptedTokens++;
    this.#hasRow = guessed;
    if (this.#engine.info.tokenizer.end.includes(token)) return this.#endAt(scored);
    record.tokens.push(token);
    sequence.push(token);
    constraint?.accept(token);
    const piece: Piece = { text: this.#text.append(token), ...scored };
    if (this.#text.stopped) {
      replaceEnd(sequence, record.tokens, this.#text.tokensShown(record.tokens));
      this.#end("stop");
      return piece;
    }
    const reason = loop?.push(piece.text) ? "loop" : this.#limit();
    if (reason) {
      piece.text += this.#text.finish();
      this.#end(reason);
    }
    return piece;
  }

  /** Tokens that may still be sampled. */
  #remaining(): number {
    const { options, sequence, record } = this.#decoding;
    const room = options.overflow ? options.maxTokens : this.#engine.info.contextLength - sequence.length;
    return Math.min(options.maxTokens - record.tokens.length, room);
  }

  /** Why nothing may follow the last token. */
  #limit(): FinishReason | undefined {
    const { options, record, constraint } = this.#decoding;
    if (this.#remaining() > 0 && !constraint?.finished) return undefined;
    if (constraint?.complete) return "stop";
    return record.tokens.length === options.maxTokens ? "length" : "context";
  }

  #endAt(scored: Omit<Piece, "text">): Piece | undefined {
    const { token, logprob = null, topLogprobs = [] } = scored;
    this.#decoding.record.endToken = { token, logprob, topLogprobs };
    const text = this.#text.finish();
    this.#end("stop");
    return text === "" ? undefined : { text, ...scored };
  }

  #end(reason: FinishReason): void {
    this.#ended = true;
    this.#decoding.end(reason);
  }
}

/** Makes the tokens `shown` of `said`, which `sequence` ends with, at least with those that have not slid out of it. */
function replaceEnd(sequence: number[], said: readonly number[], shown: readonly number[]): void {
  let same = 0;
  while (same < shown.length && shown[same] === said[same]) same++;
  sequence.length = Math.max(sequence.length - (said.length - same), 0);
  for (const token of shown.slice(same)) sequence.push(token);
}
