// Requests while they are worked on.

import { clientGone, shuttingDown } from "./errors.js";
import { Figures } from "./figures.js";

/** Ids that clients may choose. */
const ID = /^[\w.:/+=-]{1,128}$/;

export class Call {
  /** The client's x-request-id, or one that is made. Nothing is kept by it: clients may use one twice. */
  readonly id: string;
  readonly figures = new Figures();
  /** Where it comes from. */
  readonly network: string;
  /** Whose turns it takes. */
  client: string;
  /** Which API key it has, "" where none are wanted. */
  key = "";
  /** Whether its answer goes on after its headers; who makes it calls end(). */
  streams = false;
  /** Told once, of status and seconds, when the last byte of the answer is made. */
  ended = (_status: number, _seconds: number) => {};
  readonly #controller = new AbortController();
  readonly #left = () => this.abort(clientGone());
  /** Kept, because Node forgets to pass an abort on to a request that nobody holds. */
  readonly request: Request;

  constructor(request: Request, network: string) {
    this.request = request;
    const id = request.headers.get("x-request-id") ?? "";
    this.id = ID.test(id) ? id : `req_${crypto.randomUUID().replaceAll("-", "")}`;
    this.network = network;
    this.client = network;
    if (request.signal.aborted) this.#left();
    else request.signal.addEventListener("abort", this.#left, { once: true });
  }

  /** Fires when the client has gone, or the server goes. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  end(status: number): void {
    // Node's Request never lets go of its signal while what listens to that holds the request (undici's finalizer).
    this.request.signal.removeEventListener("abort", this.#left);
    this.ended(status, this.figures.ms / 1000);
  }
}

/** All that are open. */
export class Calls {
  readonly #open = new Set<Call>();
  #closing: Promise<void> | undefined;
  #idle = () => {};

  get open(): number {
    return this.#open.size;
  }

  /** Whether close() was called. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /** @param ended as Call.ended */
  add(call: Call, ended: Call["ended"]): void {
    this.#open.add(call);
    call.ended = (...how) => {
      if (!this.#open.delete(call)) return;
      ended(...how);
      if (this.#open.size === 0) this.#idle();
    };
  }

  /** Resolves when none is open any more; aborts those that still are after `grace` milliseconds. */
  close(grace: number): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const call of this.#open) call.abort(shuttingDown());
      }, grace);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#open.size === 0) this.#idle();
    });
    return this.#closing;
  }
}
