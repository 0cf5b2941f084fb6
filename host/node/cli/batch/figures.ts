// How much a batch has done, and how fast.

import type { RequestReport } from "../../../core/server/index.js";
import { print, printJson } from "../shared/output.js";

export class Figures {
  readonly answers = { answered: 0, failed: 0, known: 0 };
  readonly #begun = performance.now();
  readonly #tokens = { prompt: 0, reused: 0, completion: 0 };

  request({ promptTokens, reusedTokens, completionTokens }: RequestReport): void {
    this.#tokens.prompt += promptTokens;
    this.#tokens.reused += reusedTokens;
    this.#tokens.completion += completionTokens;
  }

  /** Lines that the output has. */
  get done(): number {
    const { answered, failed, known } = this.answers;
    return answered + failed + known;
  }
  get #now(): number {
    return this.answers.answered + this.answers.failed;
  }
  get #seconds(): number {
    return (performance.now() - this.#begun) / 1000;
  }

  rates(): string {
    const each = (count: number) => (count / this.#seconds).toFixed(1);
    const { prompt, completion } = this.#tokens;
    return `${each(this.#now)} requests/s, ${each(prompt)} tokens/s read, ${each(completion)} written`;
  }

  /** @param out the output's path */
  print(out: string, asJson: boolean): void {
    const seconds = this.#seconds;
    const { answered: succeeded, failed, known } = this.answers;
    const { prompt: promptTokens, reused: reusedTokens, completion: completionTokens } = this.#tokens;
    if (asJson) {
      const rates = {
        requestsPerSecond: this.#now / seconds,
        promptTokensPerSecond: promptTokens / seconds,
        completionTokensPerSecond: completionTokens / seconds,
      };
      printJson({
        out,
        succeeded,
        failed,
        known,
        seconds,
        promptTokens,
        reusedTokens,
        completionTokens,
        ...rates,
      });
      return;
    }
    const before = known > 0 ? `, ${known} were there` : "";
    print(`${out}: ${succeeded} answers, ${failed} errors${before}; ${seconds.toFixed(1)} s, ${this.rates()}`);
    print(`tokens: ${promptTokens} of prompts, ${reusedTokens} of them reused, ${completionTokens} written`);
  }
}
