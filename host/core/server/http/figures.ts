// What is measured of a request, for its line in a log and for the metrics.

import type { PrefillProgress, Timings, Usage } from "../../api/api.js";

/** What a server reports of a request whose answer has ended. */
export interface RequestReport {
  /** Also the answer's x-request-id. */
  id: string;
  /** When it came. */
  time: Date;
  /** Who asked, as the runtime said: an address, whose text is the network's. */
  client: string;
  method: string;
  /** Without the query. */
  path: string;
  /** Of the answer; 499 where the client has left. */
  status: number;
  /** The code of the error, if it is one, such as "queue_full". */
  error: string | undefined;
  /** The name of the model that it was for. */
  model: string | undefined;
  /** Milliseconds until the last byte of the answer was made. */
  ms: number;
  /** Milliseconds until the model began to read its prompt. Undefined where it never did, as the next two. */
  queueMs: number | undefined;
  /** Milliseconds until the first token. */
  firstTokenMs: number | undefined;
  /** Tokens after the first of each text, per second. */
  tokensPerSecond: number | undefined;
  /** Tokens of its prompts. */
  promptTokens: number;
  /** Of these, tokens that were in the cache. */
  reusedTokens: number;
  /** Tokens that were written. */
  completionTokens: number;
}

/** A completion or chat completion that is or was read. */
export interface Progress {
  readonly tokens: readonly number[];
  readonly usage: Usage | undefined;
  readonly timings?: Timings | undefined;
}

export type TokenCounts = Pick<Usage, "promptTokens" | "reusedTokens" | "completionTokens">;

/** Adds up what the generations of one request take. */
export class Figures {
  /** What the request is for, once that is known. */
  model: string | undefined;
  /** The code of its error. */
  error: string | undefined;
  readonly begun = performance.now();
  readonly tokens: TokenCounts = { promptTokens: 0, reusedTokens: 0, completionTokens: 0 };
  #queueMs: number | undefined;
  #firstTokenMs: number | undefined;
  readonly #rates = { prefill: new Rate(), decode: new Rate() };

  get ms(): number {
    return performance.now() - this.begun;
  }
  get queueMs(): number | undefined {
    return this.#queueMs;
  }
  get firstTokenMs(): number | undefined {
    return this.#firstTokenMs;
  }
  /** Tokens of prompts that were run, per second. */
  get prefillRate(): number | undefined {
    return this.#rates.prefill.value;
  }
  /** Tokens after the first of each text, per second. */
  get decodeRate(): number | undefined {
    return this.#rates.decode.value;
  }

  /** A prompt is being read. */
  reads(): void {
    this.#queueMs ??= this.ms;
  }
  /** A token is there. */
  writes(): void {
    this.#firstTokenMs ??= this.ms;
  }

  /** A generation has ended, or was left when its prompt was read as far as `read`. Returns its tokens. */
  add({ tokens, usage, timings }: Progress, read: PrefillProgress | undefined): TokenCounts {
    const counts = {
      promptTokens: usage?.promptTokens ?? read?.done ?? 0,
      reusedTokens: usage?.reusedTokens ?? read?.reused ?? 0,
      completionTokens: tokens.length,
    };
    this.count(counts);
    if (usage && timings) {
      this.#rates.prefill.add(usage.prefilledTokens, timings.prefillMs);
      this.#rates.decode.add(Math.max(usage.completionTokens - 1, 0), timings.decodeMs);
    }
    return counts;
  }

  count({ promptTokens, reusedTokens, completionTokens }: TokenCounts): void {
    this.tokens.promptTokens += promptTokens;
    this.tokens.reusedTokens += reusedTokens;
    this.tokens.completionTokens += completionTokens;
  }
}

class Rate {
  #count = 0;
  #ms = 0;

  add(count: number, ms: number): void {
    this.#count += count;
    this.#ms += ms;
  }
  get value(): number | undefined {
    return this.#count > 0 && this.#ms > 0 ? (this.#count * 1000) / this.#ms : undefined;
  }
}
