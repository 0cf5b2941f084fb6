// Bytes both ways, over anything: a socket, a pipe, a MessagePort, a WebSocket.

/** One end of a connection. Whoever writes waits until the other end has room. */
export interface ByteChannel {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Told of a piece that was read and is not needed any more. */
  release?(piece: Uint8Array): void;
}

/** The connection has ended, or does not answer: what it was for may be tried on another. */
export class Lost extends Error {}

/** Reads so many bytes as are wanted at a time. */
export class ByteReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #release: (piece: Uint8Array) => void;
  #piece: Uint8Array = new Uint8Array();
  #rest: Uint8Array = this.#piece;

  constructor({ readable, release = () => {} }: Pick<ByteChannel, "readable" | "release">) {
    this.#reader = readable.getReader();
    this.#release = release;
  }

  /** The next bytes; undefined where the stream ends before them. @throws Lost when it ends in the middle, or fails */
  async read(length: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#reader.read().catch((cause) => {
          throw new Lost(`the connection failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
        });
        if (done && at === 0) return undefined;
        if (done) throw new Lost("the connection has ended in the middle of a frame");
        this.#piece = value;
        this.#rest = value;
      }
      const some = this.#rest.subarray(0, length - at);
      bytes.set(some, at);
      at += some.length;
      this.#rest = this.#rest.subarray(some.length);
      if (this.#rest.length === 0) this.#release(this.#piece);
    }
    return bytes;
  }

  /** Nobody reads any more. */
  cancel(): void {
    this.#reader.cancel().catch(() => {});
  }
}
