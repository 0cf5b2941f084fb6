// A MessagePort as a channel of bytes: between threads, workers, and tabs.

import type { ByteChannel } from "./wire/channel.js";

type Message = { bytes: Uint8Array } | { taken: true } | { end: true };

/** What a MessagePort of any runtime has. */
export interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: "message" | "close", listener: (event: { data?: unknown }) => void): void;
  start?(): void;
  close(): void;
}

/** Bytes over a port whose other end has a channel of it, too. One piece at a time waits to be read. */
export function portChannel(port: Port): ByteChannel {
  const channel = new PortChannel(port);
  port.addEventListener("message", ({ data }) => channel.receive(data as Message));
  port.addEventListener("close", () => channel.end());
  port.start?.();
  return channel;
}

class PortChannel implements ByteChannel {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly #port: Port;
  #source!: ReadableStreamDefaultController<Uint8Array>;
  /** Pieces that have come, and whether somebody wants the next. */
  readonly #waiting: Uint8Array[] = [];
  #wanted = false;
  /** The piece that is on its way. */
  #sent: { taken(): void; refused(error: Error): void } | undefined;
  #ended = false;

  constructor(port: Port) {
    this.#port = port;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#source = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#hand();
        },
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream<Uint8Array>({
      write: (bytes) => this.#send(bytes.slice()),
      close: () => {
        this.#close();
        this.#source.close();
      },
      abort: () => this.#close(),
    });
  }

  receive(message: Message): void {
    if ("bytes" in message) {
      this.#waiting.push(message.bytes);
      this.#hand();
    } else if ("taken" in message) this.#sent?.taken();
    else this.end();
  }

  /** The other end is gone. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sent?.refused(new Error("the other end of the port is closed"));
    for (const bytes of this.#waiting.splice(0)) this.#source.enqueue(bytes);
    this.#source.close();
  }

  #send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return new Promise((taken, refused) => {
      this.#sent = { taken, refused };
      if (this.#ended) return refused(new Error("the other end of the port is closed"));
      this.#port.postMessage({ bytes }, [bytes.buffer]);
    });
  }

  #hand(): void {
    const bytes = this.#wanted ? this.#waiting.shift() : undefined;
    if (!bytes) return;
    this.#wanted = false;
    this.#source.enqueue(bytes);
    this.#port.postMessage({ taken: true }, []);
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#port.postMessage({ end: true }, []);
    this.#port.close();
  }
}
