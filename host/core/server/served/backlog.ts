// How many tokens of prompts a client may have waiting for a model, and what can never be run.

import type { Call } from "../http/call.js";
import { ApiError, badRequest } from "../http/errors.js";

/** What a request wants to have run. */
export interface Demand {
  /** Texts: each prompt as often as it has choices. */
  texts: number;
  /** The field that the prompts are in. */
  param: string;
  /** Tokens of the prompt of each text, of those that surely fit about so many. @throws ApiError, ZagreusError */
  measure(): Promise<readonly number[]>;
}

/** The texts of a request, by their indexes. */
export interface Texts {
  /** The prompt of a text is being read. */
  begun(index: number): void;
  /** All have ended. */
  leave(): void;
}

interface Limits {
  /** Tokens of prompts that a client may have waiting. */
  tokens: number;
  /** Texts that the model runs at once. */
  atOnce(): number;
  /** Of the model. */
  contextLength(): number;
}

const count = (n: number) => n.toLocaleString("en-US");

export class Backlog {
  readonly #limits: Limits;
  /** Of all requests that are open. */
  #texts = 0;
  /** Tokens by client. */
  readonly #waiting = new Map<string, number>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Tokens of all prompts that wait. */
  get tokens(): number {
    return [...this.#waiting.values()].reduce((sum, tokens) => sum + tokens, 0);
  }

  /**
   * Measures the prompts of a request that has to wait. What begins at once is measured by the model.
   * @param retryAfter seconds until there is room, as far as is known
   * @throws ApiError 400 for what can never be run, 429, or as Demand.measure()
   */
  async enter(call: Call, demand: Demand, retryAfter: () => number): Promise<Texts> {
    const { texts } = demand;
    this.#texts += texts;
    let tokens: number[] = [];
    try {
      if (this.#texts > this.#limits.atOnce()) tokens = [...(await demand.measure())];
      this.#check(call.client, tokens, demand.param, retryAfter);
    } catch (error) {
      this.#texts -= texts;
      throw error;
    }
    for (const each of tokens) this.#add(call.client, each);
    const begun = (index: number) => {
      this.#add(call.client, -(tokens[index] ?? 0));
      tokens[index] = 0;
    };
    const leave = () => {
      tokens.forEach((_, index) => {
        begun(index);
      });
      this.#texts -= texts;
    };
    return { begun, leave };
  }

  #check(client: string, tokens: readonly number[], param: string, retryAfter: () => number): void {
    const limit = this.#limits.tokens;
    const context = this.#limits.contextLength();
    const tooLong = tokens.find((each) => each > context);
    if (tooLong !== undefined) {
      const message = `${count(tooLong)} tokens do not fit into the context of ${count(context)} tokens`;
      throw badRequest(message, param, "context_length_exceeded");
    }
    const sum = tokens.reduce((all, each) => all + each, 0);
    if (sum > limit) {
      const message = `the prompts of ${tokens.length} texts have ${count(sum)} tokens, and ${count(limit)} of a client may wait; send less at a time`;
      throw badRequest(message, param, "too_many_tokens");
    }
    const waiting = this.#waiting.get(client) ?? 0;
    if (waiting + sum <= limit) return;
    const seconds = retryAfter();
    const message = `prompts with about ${count(waiting)} tokens of this client are waiting already, with the ${count(sum)} of this request more than ${count(limit)}; try again in ${seconds} s`;
    throw new ApiError(429, message, { code: "queue_full", headers: { "retry-after": String(seconds) } });
  }

  #add(client: string, tokens: number): void {
    const sum = (this.#waiting.get(client) ?? 0) + tokens;
    if (sum > 0) this.#waiting.set(client, sum);
    else this.#waiting.delete(client);
  }
}
