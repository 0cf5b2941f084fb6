// Requests while they are worked on.

import { clientGone, shuttingDown } from "./errors.js";

export class Call {
  readonly id = `req_${crypto.randomUUID().replaceAll("-", "")}`;
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
  readonly #begun = performance.now();
  readonly #controller = new AbortController();
  /** Kept, because Node forgets to pass an abort on to a request that nobody holds. */
  readonly request: Request;

  constructor(request: Request, network: string) {
    this.request = request;
    this.network = network;
    this.client = network;
    const abort = () => this.abort(clientGone());
    if (request.signal.aborted) abort();
    else request.signal.addEventListener("abort", abort, { once: true });
  }

  /** Fires when the client has gone, or the server goes. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  end(status: number): void {
    this.ended(status, (performance.now() - this.#begun) / 1000);
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
