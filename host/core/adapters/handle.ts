// What a caller holds of an adapter, beside the model or in front of another thread: its data goes along as it is.

import type { LoadedAdapter } from "../api/api.js";
import { DISPOSE } from "../api/dispose.js";
import type { AdapterFacts } from "./slots.js";

export class AdapterHandle implements LoadedAdapter {
  readonly id: string;
  readonly name: string;
  readonly rank: number;
  readonly bytes: number;
  readonly hash: string;
  readonly #close: () => void;
  #closed = false;

  constructor({ id, name, rank, bytes, hash }: AdapterFacts, close: () => void) {
    this.id = id;
    this.name = name;
    this.rank = rank;
    this.bytes = bytes;
    this.hash = hash;
    this.#close = close;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#close();
  }

  [DISPOSE](): void {
    this.close();
  }
}
