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
/** Share of an estimate that is forgotten with every single pass, so that nothing is given up for good. */
const FORGET = 1 / 64;

export class BatchCosts {
  readonly #ms = new Map<number, number>();

  /** Learns that a pass over `rows` tokens took `ms`; a clock that stands still teaches nothing. */
  record(rows: number, ms: number): void {
    if (!(ms > 0)) return;
    const known = this.#ms.get(rows) ?? ms;
    this.#ms.set(rows, known + (ms - known) * (ms < known ? FALL : RISE));
    if (rows === 1) this.#forget();
  }

  /** A batch in passes of one token. */
  relative(rows: number): number {
    const [batch, single] = [this.#ms.get(rows), this.#ms.get(1)];
    return (batch && single ? batch / single : FIRST_COST.get(rows)) ?? rows;
  }

  #forget(): void {
    const single = this.#ms.get(1)!;
    for (const [rows, cost] of FIRST_COST) {
      const known = this.#ms.get(rows);
      if (known) this.#ms.set(rows, known + (cost * single - known) * FORGET);
    }
  }
}
