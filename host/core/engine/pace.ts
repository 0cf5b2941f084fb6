// Long work shares the event loop: every now and then it waits for a macrotask, so that timers, I/O and abort signals
// get their turn.

import { aborted } from "../api/errors.js";

const SLICE_MS = 12;

/** Waits for the event loop to come round; supplied by the host. */
export type Macrotask = () => Promise<unknown>;

export class Pace {
  readonly #macrotask: Macrotask;
  readonly #check: () => void;
  #since = performance.now();

  /** @param check throws when the work must not go on */
  constructor(macrotask: Macrotask, check: () => void) {
    this.#macrotask = macrotask;
    this.#check = check;
  }

  /** Call between two pieces of work, as scheduler.yield(). @throws what `check` throws */
  async yield(): Promise<void> {
    const elapsed = performance.now() - this.#since;
    // Cloudflare's clock stands still until the event loop comes round.
    if (elapsed >= SLICE_MS || elapsed === 0) {
      await this.#macrotask();
      this.#since = performance.now();
    }
    this.#check();
  }
}

/** @throws ZagreusError ABORTED */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal.reason);
}
