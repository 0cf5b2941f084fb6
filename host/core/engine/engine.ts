// A loaded core and what shares it: the queue, the KV cache, the event loop.

import type { ModelInfo } from "../api/api.js";
import { closed } from "../api/errors.js";
import { KvCache } from "../kv/kv_cache.js";
import { HERE, type Origin } from "../kv/kv_pool.js";
import { BatchCosts } from "../speculation/batch_costs.js";
import type { Core } from "../wasm/core.js";
import type { Threads } from "../wasm/threads.js";
import { checkSignal, type Macrotask, Pace, type Slice } from "./pace.js";
import { Queue } from "./queue.js";

/** Salts whose KV is kept apart; that of the oldest is no longer found when there are more. */
const MAX_SALTS = 4096;

export class Engine {
  readonly info: ModelInfo;
  readonly queue = new Queue();
  readonly #preparing = new Queue();
  readonly batchCosts = new BatchCosts();
  /** Milliseconds that a token of a prompt takes, as last measured. */
  tokenMs = 0;
  readonly #macrotask: Macrotask;
  readonly #threads: Threads;
  readonly #slice: Slice = { since: 0 };
  readonly #origins = new Map<string, Origin>();
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

  /** Whether it is of no more use: closed, or with a thread that has failed. */
  get closed(): boolean {
    try {
      this.#open();
      return false;
    } catch {
      return true;
    }
  }

  /** Whose KV a prompt with this cacheSalt may use. */
  origin(cacheSalt: string | undefined): Origin {
    if (cacheSalt === undefined) return HERE;
    const origin = this.#origins.get(cacheSalt) ?? {};
    this.#origins.delete(cacheSalt);
    this.#origins.set(cacheSalt, origin); // the one used last comes last
    for (const oldest of this.#origins.keys()) {
      if (this.#origins.size <= MAX_SALTS) break;
      this.#origins.delete(oldest);
    }
    return origin;
  }

  /** Does what comes before a generation: one at a time, by turns of clients, beside the generation that runs. */
  async prepare<T>(
    client: string | undefined,
    signal: AbortSignal | undefined,
    work: (pace: Pace) => Promise<T>,
  ): Promise<T> {
    const release = await this.#preparing.enter(signal, client);
    try {
      return await work(this.pace(signal));
    } finally {
      release();
    }
  }

  /** The pace of work that ends with the engine, with `signal`, or when `check` throws. */
  pace(signal: AbortSignal | undefined, check?: () => void): Pace {
    const assertWanted = () => {
      this.assertOpen();
      checkSignal(signal);
      check?.();
    };
    return new Pace(this.#macrotask, assertWanted, this.#slice);
  }

  /** Lets go of the core and sends away whoever waits for it. */
  close(): void {
    this.#loaded = undefined;
    this.#threads.stop();
    for (const queue of [this.queue, this.#preparing]) queue.refuseAll(closed("model"));
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
