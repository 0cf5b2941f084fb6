// A model with its queue: requests for it take turns, clients fairly.

import type { ModelInfo } from "../api/api.js";
import { Queue, type Release } from "../engine/queue.js";
import type { Call } from "./call.js";
import { ApiError } from "./errors.js";
import type { CheckedServerOptions, ServedModel } from "./options.js";

/** Texts of tokens that are remembered at most. */
const MAX_TEXTS = 16_384;
/** Weight of the latest turn in their mean duration. */
const LATEST = 0.2;

export interface TokenText {
  /** With control tokens written out, as in "<|im_start|>". */
  name: string;
  /** As it stands in a text: control tokens do not. */
  shown: string;
}

export class Served {
  readonly name: string;
  readonly model: ServedModel;
  readonly queue = new Queue();
  readonly created = Math.floor(Date.now() / 1000);
  readonly maxTokens: number;
  readonly #maxQueue: number;
  readonly #texts = new Map<number, Promise<TokenText>>();
  #turnSeconds = 1;

  constructor(name: string, model: ServedModel, { maxQueue, maxTokens }: CheckedServerOptions) {
    this.name = name;
    this.model = model;
    this.maxTokens = maxTokens ?? model.info.contextLength;
    this.#maxQueue = maxQueue;
  }

  get info(): ModelInfo {
    return this.model.info;
  }

  /**
   * Resolves when it is the call's turn. A call that has been let in is not sent away at its next turns.
   * @throws ApiError 429, ZagreusError ABORTED
   */
  async turn(call: Call): Promise<Release> {
    if (!call.admitted && this.queue.busy && this.queue.length >= this.#maxQueue) throw this.#full();
    call.admitted = true;
    const release = await this.queue.enter(call.signal, call.client);
    const begun = performance.now();
    return () => {
      this.#turnSeconds += LATEST * ((performance.now() - begun) / 1000 - this.#turnSeconds);
      release();
    };
  }

  /** @throws ApiError 400 for more than the limit */
  checkMaxTokens(wanted: number, param: string): void {
    if (wanted <= this.maxTokens) return;
    throw new ApiError(400, `${param} is ${wanted}, must be at most ${this.maxTokens}`, {
      param,
      code: "invalid_value",
    });
  }

  tokenText(token: number): Promise<TokenText> {
    const known = this.#texts.get(token);
    if (known) return known;
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear();
    const text = this.#readToken(token);
    this.#texts.set(token, text);
    text.catch(() => this.#texts.delete(token));
    return text;
  }

  async #readToken(token: number): Promise<TokenText> {
    const [name, shown] = await Promise.all([
      this.model.detokenize([token], { special: true }),
      this.model.detokenize([token]),
    ]);
    return { name, shown };
  }

  #full(): ApiError {
    const waiting = this.queue.length;
    const seconds = Math.min(Math.max(Math.ceil(this.#turnSeconds * (waiting + 1)), 1), 60);
    return new ApiError(429, `${waiting} requests are waiting already; try again in ${seconds} s`, {
      code: "queue_full",
      headers: { "retry-after": String(seconds) },
    });
  }
}
