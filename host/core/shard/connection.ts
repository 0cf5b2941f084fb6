// The edge's end of the connection to one shard: requests, and their answers in the same order.

import { ZagreusError } from "../api/errors.js";
import type { RemoteRows } from "../engine/batch/elsewhere.js";
import { type ByteChannel, ByteReader, Lost } from "./wire/channel.js";
import { badFrame, ERROR, encodeFrame, type Frame, HELLO, ROWS, RUN, readFrame } from "./wire/frames.js";
import {
  decodeError,
  decodeHello,
  decodeId,
  decodeRows,
  encodeRows,
  type Hello,
  maxFrameBytes,
} from "./wire/messages.js";

/** Opens a connection; called again when it was lost. */
export type Connect = () => ByteChannel | Promise<ByteChannel>;

interface Waiting {
  id: number;
  rows: number;
  resolve(rows: RemoteRows): void;
  reject(error: unknown): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Connection {
  readonly hello: Hello;
  readonly #name: string;
  readonly #reader: ByteReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #timeoutMs: number;
  readonly #waiting: Waiting[] = [];
  #failure: { error: unknown } | undefined;

  private constructor(
    name: string,
    hello: Hello,
    reader: ByteReader,
    writer: WritableStreamDefaultWriter<Uint8Array>,
    timeoutMs: number,
  ) {
    this.#name = name;
    this.hello = hello;
    this.#reader = reader;
    this.#writer = writer;
    this.#timeoutMs = timeoutMs;
    writer.closed.catch(() => {}); // the reader tells
    this.#read().catch((error) => this.close(error));
  }

  /**
   * @param name for messages
   * @throws Lost, ZagreusError SHARD_FAILED for who is no shard
   */
  static async open(name: string, connect: Connect, timeoutMs: number): Promise<Connection> {
    let reader: ByteReader | undefined;
    const opening = (async () => {
      const channel = await connect();
      reader = new ByteReader(channel);
      const frame = await readFrame(reader, 65536);
      if (!frame) throw new Lost("it has closed the connection");
      if (frame.kind === ERROR) throw decodeError(frame.contents, name);
      if (frame.kind !== HELLO) throw badFrame("kind", frame.kind, HELLO);
      return new Connection(name, decodeHello(frame.contents), reader, channel.writable.getWriter(), timeoutMs);
    })();
    try {
      return await withTimeout(opening, timeoutMs);
    } catch (error) {
      reader?.cancel();
      opening.then((late) => late.close(new Lost("too late"))).catch(() => {});
      if (error instanceof ZagreusError || error instanceof Lost) throw error;
      throw new Lost(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  /** Sends rows through the shard's layers, behind those that were sent before. */
  request(id: number, runs: Uint8Array, rows: RemoteRows): Promise<RemoteRows> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure.error);
      const late = () => this.close(new Lost(`${this.#name} has not answered for ${this.#timeoutMs} ms`));
      const timer = setTimeout(late, this.#timeoutMs);
      this.#waiting.push({ id, rows: rows.overflows.length, resolve, reject, timer });
      this.#writer.write(encodeFrame(RUN, runs, ...encodeRows(rows))).catch((cause) => {
        this.close(new Lost(`${this.#name} cannot be written to: ${cause?.message ?? cause}`, { cause }));
      });
    });
  }

  /** Ends it; what waits for answers fails. */
  close(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#reader.cancel();
    this.#writer.abort(error).catch(() => {});
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }

  async #read(): Promise<void> {
    const most = maxFrameBytes(this.hello);
    for (;;) {
      const frame = await readFrame(this.#reader, most);
      if (!frame) throw new Lost(`${this.#name} has closed the connection`);
      this.#take(frame);
    }
  }

  #take({ kind, contents }: Frame): void {
    if (kind === ERROR) throw decodeError(contents, this.#name);
    if (kind !== ROWS) throw badFrame("kind", kind, ROWS);
    const [oldest] = this.#waiting;
    const id = decodeId(contents);
    if (!oldest || oldest.id !== id) throw badFrame("id", id, oldest?.id ?? "none");
    const rows = decodeRows(contents.subarray(4), oldest.rows, this.hello.hidden);
    this.#waiting.shift();
    clearTimeout(oldest.timer);
    oldest.resolve(rows);
  }
}

async function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Lost(`it has not answered for ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
