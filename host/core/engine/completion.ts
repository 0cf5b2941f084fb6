// The caller's side of a generation. What it takes to read one is loaded when it is read.

import type {
  ChatFinishReason,
  Completion,
  CompletionJson,
  FinishReason,
  GenerateOptions,
  Piece,
  Receipt,
  RefusedTool,
  ScoredToken,
  Timings,
  ToolCall,
  ToResponseOptions,
  Usage,
} from "../api/api.js";
import { oneOf, optional, table } from "../api/check.js";
import { part, ZagreusError } from "../api/errors.js";
import { isObject } from "../api/is_object.js";
import type { Reading } from "../stream/reading.js";

/** What is known of a generation, written by whoever makes its pieces. */
export class GenerationRecord<End extends ChatFinishReason = FinishReason> {
  /** What has been read by now. */
  text = "";
  toolCalls: ToolCall[] | undefined;
  model: string | undefined;
  chat = false;
  readonly tokens: number[] = [];
  endToken: ScoredToken | undefined;
  finishReason: End | undefined;
  usage: Usage | undefined;
  timings: Timings | undefined;
  receipt: Receipt | undefined;
  /** Of a chat. */
  refusedTools: readonly RefusedTool[] = [];
}

/** A completion without its way to start; chats have other pieces and one more way to end. */
export class ReadOnce<P extends Piece, End extends ChatFinishReason> {
  readonly seed: bigint;
  protected readonly record = new GenerationRecord<End>();
  readonly #reading: Reading<P, GenerationRecord<End>>;
  #parts: AsyncGenerator<unknown> | undefined;

  constructor(
    seed: bigint,
    generate: Reading<P, GenerationRecord<End>>["generate"],
    options: Pick<GenerateOptions, "signal"> = {},
  ) {
    this.seed = seed;
    this.#reading = { generate, signal: options.signal, record: this.record, left: new AbortController() };
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
  get receipt(): Receipt | undefined {
    return this.record.receipt;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<P> {
    return this.#read<P>();
  }

  toReadableStream(): ReadableStream<P> {
    return streamOf(this.#read<P>());
  }

  toTextStream(): ReadableStream<Uint8Array> {
    return streamOf(this.#read<Uint8Array>("text"));
  }

  toResponse(options: ToResponseOptions = {}): Response {
    const { format = "text", headers: more } = checkToResponse(options);
    const headers = new Headers({
      "content-type": `text/${format === "sse" ? "event-stream" : "plain"}; charset=utf-8`,
      "cache-control": "no-cache",
      "x-accel-buffering": "no", // nginx
    });
    new Headers(more as Record<string, string> | undefined).forEach((value, name) => {
      headers.set(name, value);
    });
    return new Response(streamOf(this.#read<Uint8Array>(format)), { headers });
  }

  async *sentences(): AsyncGenerator<string> {
    yield* (await part(import("../stream/sentences.js"))).sentencesOf(this);
  }

  async text(): Promise<string> {
    for await (const _ of this);
    return this.record.text;
  }

  toJSON(): CompletionJson<End> {
    const { text, toolCalls, tokens, finishReason, usage, timings } = this.record;
    return { text, toolCalls, tokens, finishReason, seed: String(this.seed), usage, timings };
  }

  toString(): string {
    return "[completion: its text is await completion.text()]";
  }

  /** Pieces, or bytes of a format. Leaving does not wait for what is being made, such as the first token of a long prompt. */
  #read<T>(format?: "text" | "sse"): AsyncIterableIterator<T> {
    if (this.#parts) throw new ZagreusError("BUSY", "this completion is already being read; ask for another one");
    const reading = this.#reading;
    const parts = (async function* () {
      yield* (await part(import("../stream/read.js"))).read(reading, format);
    })() as AsyncGenerator<T>;
    this.#parts = parts;
    const leaving = () => {
      reading.left.abort();
      return parts;
    };
    return {
      next: () => parts.next(),
      return: (value) => leaving().return(value),
      throw: (error) => leaving().throw(error),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

const checkToResponse = table({
  format: oneOf("text", "sse"),
  headers: optional(isObject, "headers"),
});

/** Parts are made when they are asked for, not ahead. */
function streamOf<T>(parts: AsyncIterableIterator<T>): ReadableStream<T> {
  return new ReadableStream<T>(
    {
      async pull(controller) {
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await parts.return!();
      },
    },
    { highWaterMark: 0 },
  );
}

export class ModelCompletion extends ReadOnce<Piece, FinishReason> implements Completion {}
