// A work on its way through the passes.

import type { KvSequence } from "../../kv/kv_sequence.js";
import type { Waiting } from "./plan.js";
import type { Work } from "./work.js";

export class Job implements Waiting {
  readonly work: Work;
  readonly client: string;
  readonly age: number;
  /** What is run: tokens and guesses, `length` of them. Taking rows may add to the tokens. */
  readonly tokens: readonly number[];
  readonly length: number;
  /** Of these, those that are no guesses. */
  readonly sure: number;
  /** Resolves, or rejects, when it has ended. */
  readonly end: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;
  /** The position whose row is taken next. */
  next: number;
  /** Rows that were run of it. */
  run = 0;
  /** Rows that are under way, where layers are elsewhere. */
  ahead = 0;
  /** Whether the cache has the longest beginning of its tokens that there is. */
  aligned = false;
  #begun = false;

  constructor(work: Work, age: number) {
    this.work = work;
    this.client = work.client ?? "";
    this.age = age;
    this.tokens = work.guesses?.length ? [...work.tokens, ...work.guesses] : work.tokens;
    this.length = this.tokens.length;
    this.sure = work.tokens.length;
    this.next = work.from;
    this.end = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.end.catch(() => {}); // run() tells of it
  }

  get kv(): KvSequence {
    return this.work.kv;
  }

  /** Rows that are left; until it is aligned, at most. */
  get rows(): number {
    return this.length - Math.min(this.kv.length, this.next) - this.ahead;
  }

  /** Where the next rows come. */
  get position(): number {
    return this.kv.length + this.ahead;
  }

  /** Whether all are run. */
  get done(): boolean {
    return this.aligned && this.kv.length === this.length;
  }

  /** Has the cache hold the beginning of its tokens. */
  align(): void {
    const start = this.kv.align(this.tokens, this.next);
    this.aligned = true;
    if (this.#begun) return;
    this.#begun = true;
    this.work.begin?.(start);
  }
}

/** Neighbouring rows of the batch that are one job's. */
export interface Segment {
  job: Job;
  /** In the batch. */
  row: number;
  /** In the sequence. */
  position: number;
  count: number;
}
