// A loaded core and what shares it: the queue, the KV cache, the scheduler, the event loop.

import type { AdapterSlots } from "../adapters/slots.js";
import type { LoadOptions, ModelInfo, ModelStats, Prompt } from "../api/api.js";
import { closed, invalidOption, type ZagreusError } from "../api/errors.js";
import type { AdapterList } from "../api/options.js";
import type { PromptCache } from "../kv/disk/prompt_cache.js";
import type { CacheUse, KvCache } from "../kv/kv_cache.js";
import type { KvSequence } from "../kv/kv_sequence.js";
import type { KvSequences } from "../kv/kv_sequences.js";
import { HERE, type Origin } from "../kv/page_tree.js";
import { BatchCosts } from "../speculation/batch_costs.js";
import type { Core } from "../wasm/core.js";
import type { KernelChoice } from "../wasm/kernel_choice.js";
import type { ComputeThreads } from "../wasm/threads.js";
import type { LayersElsewhere } from "./batch/elsewhere.js";
import type { Fairness } from "./batch/fairness.js";
import type { Scheduler } from "./batch/scheduler.js";
import { checkSignal, type Macrotask, Pace, type Slice } from "./pace.js";
import { Queue, type Release, type Turn } from "./queue.js";

/** Salts whose KV is kept apart; that of the oldest is no longer found when there are more. */
const MAX_SALTS = 4096;

/** What runs sequences. */
export interface Runner {
  sequences: KvSequences;
  scheduler: Scheduler;
  fairness: Fairness;
}

export class Engine {
  readonly info: ModelInfo;
  /** Of those who have, or want, a sequence of the core. */
  readonly queue: Queue;
  readonly batchCosts = new BatchCosts();
  /** Chosen over the first passes, from the end of the load on. */
  kernels: KernelChoice | undefined;
  /** What the plan has reserved for adapters. */
  readonly adapterRoom: { slots: number; rank: number } | undefined;
  /** From the first one on. */
  adapters: AdapterSlots | undefined;
  /** What is kept over restarts, if that is wanted. */
  prompts: PromptCache | undefined;
  /** Where the core has no layers. */
  elsewhere: LayersElsewhere | undefined;
  /** Milliseconds that a token of a prompt takes, as last measured. */
  tokenMs = 0;
  readonly #macrotask: Macrotask;
  readonly #threads: ComputeThreads;
  readonly #slice: Slice = { since: 0 };
  readonly #pace: Pace;
  readonly #turns = new WeakMap<object, Release>();
  readonly #origins = new Map<string, Origin>();
  /** Resolves when those of turnInLine() have had their turns. */
  #line: Promise<unknown> = Promise.resolve();
  #core: Core | undefined;
  #runner: Runner | undefined;

  /** @param options checked */
  constructor(core: Core, info: ModelInfo, threads: ComputeThreads, macrotask: Macrotask, { adapters }: LoadOptions) {
    this.info = info;
    this.adapterRoom = adapters && { slots: adapters.slots, rank: adapters.rank! };
    this.queue = new Queue(info.sequences);
    this.#core = core;
    this.#threads = threads;
    this.#macrotask = macrotask;
    this.#pace = this.pace(undefined);
    threads.belongTo(this);
  }

  /** @throws ZagreusError CLOSED */
  get core(): Core {
    return this.#open();
  }
  /** @throws ZagreusError CLOSED */
  get cache(): KvCache {
    return this.sequences.cache;
  }
  /** @throws ZagreusError CLOSED */
  get sequences(): KvSequences {
    this.#open();
    return this.#runner!.sequences;
  }
  get scheduler(): Scheduler {
    return this.#runner!.scheduler;
  }
  get fairness(): Fairness {
    return this.#runner!.fairness;
  }

  /** What runs sequences, which is loaded with the first of them, at the end of the load. */
  set runner(runner: Runner) {
    this.#runner = runner;
    this.queue.fairness = runner.fairness;
  }

