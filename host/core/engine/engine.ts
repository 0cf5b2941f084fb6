// A loaded core and what shares it: the queue, the KV cache, the event loop.

import type { ModelInfo } from "../api/api.js";
import { closed } from "../api/errors.js";
import { KvCache } from "../kv/kv_cache.js";
import type { Origin } from "../kv/kv_pool.js";
import { BatchCosts } from "../speculation/batch_costs.js";
import type { Core } from "../wasm/core.js";
import type { Threads } from "../wasm/threads.js";
import { checkSignal, type Macrotask, Pace } from "./pace.js";
import { Queue } from "./queue.js";

export class Engine {
  readonly info: ModelInfo;
  readonly queue = new Queue();
  readonly batchCosts = new BatchCosts();
  /** Milliseconds that a token of a prompt takes, as last measured. */
  tokenMs = 0;
  readonly #macrotask: Macrotask;
  readonly #threads: Threads;
  #loaded: { core: Core; cache: KvCache } | undefined;

  /** @param cacheBudget bytes of parked KV caches at most */
  constructor(core: Core, info: ModelInfo, threads: Threads, macrotask: Macrotask, cacheBudget: number) {
    this.info = info;
    this.#loaded = { core, cache: new KvCache(core, cacheBudget) };
    this.#threads = threads;
    this.#macrotask = macrotask;
    threads.belongTo(this);
  }

  /** @throws ZagreusError CLOSED */
  get core(): Core {
    return this.#open().core;
  }
  /** @throws ZagreusError CLOSED */
  get cache(): KvCache {
    return this.#open().cache;
  }

  /** The pace of work that ends with the engine, with `signal`, or when `check` throws. */
  pace(signal: AbortSignal | undefined, check?: () => void): Pace {
    return new Pace(this.#macrotask, () => {
      this.assertOpen();
      checkSignal(signal);
      check?.();
    });
  }

  /** Lets go of the core and sends away whoever waits for it. */
  close(): void {
    this.#loaded = undefined;
    this.#threads.stop();
    this.queue.refuseAll(closed("model"));
  }

  /** @throws ZagreusError CLOSED, THREAD_FAILED */
  assertOpen(): void {
    this.#open();
  }

  /** A session with these tokens ends: its KV is not kept. */
  forget(tokens: readonly number[], origin: Origin): void {
    this.#loaded?.cache.forget(tokens, origin);
  }

  #open() {
    if (!this.#loaded) throw closed("model");
    this.#threads.check();
    return this.#loaded;
  }
}
