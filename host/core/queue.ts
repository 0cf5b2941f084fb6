// One at a time, in the order of arrival.

import { aborted, type ZagreusError } from "./errors.js";

interface Waiter {
  enter(): void;
  refuse(error: ZagreusError): void;
}

/** Frees a place; calling it again does nothing. */
export type Release = () => void;

/** A fair lock. Waiters whose signal fires leave the queue. */
export class Queue {
  #busy = false;
  readonly #waiting: Waiter[] = [];

  /** Resolves when it is the caller's turn. @throws ZagreusError ABORTED, or what refuseAll() was given */
  enter(signal?: AbortSignal): Promise<Release> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal.reason));
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(aborted(signal?.reason));
      };
      const waiter: Waiter = {
        enter: () => {
          signal?.removeEventListener("abort", leave);
          resolve(this.#release());
        },
        refuse: (error) => {
          signal?.removeEventListener("abort", leave);
          reject(error);
        },
      };
      if (!this.#busy) {
        this.#busy = true;
        return resolve(this.#release());
      }
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiter);
    });
  }

  /** Sends everybody away who is waiting. */
  refuseAll(error: ZagreusError): void {
    for (const waiter of this.#waiting.splice(0)) waiter.refuse(error);
  }

  #release(): Release {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#waiting.shift();
      if (next) next.enter();
      else this.#busy = false;
    };
  }
}
