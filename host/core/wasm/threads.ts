// Compute threads of a model: they help wherever they are; nothing waits for one that is late or asleep.

import { ZagreusError } from "../api/errors.js";
import type { ComputeTask } from "./compute_thread.js";
import type { Core } from "./core.js";

/** Threads when the caller does not say how many, however many cores there are. */
export const MAX_DEFAULT_THREADS = 4;

/** What a runtime supplies to have compute threads. */
export interface ThreadSupport {
  /** Threads when the caller does not say how many. */
  defaultCount: number;
  /** Whether the thread that loads may wait, which a browser's main thread must not. */
  mayBlock: boolean;
  /** Starts a thread that calls runComputeThread(). It must not keep the process alive once it is ready. */
  start(task: ComputeTask, events: ComputeThreadEvents): ComputeThread;
}

export interface ComputeThreadEvents {
  ready(): void;
  /** The thread is gone or never came. Ignored after stop(). */
  failed(cause: unknown): void;
}

export interface ComputeThread {
  /** Ends the thread, even if it does not listen. */
  stop(): void;
}

const abandoned = new FinalizationRegistry<ComputeThreads>((threads) => threads.stop());

/** The compute threads of one core. */
export class ComputeThreads {
  readonly #core: Core;
  readonly #count: number;
  readonly #support: ThreadSupport | undefined;
  readonly #started: ComputeThread[] = [];
  readonly #ready: Promise<void>[] = [];
  #failure: ZagreusError | undefined;
  #stopped = false;

  /** Prepares the core, before its begin(), for `count` threads; more than one only where there is support. */
  constructor(core: Core, count: number, support: ThreadSupport | undefined) {
    this.#core = core;
    this.#count = count;
    this.#support = support;
    core.exports.setThreads(count, support?.mayBlock ? 1 : 0);
  }

  /** Starts count - 1 threads: the caller's is one too. */
  start(module: WebAssembly.Module): void {
    const { memory } = this.#core;
    for (let index = 1; index < this.#count; index++) {
      this.#ready.push(new Promise((resolve) => this.#startOne({ module, memory, index }, resolve)));
    }
  }

  #startOne(task: ComputeTask, done: () => void): void {
    const failed = (cause: unknown) => {
      if (!this.#stopped) this.fail(`worker thread ${task.index}`, cause, task.index);
      done();
    };
    try {
      this.#started.push(this.#support!.start(task, { ready: done, failed }));
    } catch (error) {
      failed(error);
    }
  }

  /** Resolves when every thread runs. @throws ZagreusError THREAD_FAILED */
  async ready(): Promise<void> {
    await Promise.all(this.#ready);
    this.check();
  }

  /** What computes is of no more use. @returns what is thrown from now on */
  fail(what: string, cause: unknown, value?: number): ZagreusError {
    this.#failure ??= threadFailed(what, cause, value);
    return this.#failure;
  }

  /** @throws ZagreusError THREAD_FAILED when a thread is gone */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Stops the threads when `owner` is garbage, in case nobody closes it. */
  belongTo(owner: object): void {
    abandoned.register(owner, this);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#core.exports.stopThreads();
    for (const thread of this.#started) thread.stop();
  }
}

function threadFailed(what: string, cause: unknown, value: number | undefined): ZagreusError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ZagreusError("THREAD_FAILED", `${what} failed: ${reason}`, { value, cause });
}
