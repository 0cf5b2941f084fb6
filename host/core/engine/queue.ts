// So many at a time, in the order of arrival; where there are several clients, the one that has got least is next, or they take turns.

import { aborted, type ZagreusError } from "../api/errors.js";
import type { Fairness } from "./batch/fairness.js";
import type { Pace } from "./pace.js";

interface Waiter {
  enter(): void;
  refuse(error: ZagreusError): void;
}

/** A turn that begins before there is a prompt: a place at the head of the queue. */
export interface Turn {
  readonly pace: Pace;
  readonly release: Release;
  /** Whoever completes this prompt has the turn. */
  goesWith(prompt: readonly number[]): void;
}

/** Frees a place; calling it again does nothing. */
export type Release = () => void;

/** A fair semaphore. Waiters whose signal fires leave the queue. */
export class Queue {
  readonly #places: number;
  /** What clients have got. */
  fairness: Fairness | undefined;
  #taken = 0;
  /** Who has entered last. */
  #current = "";
  /** By client; of equal ones that at the front is the next, unless it was the last one too. */
  readonly #waiting = new Map<string, Waiter[]>();

  /** @param places how many may be in at once */
  constructor(places = 1) {
    this.#places = places;
  }

  /** How many have entered. */
  get taken(): number {
    return this.#taken;
  }

  /** How many wait. */
  get length(): number {
    let length = 0;
    for (const waiters of this.#waiting.values()) length += waiters.length;
    return length;
  }

  /**
   * Resolves when it is the caller's turn.
   * @param client who is asking: one with many requests delays other clients no more than one with few
   * @throws ZagreusError ABORTED, or what refuseAll() was given
   */
  enter(signal?: AbortSignal, client = ""): Promise<Release> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal.reason));
      this.fairness?.enter(client);
      const leave = () => {
        this.#remove(client, waiter);
        this.fairness?.leave(client);
        reject(aborted(signal?.reason));
      };
      const waiter: Waiter = {
        enter: () => {
          signal?.removeEventListener("abort", leave);
          this.#current = client;
          resolve(this.#release(client));
        },
        refuse: (error) => {
          signal?.removeEventListener("abort", leave);
          this.fairness?.leave(client);
          reject(error);
        },
      };
      if (this.#taken < this.#places) {
        this.#taken++;
        this.#current = client;
        return resolve(this.#release(client));
      }
      signal?.addEventListener("abort", leave, { once: true });
      const waiters = this.#waiting.get(client);
      if (waiters) waiters.push(waiter);
      else this.#waiting.set(client, [waiter]);
    });
  }

  /** Sends everybody away who is waiting. */
  refuseAll(error: ZagreusError): void {
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const waiter of waiting) waiter.refuse(error);
  }

  #release(client: string): Release {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.fairness?.leave(client);
      const next = this.#next();
      if (next) next.enter();
      else this.#taken--;
    };
  }

  /** Takes the next waiter out, of the client that has got least, and of another than the last if there is one; its client goes to the back. */
  #next(): Waiter | undefined {
    const rank = (client: string) => (this.fairness?.of(client) ?? 0) + (client === this.#current ? 0.5 : 0);
    const [client] = [...this.#waiting.keys()].sort((a, b) => rank(a) - rank(b));
    if (client === undefined) return undefined;
    const [next, ...others] = this.#waiting.get(client)!;
    this.#waiting.delete(client);
    if (others.length > 0) this.#waiting.set(client, others);
    return next;
  }

  #remove(client: string, waiter: Waiter): void {
    const others = (this.#waiting.get(client) ?? []).filter((one) => one !== waiter);
    if (others.length > 0) this.#waiting.set(client, others);
    else this.#waiting.delete(client);
  }
}
