// Calls and streams between two threads, both ways, over anything that carries copies of plain data.

import { aborted, ZagreusError } from "../api/errors.js";
import { checkSignal } from "../engine/pace.js";
import { type PackedError, packError, unpackError } from "./packed_error.js";

/** What a runtime supplies. */
export interface Channel {
  /** Sends a copy to the other thread; the buffers in `transfer` are given away. */
  post(message: unknown, transfer: ArrayBuffer[]): void;
  /** Told whether an answer is awaited, for runtimes that end when nothing is. */
  busy?(busy: boolean): void;
}

/** Answers a call with a value or a promise, or opens a stream with an AsyncIterable. Bytes in it are given away. */
// biome-ignore lint/suspicious/noExplicitAny: what comes is what the other side sends
export type Handler = (signal: AbortSignal, ...args: any[]) => unknown;

type Message =
  | { type: "call"; id: number; method: string; args: unknown[] }
  | { type: "open"; id: number; method: string; args: unknown[] } // has no answer
  | { type: "next"; id: number; stream: number }
  | { type: "return"; id: number; stream: number }
  | { type: "abort"; id: number } // of a call, or a stream
  | { type: "value"; id: number; value: unknown }
  | { type: "error"; id: number; error: PackedError };

const END = { done: true, value: undefined };

interface Pending {
  resolve(value: never): void;
  reject(error: unknown): void;
  /** Stays alive until the answer has come. */
  owner: object | undefined;
}

/** One end of a link. */
export class Link {
  readonly #channel: Channel;
  readonly #handlers: Readonly<Record<string, Handler>>;
  /** Requests of this side that have no answer yet. */
  readonly #pending = new Map<number, Pending>();
  /** What the other side has called or opened. */
  readonly #signals = new Map<number, AbortController>();
  readonly #streams = new Map<number, AsyncIterator<unknown>>();
  #lastId = 0;
  #failure: { error: unknown } | undefined;

  constructor(channel: Channel, handlers: Readonly<Record<string, Handler>>) {
    this.#channel = channel;
    this.#handlers = handlers;
  }

  /**
   * Calls the other side.
   * @param owner what must not become garbage before the answer has come
   * @throws what its handler throws, ABORTED, or what fail() was given
   */
  async call<T>(method: string, args: unknown[], signal?: AbortSignal, owner?: object): Promise<T> {
    checkSignal(signal);
    const id = ++this.#lastId;
    const answer = this.#request<T>({ type: "call", id, method, args }, signal, owner);
    const release = this.#abortBy(signal, id);
    return answer.finally(release);
  }

