// An isolate has room for one part of a model, and objects of one class may share it.

import { ZagreusError } from "../../core/api/errors.js";

/** After which whoever says nothing more is gone: an object that is evicted says nothing of it. */
const SILENCE_MS = 60_000;

const ISOLATE = "isolate";

/** Whether an object's isolate was taken, its own or a shard's. */
export function isTaken(error: unknown): boolean {
  if (!(error instanceof ZagreusError)) return false;
  return error.field === ISOLATE || isTaken(error.cause);
}

interface Tenant {
  /** Of its object. */
  id: string;
  leave: () => void;
}

export class Tenancy {
  #tenant: Tenant | undefined;
  #seen = 0;

  /**
   * @param id of an object
   * @param leave called when another one, or the object's next life, has come: lets go of what takes memory, without I/O
   * @throws ZagreusError SHARD_FAILED while another object is at work here
   */
  claim(id: string, leave: () => void): void {
    const before = this.#tenant;
    if (before && before.id !== id && Date.now() - this.#seen < SILENCE_MS) {
      const message = "its isolate is taken by another object of this class, which is at work";
      throw new ZagreusError("SHARD_FAILED", message, { field: ISOLATE });
    }
    if (before && before.leave !== leave) before.leave();
    this.#tenant = { id, leave };
    this.touch(id);
  }

  /** The object is at work. */
  touch(id: string): void {
    if (this.#tenant?.id === id) this.#seen = Date.now();
  }

  /** Nothing is left to do for it. */
  rest(id: string): void {
    if (this.#tenant?.id === id) this.#seen = 0;
  }
}
