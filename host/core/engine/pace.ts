// Long work shares the event loop: every now and then it waits for a macrotask, so that timers, I/O and abort signals
// get their turn.

import { aborted } from "../api/errors.js";

const SLICE_MS = 12;

/** Waits for the event loop to come round; supplied by the host. */
export type Macrotask = () => Promise<unknown>;

/** When the event loop came round last, as far as is known. */
export interface Slice {
  since: number;
}

export class Pace {
  readonly #macrotask: Macrotask;
  readonly #check: () => void;
  readonly #slice: Slice;

  /**
   * @param check throws when the work must not go on
   * @param slice shared by works that follow each other: many short ones are a long one
   */
  constructor(macrotask: Macrotask, check: () => void, slice: Slice = { since: performance.now() }) {
    this.#macrotask = macrotask;
    this.#check = check;
    this.#slice = slice;
  }

  /** Call between two pieces of work, as scheduler.yield(). @throws what `check` throws */
  async yield(): Promise<void> {
    const elapsed = performance.now() - this.#slice.since;
    // Cloudflare's clock stands still until the event loop comes round.
    if (elapsed >= SLICE_MS || elapsed === 0) await this.turn();
    else this.#check();
  }

  /** @throws what `check` throws */
  check(): void {
    this.#check();
  }

  /** The same, and the event loop comes round in any case. */
  async turn(): Promise<void> {
    await this.#macrotask();
    this.#slice.since = performance.now();
    this.#check();
  }
}

/** @throws ZagreusError ABORTED */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal.reason);
}
