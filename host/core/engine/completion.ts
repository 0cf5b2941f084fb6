// The caller's side of a generation.

import type {
  ChatFinishReason,
  Completion,
  FinishReason,
  Piece,
  RefusedTool,
  ScoredToken,
  Timings,
  Usage,
} from "../api/api.js";
import { ZagreusError } from "../api/errors.js";

/** What is known of a generation, written by whoever makes its pieces. */
export class GenerationRecord<End extends ChatFinishReason = FinishReason> {
  readonly tokens: number[] = [];
  endToken: ScoredToken | undefined;
  finishReason: End | undefined;
  usage: Usage | undefined;
  timings: Timings | undefined;
  /** Of a chat. */
  refusedTools: readonly RefusedTool[] = [];
}

/** A completion without its way to start; chats have other pieces and one more way to end. */
export class ReadOnce<P extends Piece, End extends ChatFinishReason> {
  readonly seed: bigint;
  protected readonly record = new GenerationRecord<End>();
  #pieces: AsyncGenerator<P> | undefined;

  /** @param generate makes the pieces, when they are asked for, and writes the record */
  constructor(seed: bigint, generate: (record: GenerationRecord<End>) => AsyncGenerator<P>) {
    this.seed = seed;
    this.#pieces = generate(this.record);
  }

  get tokens(): readonly number[] {
    return this.record.tokens;
  }
  get endToken(): ScoredToken | undefined {
    return this.record.endToken;
  }
  get finishReason(): End | undefined {
    return this.record.finishReason;
  }
  get usage(): Usage | undefined {
    return this.record.usage;
  }
  get timings(): Timings | undefined {
    return this.record.timings;
  }

  [Symbol.asyncIterator](): AsyncGenerator<P> {
    const pieces = this.#pieces;
    if (!pieces) throw new ZagreusError("BUSY", "this completion is already being read; ask for another one");
    this.#pieces = undefined;
    return pieces;
  }

  toReadableStream(): ReadableStream<P> {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream<P>(
      {
        async pull(controller) {
          const { done, value } = await pieces.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        async cancel() {
          await pieces.return(undefined);
        },
      },
      { highWaterMark: 0 }, // generate when asked, not ahead
    );
  }

  async text(): Promise<string> {
    let text = "";
    for await (const piece of this) text += piece.text;
    return text;
  }
}

export class ModelCompletion extends ReadOnce<Piece, FinishReason> implements Completion {}
