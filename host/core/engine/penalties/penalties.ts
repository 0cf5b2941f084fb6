// What tokens lose for having been said: OpenAI's frequency and presence penalties, and DRY. The numbers are made here of sums, products
// and one rounding to f32, the same everywhere; the core takes them from the logits (assembly/sampler).

import * as abi from "../../../../assembly/layout/abi.js";
import { invalidOption } from "../../api/errors.js";
import type { Generation } from "../../api/options.js";
import type { Core } from "../../wasm/core.js";
import { DryPenalties } from "./dry.js";

/** Bytes of a breaker at most, as in llama.cpp. */
const MAX_BREAKER = 40;
/** What a token loses at most: logits stay finite. */
const MAX_PENALTY = 1e30;

export class Penalties {
  readonly #core: Core;
  readonly #sequence: number;
  readonly #options: Generation;
  readonly #dry: DryPenalties | undefined;
  /** How often each token was generated. */
  readonly #counts = new Map<number, number>();
  #counted = 0;

  /**
   * @param sequence of the core
   * @throws ZagreusError INVALID_OPTION
   */
  constructor(core: Core, sequence: number, options: Generation) {
    this.#core = core;
    this.#sequence = sequence;
    this.#options = options;
    const { dry } = options;
    if (!dry) return;
    dry.sequenceBreakers.forEach((text, i) => {
      const { length } = new TextEncoder().encode(text);
      if (length <= MAX_BREAKER) return;
      throw invalidOption(`dry.sequenceBreakers[${i}]`, text, `a string of at most ${MAX_BREAKER} bytes`);
    });
    this.#dry = new DryPenalties(dry, (token) => this.#textOf(token));
  }

  /**
   * Has the sampler take them from the next row.
   * @param sequence all tokens before
   * @param generated those of them that were generated, with those that have slid out
   */
  apply(sequence: readonly number[], generated: readonly number[]): void {
    const penalties = [...this.#of(sequence, generated)];
    const core = this.#core;
    const view = core.view(core.exports.samplerPenalties(), 8 * penalties.length);
    penalties.forEach(([token, penalty], i) => {
      view.setUint32(8 * i, token, true);
      view.setFloat32(8 * i + 4, -Math.min(penalty, MAX_PENALTY), true);
    });
    this.#setCount(penalties.length);
  }

  /** Has it take none: what a grammar allows is not a matter of taste. */
  skip(): void {
    this.#setCount(0);
  }

  /** The sequence has changed otherwise than at its end. */
  restart(): void {
    this.#dry?.restart();
  }

  #of(sequence: readonly number[], generated: readonly number[]): Map<number, number> {
    const { frequencyPenalty, presencePenalty } = this.#options;
    const lost = new Map<number, number>();
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (; this.#counted < generated.length; this.#counted++) {
        const token = generated[this.#counted]!;
        this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
      }
      for (const [token, count] of this.#counts) lost.set(token, count * frequencyPenalty + presencePenalty);
    }
    for (const [token, penalty] of this.#dry?.of(sequence) ?? []) lost.set(token, (lost.get(token) ?? 0) + penalty);
    return lost;
  }

  #setCount(count: number): void {
    const core = this.#core;
    core.view(core.exports.sampler(this.#sequence), abi.SAMPLER_BYTES).setInt32(abi.SAMPLER_PENALTY_COUNT, count, true);
  }

  #textOf(token: number): string {
    const core = this.#core;
    return String.fromCharCode(...core.read(core.counted(core.exports.tokenBytes(token))));
  }
}
