// Runs given tokens for what is computed of them; others do not get their KV.

import type { Embedding } from "../api/options.js";
import type { KvSequence } from "../kv/kv_sequence.js";
import type { Rows } from "./batch/work.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";
import type { Release } from "./queue.js";

export class RowReader {
  readonly pace: Pace;
  readonly #engine: Engine;
  readonly #kv: KvSequence;
  readonly #client: string | undefined;
  readonly #release: Release;

  private constructor(engine: Engine, { adapters, client, cacheSalt, signal }: Embedding, release: Release) {
    this.#engine = engine;
    this.#client = client;
    this.#release = release;
    this.pace = engine.pace(signal);
    this.#kv = engine.begin({ origin: engine.origin(cacheSalt, adapters), shares: false }, adapters);
  }

  /** Waits for a place to run tokens in, which it has until it is closed. @throws ZagreusError ABORTED, CLOSED */
  static async open(engine: Engine, options: Embedding): Promise<RowReader> {
    const release = await engine.queue.enter(options.signal, options.client);
    try {
      return new RowReader(engine, options, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Runs tokens, and hands over what `rows` says of those from position `from` on.
   * @throws ZagreusError ABORTED, CLOSED, CONTEXT_OVERFLOW before anything runs
   */
  async read(
    tokens: readonly number[],
    from: number,
    rows: "logits" | "states",
    take: (rows: Rows) => void,
  ): Promise<void> {
    const { pace } = this;
    await pace.yield();
    const check = () => pace.check();
    const states = rows === "states";
    await this.#engine.scheduler.run({ kv: this.#kv, client: this.#client, tokens, from, states, check, take });
  }

  close(): void {
    this.#kv.close([], this.#release);
  }
}
