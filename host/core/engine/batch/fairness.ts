// What clients have got, in rows, so that those with many requests, or long ones, delay others no more than those with few: virtual token
// counters, as in "Fairness in Serving Large Language Models" (https://arxiv.org/abs/2401.00588).

/** Clients without a request whose rows are known still, while others have some. */
const MAX_AWAY = 1024;

interface Got {
  rows: number;
  requests: number;
}

export class Fairness {
  readonly #clients = new Map<string, Got>();

  /** A client has one more request. Who comes back has no credit for the time that he was away, and no debt is forgotten. */
  enter(client: string): void {
    const own = this.#clients.get(client) ?? { rows: 0, requests: 0 };
    const here = [...this.#clients.values()].filter((got) => got.requests > 0);
    if (own.requests++ === 0 && here.length > 0)
      own.rows = Math.max(own.rows, Math.min(...here.map((got) => got.rows)));
    this.#clients.set(client, own);
  }

  leave(client: string): void {
    this.#clients.get(client)!.requests--;
    const away = [...this.#clients].filter(([, got]) => got.requests === 0);
    if (away.length === this.#clients.size || away.length > MAX_AWAY)
      for (const [name] of away) this.#clients.delete(name);
  }

  add(client: string, rows: number): void {
    const own = this.#clients.get(client);
    if (own) own.rows += rows;
  }

  /** Rows that a client has got. */
  of(client: string): number {
    return this.#clients.get(client)?.rows ?? 0;
  }
}