  /** Opens a stream of the other side, which makes its next value when that is asked for. */
  iterate<T>(method: string, args: unknown[], signal?: AbortSignal, owner?: object): AsyncIterableIterator<T> {
    this.assertOpen();
    const stream = ++this.#lastId;
    this.#post({ type: "open", id: stream, method, args });
    // While nobody asks, too: what waits behind an aborted stream need not wait for its reader.
    const release = this.#abortBy(signal, stream);
    const request = (type: "next" | "return") =>
      this.#request<IteratorResult<T>>({ type, id: ++this.#lastId, stream }, signal, owner);
    return {
      async next() {
        let open = false;
        try {
          const result = await request("next");
          open = !result.done;
          return result;
        } finally {
          if (!open) release();
        }
      },
      return() {
        release();
        return request("return");
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  get closed(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws what fail() was given */
  assertOpen(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Ends the link: all that is pending and all that comes fails with `error`, and what streams from here is left. */
  fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#channel.busy?.(false);
    for (const controller of this.#signals.values()) controller.abort();
    for (const stream of this.#streams.values()) Promise.resolve(stream.return?.()).catch(() => {});
  }

  /** Takes what the other side has sent. */
  receive(data: unknown): void {
    if (this.#failure) return;
    const message = data as Message;
    switch (message.type) {
      case "call":
        this.#answer(message.id, async () => {
          const { signal } = this.#control(message.id);
          try {
            return await this.#handlers[message.method]!(signal, ...message.args);
          } finally {
            this.#signals.delete(message.id);
          }
        });
        break;
      case "open":
        this.#streams.set(message.id, this.#open(this.#control(message.id).signal, message.method, message.args));
        break;
      case "next":
        this.#answer(message.id, () => this.#advance(message.stream, (stream) => stream.next()));
        break;
      case "return":
        this.#answer(message.id, () => this.#advance(message.stream, leave));
        break;
      case "abort":
        this.#signals.get(message.id)?.abort();
        break;
      case "value":
        this.#removePending(message.id)?.resolve(message.value as never);
        break;
      case "error": {
        const error = unpackError(message.error);
        this.#removePending(message.id)?.reject(error);
        if (error instanceof ZagreusError && error.code === "THREAD_FAILED") this.fail(error); // nothing comes of the other side any more
        break;
      }
    }
  }

  async #request<T>(message: Message, signal: AbortSignal | undefined, owner: object | undefined): Promise<T> {
    this.assertOpen();
    const answer = new Promise<T>((resolve, reject) => {
      this.#post(message);
      this.#pending.set(message.id, { resolve, reject, owner });
      if (this.#pending.size === 1) this.#channel.busy?.(true);
    });
    try {
      return await answer;
    } catch (error) {
      // The reason of an abort is known here.
      if (signal?.aborted && error instanceof ZagreusError && error.code === "ABORTED") throw aborted(signal.reason);
      throw error;
    }
  }

  /** The request that an answer is for; it is pending no more. */
  #removePending(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending && this.#pending.size === 0) this.#channel.busy?.(false);
    return pending;
  }

  /** Passes an abort on, until the function it returns is called. */
  #abortBy(signal: AbortSignal | undefined, id: number): () => void {
    const abort = () => this.#post({ type: "abort", id });
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    return () => signal?.removeEventListener("abort", abort);
  }

  #control(id: number): AbortController {
    const controller = new AbortController();
    this.#signals.set(id, controller);
    return controller;
  }

  #open(signal: AbortSignal, method: string, args: unknown[]): AsyncIterator<unknown> {
    const stream = this.#handlers[method]!(signal, ...args) as AsyncIterable<unknown>;
    return stream[Symbol.asyncIterator]();
  }

  async #advance(id: number, step: (stream: AsyncIterator<unknown>) => Promise<IteratorResult<unknown>>) {
    const stream = this.#streams.get(id);
    if (!stream) return END;
    let open = false;
    try {
      const result = await step(stream);
      open = !result.done;
      return result;
    } finally {
      if (!open) this.#forget(id);
    }
  }

  #forget(stream: number): void {
    this.#streams.delete(stream);
    this.#signals.delete(stream);
  }

  #answer(id: number, run: () => Promise<unknown>): void {
    const refuse = (error: unknown) => this.#post({ type: "error", id, error: packError(error) });
    run()
      .then((value) => this.#post({ type: "value", id, value }))
      .catch(refuse); // of values that cannot be copied, too
  }

  /** @throws ZagreusError INVALID_OPTION for what is no plain data, such as a function in a schema */
  #post(message: Message): void {
    if (this.#failure) return;
    try {
      this.#channel.post(message, buffers(message));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ZagreusError("INVALID_OPTION", `what was passed cannot be copied to another thread: ${reason}`, {
        cause,
      });
    }
  }
}

async function leave(stream: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
  await stream.return?.();
  return END;
}

/** Buffers of bytes and floats directly in what is sent. */
function buffers(message: Message): ArrayBuffer[] {
  const result = "value" in message ? (message.value as Partial<IteratorResult<unknown>> | undefined) : undefined;
  const values = "args" in message ? message.args : [result, result?.value];
  return values.flatMap((value) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : [],
  );
}
