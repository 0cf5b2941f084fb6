// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) as OpenAI's clients expect them.

import { event } from "../../stream/openai.js";
import type { Call } from "./call.js";
import { ApiError, clientGone, type ErrorBody } from "./errors.js";

export interface StreamOptions {
  call: Call;
  /** Milliseconds. */
  heartbeat: number;
  /** Milliseconds that a client may read nothing while others wait. */
  readTimeout: number;
  othersWait(): boolean;
  /** What an error is to the client, and its status. */
  describe(error: unknown): { status: number; body: ErrorBody };
  /** Default: chunks, and "[DONE]". */
  format?: StreamFormat;
}

/** How events are written. */
export interface StreamFormat {
  event(event: object): string;
  failure(error: ErrorBody["error"]): string;
  /** Behind the last one. */
  end: string;
}
const CHUNKS: StreamFormat = { event, failure: (error) => event({ error }), end: event("[DONE]") };

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no", // nginx
};
/** Bytes that are made ahead of a reader. */
const MAX_UNREAD = 256 * 1024;
/** Milliseconds between two looks at whether others wait. */
const STALL_CHECK_MS = 500;
const TIMED_OUT = Symbol("timed out");

/**
 * Answers with events as they come. What fails before the first one rejects, so that it has a status of its own, unless it
 * takes longer than a heartbeat. Events are made as they are read, but for a buffer: a reader who falls asleep holds the model, not the
 * memory, and while others wait only for a while.
 */
export async function eventStream(events: AsyncGenerator<object>, options: StreamOptions): Promise<Response> {
  const { call, heartbeat } = options;
  const next = events.next();
  const early = await withTimeout(next, heartbeat);
  call.streams = true;
  const pump = new Pump(events, options);
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        pump.run(controller, next, early).then((status) => call.end(status));
      },
      pull: () => pump.read(),
      cancel() {
        pump.leave();
        call.abort(clientGone());
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD }),
  );
  return new Response(body, { headers: HEADERS });
}

type Next = Promise<IteratorResult<object>>;

class Pump {
  readonly #events: AsyncGenerator<object>;
  readonly #options: StreamOptions;
  readonly #encoder = new TextEncoder();
  #gone = false;
  #wake = () => {};

  constructor(events: AsyncGenerator<object>, options: StreamOptions) {
    this.#events = events;
    this.#options = options;
    options.call.signal.addEventListener("abort", () => this.#wake());
  }

  /** The reader wants more. */
  read(): void {
    this.#wake();
  }

  /** There is no reader any more. */
  leave(): void {
    this.#gone = true;
  }

  /** Sends events until the last, or what went wrong; returns the status. */
  async run(
    controller: ReadableStreamDefaultController<Uint8Array>,
    next: Next,
    early: Awaited<Next> | typeof TIMED_OUT,
  ) {
    const send = (text: string) => {
      if (!this.#gone) controller.enqueue(this.#encoder.encode(text));
    };
    const { format = CHUNKS } = this.#options;
    let status = 200;
    try {
      for (let step = early; ; step = await withTimeout(next, this.#options.heartbeat)) {
        if (step === TIMED_OUT) send(": waiting\n\n");
        else if (step.done) break;
        else {
          send(format.event(step.value));
          await this.#room(controller);
          next = this.#events.next();
        }
      }
    } catch (error) {
      const { status: failed, body } = this.#options.describe(error);
      status = failed;
      send(format.failure(body.error));
      await this.#events.return(undefined).catch(() => {});
    }
    send(format.end);
    if (!this.#gone) controller.close();
    return status;
  }

  /** Resolves when the reader has come near. @throws the reason of an abort */
  async #room(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { call, readTimeout, othersWait } = this.#options;
    const isFull = () => (controller.desiredSize ?? 1) <= 0; // null when the stream has failed
    if (!isFull()) return call.signal.throwIfAborted();
    const begun = performance.now();
    const asleep = () => performance.now() - begun >= readTimeout && othersWait();
    const look = setInterval(() => asleep() && call.abort(tooSlow(readTimeout)), Math.min(STALL_CHECK_MS, readTimeout));
    try {
      while (isFull() && !call.signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearInterval(look);
    }
    call.signal.throwIfAborted();
  }
}

function tooSlow(milliseconds: number): ApiError {
  const message = `the client has read nothing for ${milliseconds / 1000} s while others wait`;
  return new ApiError(408, message, { code: "timeout" });
}

/** What `next` resolves to, or TIMED_OUT when that takes longer. */
async function withTimeout<T>(next: Promise<T>, milliseconds: number): Promise<T | typeof TIMED_OUT> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<typeof TIMED_OUT>((resolve) => {
    timer = setTimeout(() => resolve(TIMED_OUT), milliseconds);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}
