// The caller's side of a generation.

import type { ChatFinishReason, Completion, FinishReason, Piece, Timings, Usage } from "../api/api.js";
import { ZagreusError } from "../api/errors.js";
import type { Report } from "./generate.js";

/** A completion without its way to start; chats have other pieces and one more way to end. */
export class ReadOnce<P extends Piece, End extends ChatFinishReason> {
  readonly seed: bigint;
  readonly tokens: number[] = [];
  finishReason: End | undefined;
  usage: Usage | undefined;
  timings: Timings | undefined;
  #pieces: AsyncGenerator<P> | undefined;

  /** @param generate makes the pieces, when they are asked for, and fills in the report */
  constructor(seed: bigint, generate: (report: Report<End>) => AsyncGenerator<P>) {
    this.seed = seed;
    this.#pieces = generate(this);
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
