// What a generation takes.

import type { Timings, Usage } from "../api/api.js";
import type { Speculation } from "../speculation/speculation.js";

/** Counts tokens and time, without the time that the reader of a generation is away. */
export class Meter {
  prefilledTokens = 0;
  readonly #promptTokens: number;
  #since = performance.now();
  #prefillMs = 0;
  #decodeMs = 0;

  constructor(promptTokens: number) {
    this.#promptTokens = promptTokens;
  }

  startDecode(): void {
    this.#prefillMs = performance.now() - this.#since;
    this.resume();
  }
  pause(): void {
    this.#decodeMs += performance.now() - this.#since;
  }
  resume(): void {
    this.#since = performance.now();
  }

  report(completionTokens: number, speculation: Speculation | undefined): { usage: Usage; timings: Timings } {
    this.pause();
    const [promptTokens, prefilledTokens] = [this.#promptTokens, this.prefilledTokens];
    return {
      usage: { promptTokens, reusedTokens: promptTokens - prefilledTokens, prefilledTokens, completionTokens },
      timings: {
        prefillMs: this.#prefillMs,
        decodeMs: this.#decodeMs,
        prefillTokensPerSecond: rate(prefilledTokens, this.#prefillMs),
        decodeTokensPerSecond: rate(Math.max(completionTokens - 1, 0), this.#decodeMs),
        proposedTokens: speculation?.proposedTokens ?? 0,
        acceptedTokens: speculation?.acceptedTokens ?? 0,
      },
    };
  }
}

function rate(count: number, milliseconds: number): number {
  return milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}
