// Log-probabilities as /v1/completions has them: four lists side by side.

import type { ScoredToken } from "../../api/api.js";
import type { Served } from "../served/served.js";

/** A token with its texts. */
export interface NamedToken {
  name: string;
  /** Characters that it has in the text. */
  length: number;
  logprob: number | null;
  /** By the names of the best tokens and of this one; null for the first of a text, which nothing came before. */
  top: Record<string, number> | null;
}

/** Scored tokens with their texts, as the legacy API names them. */
export async function nameTokens(served: Served, scored: readonly ScoredToken[]): Promise<NamedToken[]> {
  return Promise.all(
    scored.map(async ({ token, logprob, topLogprobs }) => {
      const { name, shown } = await served.tokenText(token);
      const named = { name, length: shown.length, logprob };
      if (logprob === null) return { ...named, top: null };
      // Parts of characters share a name; the best one keeps it.
      const top = new Map<string, number>();
      for (const one of [...topLogprobs, { token, logprob }]) {
        const { name } = await served.tokenText(one.token);
        if (!top.has(name)) top.set(name, one.logprob);
      }
      return { ...named, top: Object.fromEntries(top) };
    }),
  );
}

export class LegacyLogprobs {
  readonly tokens: string[] = [];
  readonly token_logprobs: (number | null)[] = [];
  readonly top_logprobs: (Record<string, number> | null)[] = [];
  /** Where each token begins in the choice's text, in UTF-16 code units. */
  readonly text_offset: number[] = [];
  #end: number;

  /** @param offset where the first token begins */
  constructor(offset = 0) {
    this.#end = offset;
  }

  /** Where the next token begins. */
  get end(): number {
    return this.#end;
  }

  add(tokens: readonly NamedToken[]): void {
    for (const { name, length, logprob, top } of tokens) {
      this.tokens.push(name);
      this.token_logprobs.push(logprob);
      this.top_logprobs.push(top);
      this.text_offset.push(this.#end);
      this.#end += length;
    }
  }
}
