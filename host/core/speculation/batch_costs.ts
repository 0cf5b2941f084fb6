// What a forward pass over a few tokens costs, learned from the clock: it depends on the model, the build, the threads
// and the length of the context.

/** Rows that the kernels' tiles make good use of. */
export const BATCH_ROWS: readonly number[] = [2, 4, 8];
/** A batch in forward passes of one token, until it has been tried: rather too little, so that it is. */
const FIRST_COST = new Map([
  [2, 1.6],
  [4, 2.2],
  [8, 4.2],
]);
/** A busy machine makes single passes look slow and never fast, so estimates fall faster than they rise. */
const FALL = 1 / 2;
const RISE = 1 / 16;
/** Passes over one token after which a batch that was not run since is believed to cost what it did at first. */
const MEMORY = 512;

interface Cost {
  ms: number;
  /** Passes over one token since. */
  age: number;
}

export class BatchCosts {
  readonly #known = new Map<number, Cost>();
  #started = false;

  /** Learns that a pass over `rows` tokens took `ms`; a clock that stands still teaches nothing. */
  record(rows: number, ms: number): void {
    if (rows === 1) this.#started = true;
    if (!(ms > 0)) return;
    const before = this.#known.get(rows)?.ms ?? ms;
    this.#known.set(rows, { ms: before + (ms - before) * (ms < before ? FALL : RISE), age: 0 });
    if (rows === 1) this.#forget();
  }

  /** A batch in passes of one token, of which one must come first: without it nothing could be learned. */
  relative(rows: number): number {
    if (!this.#started) return Number.POSITIVE_INFINITY;
    const [batch, single] = [this.#known.get(rows), this.#known.get(1)];
    return (batch && single ? batch.ms / single.ms : FIRST_COST.get(rows)) ?? rows;
  }

  /** Nothing is given up for good: the one time that it was tried may have been a bad one. */
  #forget(): void {
    for (const rows of BATCH_ROWS) {
      const cost = this.#known.get(rows);
      if (cost && ++cost.age > MEMORY) this.#known.delete(rows);
    }
  }
}
