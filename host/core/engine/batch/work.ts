// What the scheduler is asked to run.

import type { KvSequence } from "../../kv/kv_sequence.js";

/** Rows of a pass that belong to one work, as they are in the core. */
export interface Rows {
  /** Of the first. */
  position: number;
  count: number;
  /** Its index in the last logits(); 0 for states. */
  row: number;
  /** f32[count][vocabulary], or f32[count][hidden]. */
  address: number;
}

/** Runs what the cache lacks of some tokens. */
export interface Work {
  /** Where they are run. */
  kv: KvSequence;
  client: string | undefined;
  tokens: readonly number[];
  /** Tokens behind them of which nobody knows yet whether they come. */
  guesses?: readonly number[];
  /** The first position whose rows are wanted; it is run even if the cache has it. */
  from: number;
  /** Whether rows are the states behind the last norm instead of logits. */
  states?: boolean;
  /** Throws when the work must not go on. */
  check(): void;
  /** Told the first position that is run, before it is; again when the work had to begin anew. */
  begin?(start: number): void;
  /** Told how many positions are in the cache, and how many of them were run by now. */
  progress?(done: number, run: number): void;
  /** Takes rows from position `from` on, in order and each once, before anything else runs. */
  take(rows: Rows): void;
}
