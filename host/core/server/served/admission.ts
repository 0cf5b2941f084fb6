// How many requests may wait for a model. The model itself is fair to those that it has.

import type { Call } from "../http/call.js";
import { chooseVictim } from "../http/client.js";
import { ApiError } from "../http/errors.js";

/** Weight of the latest request in their mean duration. */
const SMOOTHING = 0.2;

export class Admission {
  readonly #maxQueue: number;
  readonly #atOnce: () => number;
  /** In the order of arrival. */
  readonly #open = new Set<Call>();
  #seconds = 1;
  #lastEnd = 0;

  /** @param atOnce requests that the model runs at once */
  constructor(maxQueue: number, atOnce: () => number) {
    this.#maxQueue = maxQueue;
    this.#atOnce = atOnce;
  }

  /** Requests that are at work. */
  get running(): number {
    return Math.min(this.#open.size, this.#atOnce());
  }

  /** How many wait for others to end. */
  get waiting(): number {
    return Math.max(this.#open.size - this.#atOnce(), 0);
  }

  /** Seconds until there is room for more. */
  get retryAfter(): number {
    return Math.min(Math.max(Math.ceil(this.#seconds * (this.waiting + 1)), 1), 60);
  }

  /**
   * Lets a request in, which ends with a call of the function that is returned. When there are too many, the client that has most of them
   * loses its latest one.
   * @throws ApiError 429 where that is this request
   */
  enter(call: Call): () => void {
    this.#open.add(call);
    if (this.waiting > this.#maxQueue) {
      const refused = chooseVictim(this.#open, call.client, ({ client }) => client) ?? call;
      this.#open.delete(refused);
      if (refused === call) throw this.#full();
      refused.abort(this.#full());
    }
    const begun = performance.now();
    return () => {
      if (!this.#open.delete(call)) return;
      const now = performance.now();
      this.#seconds += SMOOTHING * ((now - Math.max(begun, this.#lastEnd)) / 1000 - this.#seconds);
      this.#lastEnd = now;
    };
  }

  #full(): ApiError {
    const { waiting, retryAfter: seconds } = this;
    return new ApiError(429, `${waiting} requests are waiting already; try again in ${seconds} s`, {
      code: "queue_full",
      headers: { "retry-after": String(seconds) },
    });
  }
}
