// Watches a generation: what is measured of it, and how far its prompt is read.

import type { PrefillProgress } from "../../api/api.js";
import type { Figures } from "../http/figures.js";
import type { Pulse } from "../served/pulse.js";

/** How far a prompt is read, as llama-server's streams say it. */
export interface PromptProgress {
  /** Tokens of the prompt. */
  total: number;
  /** Of these, tokens that were in the cache. */
  cache: number;
  /** Tokens that are read, `cache` among them. */
  processed: number;
  /** Milliseconds since the prompt is read. */
  time_ms: number;
}

/** What a generation has to say next. */
export type Step<P> = { piece: P } | { progress: PromptProgress };

const NEWS = Symbol("news");

export class Watch {
  readonly #figures: Figures;
  readonly #pulse: Pulse;
  readonly #tells: boolean;
  readonly #told: () => void;
  #begun = 0;
  #last: PrefillProgress | undefined;
  #untold: PromptProgress[] = [];
  #wake = () => {};

  /**
   * @param tells whether steps() says how far the prompt is read
   * @param begun told when it begins to be
   */
  constructor(figures: Figures, pulse: Pulse, tells: boolean, begun: () => void) {
    this.#figures = figures;
    this.#pulse = pulse;
    this.#tells = tells;
    this.#told = begun;
  }

  /** How far the prompt is read, as last told. */
  get read(): PrefillProgress | undefined {
    return this.#last;
  }

  /** An option of the generation. */
  readonly onPrefill = (progress: PrefillProgress): void => {
    if (this.#last === undefined) this.#begun = performance.now();
    this.#last = progress;
    this.#pulse.beat();
    this.#figures.reads();
    this.#told();
    if (!this.#tells) return;
    const { total, reused: cache, done: processed } = progress;
    this.#untold.push({ total, cache, processed, time_ms: Math.round(performance.now() - this.#begun) });
    this.#wake();
  };

  /** The pieces of the generation, and before the first one how far its prompt is read. */
  async *steps<P>(pieces: AsyncIterable<P>): AsyncGenerator<Step<P>> {
    const iterator = pieces[Symbol.asyncIterator]();
    try {
      let next = this.#pulse.during(iterator.next());
      if (this.#tells) yield* this.#news(next);
      for (let step = await next; !step.done; step = await next) {
        this.#figures.writes();
        yield { piece: step.value };
        next = this.#pulse.during(iterator.next());
      }
    } finally {
      await iterator.return?.();
    }
  }

  /** What is told until `first` is there. */
  async *#news(first: Promise<unknown>): AsyncGenerator<{ progress: PromptProgress }> {
    first.catch(() => {}); // whoever leaves in between does not await it
    for (let last: unknown = NEWS; last === NEWS; ) {
      last = await Promise.race([first, this.#next()]);
      for (const progress of this.#untold.splice(0)) yield { progress };
    }
  }

  #next(): Promise<typeof NEWS> {
    return new Promise((resolve) => {
      this.#wake = () => resolve(NEWS);
      if (this.#untold.length > 0) resolve(NEWS);
    });
  }
}
