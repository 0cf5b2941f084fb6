// What clients have got, in rows, so that those with many requests delay others no more than those with few: virtual token counters, as in
// "Fairness in Serving Large Language Models" (https://arxiv.org/abs/2401.00588).

export class Fairness {
  /** Of clients that have work now. */
  readonly #served = new Map<string, { rows: number; works: number }>();

  /** A client has one more work. Who comes back has no credit for the time that he was away. */
  enter(client: string): void {
    const known = this.#served.get(client);
    if (known) known.works++;
    else this.#served.set(client, { rows: this.#least(), works: 1 });
  }

  leave(client: string): void {
    const known = this.#served.get(client);
    if (known && --known.works === 0) this.#served.delete(client);
  }

  add(client: string, rows: number): void {
    const known = this.#served.get(client);
    if (known) known.rows += rows;
  }

  /** Rows that a client has got. */
  of(client: string): number {
    return this.#served.get(client)?.rows ?? 0;
  }

  #least(): number {
    const all = [...this.#served.values()].map(({ rows }) => rows);
    return all.length > 0 ? Math.min(...all) : 0;
  }
}