  get stats(): ModelStats {
    const { passes, preemptions, recomputedTokens } = this.scheduler;
    const cache = this.cache.figures;
    const promptCache = this.prompts?.figures;
    const { taken: running, length: waiting } = this.queue;
    return { running, waiting, cache, passes, preemptions, recomputedTokens, promptCache };
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

  /**
   * A sequence of the core for tokens that go through these adapters, until it is closed.
   * @throws ZagreusError INVALID_OPTION for an adapter that is not here
   */
  begin(use: CacheUse, list: AdapterList): KvSequence {
    if (!this.adapters && list?.length) throw invalidOption("adapters", list, "adapters of this model");
    const held = this.adapters?.hold(list);
    try {
      const kv = this.sequences.begin(use, held?.release);
      held?.apply(kv.index);
      return kv;
    } catch (error) {
      held?.release();
      throw error;
    }
  }

  /** Names the adapters of a list by their contents; "" for none. */
  adaptersKey(list: AdapterList): string {
    return (list?.length && this.adapters?.key(list)) || "";
  }

  /** Whose KV a prompt with this cacheSalt and these adapters may use. */
  origin(cacheSalt: string | undefined, list?: AdapterList): Origin {
    const adapters = this.adaptersKey(list);
    if (cacheSalt === undefined && adapters === "") return HERE;
    const name = JSON.stringify([adapters, cacheSalt]);
    const origin = this.#origins.get(name) ?? { name };
    this.#origins.delete(name);
    this.#origins.set(name, origin); // the one used last comes last
    for (const oldest of this.#origins.keys()) {
      if (this.#origins.size <= MAX_SALTS) break;
      this.#origins.delete(oldest);
    }
    return origin;
  }

  /** Waits for a turn in which a prompt is made, and then completed: what is costly about a request waits as it does. */
  async takeTurn(client: string | undefined, signal: AbortSignal | undefined): Promise<Turn> {
    const release = await this.queue.enter(signal, client);
    return { pace: this.pace(signal), release, goesWith: (prompt) => void this.#turns.set(prompt, release) };
  }

  /** The turn that goes with this very prompt, once, if it was made in one. */
  turnOf(prompt: Prompt): Release | undefined {
    if (typeof prompt !== "object" || prompt === null) return undefined;
    const turn = this.#turns.get(prompt);
    this.#turns.delete(prompt);
    return turn;
  }

  /** The pace of work that ends with the engine, with `signal`, or when `check` throws. */
  pace(signal: AbortSignal | undefined, check?: () => void): Pace {
    const assertActive = () => {
      this.assertOpen();
      checkSignal(signal);
      check?.();
    };
    return new Pace(this.#macrotask, assertActive, this.#slice);
  }

  /** Lets the event loop come round if it is time. @throws ZagreusError CLOSED, THREAD_FAILED */
  rest(): Promise<void> {
    return this.#pace.yield();
  }

  /** Lets the event loop come round. @throws ZagreusError CLOSED, THREAD_FAILED */
  turn(): Promise<void> {
    return this.#pace.turn();
  }

  /** The same for those who do a piece of long work each time: one of them after the other, so that all others wait for one piece. */
  turnInLine(pace: Pace): Promise<void> {
    const turn = this.#line.then(() => pace.turn());
    this.#line = turn.catch(() => {}); // told to whoever waits
    return turn;
  }

  fail(cause: unknown): ZagreusError {
    return this.#threads.fail("the core", cause);
  }

  /** Lets go of the core and sends away whoever waits for it. */
  close(): void {
    this.#core = undefined;
    this.prompts?.close();
    this.#runner?.scheduler.stop(closed("model"));
    this.#threads.stop();
    this.elsewhere?.close();
    this.queue.refuseAll(closed("model"));
  }

  /** @throws ZagreusError CLOSED, THREAD_FAILED */
  assertOpen(): void {
    this.#open();
  }

  /** A session with these tokens ends: its KV is not kept. */
  forget(tokens: readonly number[], origin: Origin): void {
    if (this.#core) this.cache.forget(tokens, origin);
  }

  #open(): Core {
    if (!this.#core) throw closed("model");
    this.#threads.check();
    return this.#core;
  }
}
