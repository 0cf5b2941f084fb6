// The sequences of the core, and who has them.

import { INFO_SEQUENCES } from "../../../assembly/layout/abi.js";
import type { CacheUse, KvCache } from "./kv_cache.js";
import { KvSequence } from "./kv_sequence.js";

export class KvSequences {
  readonly cache: KvCache;
  /** Numbers of those that are nobody's. */
  readonly #free: number[];
  readonly #open = new Set<KvSequence>();

  constructor(cache: KvCache) {
    this.cache = cache;
    const count: number = cache.core.exports.info(INFO_SEQUENCES);
    this.#free = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  /** Those that somebody has. */
  get open(): ReadonlySet<KvSequence> {
    return this.#open;
  }

  /** A sequence, until it is closed. There are as many as the core has. @param left called when it is over */
  begin(use: CacheUse, left = () => {}): KvSequence {
    const index = this.#free.pop();
    if (index === undefined) throw new RangeError("all sequences of the core are taken");
    const sequence = new KvSequence(this.cache, index, use, () => {
      this.#open.delete(sequence);
      this.#free.push(index);
      left();
    });
    this.#open.add(sequence);
    return sequence;
  }
}
