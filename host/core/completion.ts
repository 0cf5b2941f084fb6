// The caller's side of a generation.

import type { Completion, FinishReason, Piece, Timings, Usage } from "./api.js";
import { ZagreusError } from "./errors.js";
import type { Report } from "./generate.js";

export class ModelCompletion implements Completion, Report {
  readonly seed: bigint;
  readonly tokens: number[] = [];
  finishReason: FinishReason | undefined;
  usage: Usage | undefined;
  timings: Timings | undefined;
  #pieces: AsyncGenerator<Piece> | undefined;

  /** @param generate makes the pieces, when they are asked for, and fills in the report */
  constructor(seed: bigint, generate: (report: Report) => AsyncGenerator<Piece>) {
    this.seed = seed;
    this.#pieces = generate(this);
  }

  [Symbol.asyncIterator](): AsyncGenerator<Piece> {
    const pieces = this.#pieces;
    if (!pieces) throw new ZagreusError("BUSY", "this completion is already being read; call complete() again");
    this.#pieces = undefined;
    return pieces;
  }

  toReadableStream(): ReadableStream<Piece> {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream<Piece>(
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
