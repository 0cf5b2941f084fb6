// A loaded core and what shares it: the queue, the KV cache, the event loop.

import type { ModelInfo } from "./api.js";
import type { Core } from "./core.js";
import { closed } from "./errors.js";
import { KvCache, type Tenant } from "./kv_cache.js";
import { checkSignal, type Macrotask, Pace } from "./pace.js";
import { Queue } from "./queue.js";

export class Engine {
  readonly info: ModelInfo;
  readonly queue = new Queue();
  readonly #macrotask: Macrotask;
  #loaded: { core: Core; cache: KvCache } | undefined;

  constructor(core: Core, info: ModelInfo, macrotask: Macrotask) {
    this.info = info;
    this.#loaded = { core, cache: new KvCache(core) };
    this.#macrotask = macrotask;
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
    this.queue.refuseAll(closed("model"));
  }

  /** @throws ZagreusError CLOSED */
  assertOpen(): void {
    this.#open();
  }

  /** A session ends: its bytes are not kept. */
  forget(tenant: Tenant): void {
    this.#loaded?.cache.evict(tenant);
    tenant.parked = undefined;
  }

  #open() {
    if (!this.#loaded) throw closed("model");
    return this.#loaded;
  }
}
