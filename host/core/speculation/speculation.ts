// How many guessed tokens to run along with the next one. Guesses that come true save passes over the weights, others
// cost time; never does any of them change what is sampled.

import type { Lookup } from "../api/options.js";
import { BATCH_ROWS, type BatchCosts } from "./batch_costs.js";
import { PromptLookup } from "./prompt_lookup.js";

/** Gain below which guesses are not worth their risk. */
const MIN_GAIN = 1.05;

export class Speculation {
  proposedTokens = 0;
  acceptedTokens = 0;
  #lookup: PromptLookup;
  readonly #begin: () => PromptLookup;
  readonly #maxTokens: number;
  readonly #costs: BatchCosts;

  /** @param capacity tokens that `sequence` will have at most */
  constructor({ ngram, tokens }: Lookup, sequence: readonly number[], capacity: number, costs: BatchCosts) {
    this.#begin = () => new PromptLookup(sequence, ngram, capacity);
    this.#lookup = this.#begin();
    this.#maxTokens = tokens;
    this.#costs = costs;
  }

  /** The sequence has changed otherwise than at its end. */
  restart(): void {
    this.#lookup = this.#begin();
  }

  /**
   * Tokens to run after the last one of the sequence.
   * @param wanted tokens that are still to be generated
   * @param room positions that are left behind the last token's
   */
  propose(wanted: number, room: number): number[] {
    this.#lookup.update();
    let best = 0;
    let bestGain = MIN_GAIN;
    for (const rows of BATCH_ROWS) {
      const count = rows - 1;
      if (count > this.#maxTokens || count > room) break;
      const gain = (1 + this.#lookup.expected(Math.min(count, wanted - 1))) / this.#costs.relative(rows);
      if (gain > bestGain) [best, bestGain] = [count, gain];
    }
    const guess = this.#lookup.guess(best);
    this.proposedTokens += guess.length;
    return guess;
  }
}
