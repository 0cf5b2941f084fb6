// One generation: which tokens to run, and what comes of their logits. It decides and samples; generate.ts has it run.
//
//     prepare()          what may come
//     next()             -> [guess, guess, ...]: what is run behind the sequence
//     sampleFrom(rows)   -> a piece
//     sampleNext()       -> another, while hasRow: as long as guesses come true, and nothing else has been run

import type { FinishReason, Piece } from "../api/api.js";
import type { Generation } from "../api/options.js";
import type { Constraint } from "../grammar/constraint.js";
import type { KvSequence } from "../kv/kv_sequence.js";
import type { Speculation } from "../speculation/speculation.js";
import type { Rows } from "./batch/work.js";
import type { GenerationRecord } from "./completion.js";
import { NextMask } from "./constrain.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";
import type { Penalties } from "./penalties/penalties.js";
import { configureSampler, sample } from "./sampling.js";
import { GeneratedText } from "./stop.js";
import type { LoopStop } from "./text/loop_stop.js";
import { slide } from "./text/overflow.js";

export interface Decoding {
  options: Generation;
  /** Where it is run. */
  kv: KvSequence;
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
  readonly #mask: NextMask | undefined;
  /** Guesses of the last next(), and how many of them have come true. */
  #guesses: readonly number[] = [];
  #row = 0;
  #rows: Rows | undefined;
  /** The pass that has computed the rows. */
  #pass = 0;
  #ended = false;

  constructor(engine: Engine, decoding: Decoding) {
    this.#engine = engine;
    this.#decoding = decoding;
    const { options, kv, sequence, constraint } = decoding;
    this.#text = new GeneratedText(engine, kv.index, options.stop, sequence);
    this.#mask = constraint && new NextMask(engine, constraint);
    configureSampler(engine, kv.index, options);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether there is another row to sample from. */
  get hasRow(): boolean {
    return this.#rows !== undefined && this.#pass === this.#engine.scheduler.stamp && !this.#ended && !this.isFull;
  }

  /** Whether slide() has to come before next(). */
  get isFull(): boolean {
    return this.#decoding.sequence.length === this.#engine.info.contextLength;
  }

  /** The prompt has been run: nothing may be wanted of it. */
  start(): void {
    if (this.#decoding.options.maxTokens === 0) this.#end("length");
    else if (this.isFull) this.#end("context");
  }

  /** Finds out what the next token may be. */
  async prepare(pace: Pace): Promise<void> {
    await this.#mask?.prepare(this.#remaining(), pace);
  }

  /** Guesses of what follows the sequence. */
  next(): readonly number[] {
    const { options, sequence, record, speculation } = this.#decoding;
    const room = this.#engine.info.contextLength - sequence.length;
    const alone = !this.#engine.scheduler.crowded; // otherwise others' rows are the better use of a pass
    this.#guesses = (alone && speculation?.propose(options.maxTokens - record.tokens.length, room)) || [];
    return this.#guesses;
  }

  /** Drops what overflow allows to. The whole sequence has to be run again, as far as the cache does not have it. */
  slide(): void {
    const { options, sequence, speculation, penalties } = this.#decoding;
    slide(sequence, options.overflow, this.#engine.info.contextLength);
    speculation?.restart();
    penalties?.restart();
    this.#guesses = [];
  }

  /** The next token, from the first of the rows of the sequence's last token and the guesses; as sampleNext(). */
  sampleFrom(rows: Rows): Piece | undefined {
    this.#rows = rows;
    this.#row = 0;
    this.#pass = this.#engine.scheduler.stamp;
    return this.sampleNext();
  }

  /** The next token. Undefined when it ended the text and nothing was held back. */
  sampleNext(): Piece | undefined {
    const { options, kv, sequence, record, speculation, constraint, penalties, loop } = this.#decoding;
    const { row, address } = this.#rows!;
    const isMasked = this.#mask?.apply(this.#engine, kv.index);
    const penalise = () => (isMasked ? penalties?.skip() : penalties?.apply(sequence, record.tokens));
    const scored = sample(this.#engine, address, row, this.#row, options.logprobs, penalise);
    const { token } = scored;
    const guessed = token === this.#guesses[this.#row++];
    if (speculation && guessed) speculation.acceptedTokens++;
    if (!guessed) this.#rows = undefined;
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
