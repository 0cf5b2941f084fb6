// An isolate has room for one part of a model, and objects of one class may share it.

import { ZagreusError } from "../../core/api/errors.js";

/** After which whoever says nothing more is gone: an object that is evicted says nothing of it. */
const SILENCE_MS = 60_000;

export class Tenancy {
  #tenant: string | undefined;
  #seen = 0;

  /** @param id of an object @throws ZagreusError SHARD_FAILED while another object is at work here */
  claim(id: string): void {
    const taken = this.#tenant !== undefined && this.#tenant !== id && Date.now() - this.#seen < SILENCE_MS;
    if (taken) throw new ZagreusError("SHARD_FAILED", `the isolate is taken by another object, ${this.#tenant}`);
    this.#tenant = id;
    this.touch();
  }

  /** The tenant is at work. */
  touch(): void {
    this.#seen = Date.now();
  }

  /** Nothing is left to do for it. */
  rest(id: string): void {
    if (this.#tenant === id) this.#seen = 0;
  }
}
