// Multiple choice by log-likelihood, as lm-evaluation-harness defines it (lm_eval/api/model.py, models/huggingface.py and task.py).

import type { Model } from "../../core/api/api.js";
import { ZagreusError } from "../../core/api/errors.js";
import type { EvalItem } from "./items.js";
import { trailingSpace } from "./python.js";

/** How a model has answered a question. */
export interface ItemResult {
  /** Line of the question in its file, from 1. */
  line: number;
  /** Index of the right choice. */
  gold: number;
  /** Index of the choice with the largest log-likelihood. */
  prediction: number;
  /** Index of the choice with the largest log-likelihood per character. */
  predictionNorm: number;
  /** Sums of natural logarithms, one for each choice. */
  logprobs: number[];
  /** Tokens at the beginning that did not fit into the context and were left out, of the longest choice. */
  truncated: number;
}

/** Scores the choices of a question. `context` is the item's, or longer by what stands before it. */
export async function answer(model: Model, item: EvalItem, context: string, signal?: AbortSignal): Promise<ItemResult> {
  const logprobs: number[] = [];
  let truncated = 0;
  for (const choice of item.choices) {
    const pair = encodePair(model, context, ` ${choice}`);
    // What is predicted is never run itself, so one token more than the context goes in.
    const tokens = [...pair.context, ...pair.continuation].slice(-(model.info.contextLength + 1));
    truncated = Math.max(truncated, pair.context.length + pair.continuation.length - tokens.length);
    const from = tokens.length - pair.continuation.length;
    if (from < 1 || from === tokens.length) throw doesNotFit(item, choice, pair.continuation.length, model);
    const scored = await model.logprobs(tokens, { from, signal });
    logprobs.push(scored.reduce((sum, { logprob }) => sum + logprob!, 0));
  }
  const perCharacter = logprobs.map((logprob, i) => logprob / [...item.choices[i]!].length);
  const { line, gold } = item;
  return { line, gold, prediction: largest(logprobs), predictionNorm: largest(perCharacter), logprobs, truncated };
}

interface Pair {
  context: number[];
  continuation: number[];
}

/**
 * Tokens of a context and of what follows it. Both are encoded as one text, because tokens reach across the border; spaces at the
 * context's end belong to what follows. Where there is no context it is bos alone.
 */
export function encodePair(model: Model, context: string, continuation: string): Pair {
  const before = model.tokenize(context.slice(0, context.length - trailingSpace(context).length));
  const { bos, eos } = model.info.tokenizer;
  const prefix = [bos, eos].filter((token) => token !== undefined).slice(0, 1);
  return {
    context: before.length > 0 ? before : prefix,
    continuation: model.tokenize(context + continuation).slice(before.length),
  };
}

/** The first of the largest. */
function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

function doesNotFit(item: EvalItem, choice: string, tokens: number, { info }: Model): ZagreusError {
  const what = `line ${item.line}: choice "${choice.slice(0, 40)}" makes ${tokens} tokens`;
  return new ZagreusError("CONTEXT_OVERFLOW", `${what}, must be 1 to the context's ${info.contextLength}`, {
    field: "choice",
    value: tokens,
    expected: info.contextLength,
  });
}

/** Shares of right answers so far, with the standard errors of these means. */
export class Accuracy {
  items = 0;
  #right = 0;
  #rightNorm = 0;

  add({ gold, prediction, predictionNorm }: ItemResult): void {
    this.items++;
    if (prediction === gold) this.#right++;
    if (predictionNorm === gold) this.#rightNorm++;
  }

  get acc(): number {
    return this.#right / this.items;
  }
  get accNorm(): number {
    return this.#rightNorm / this.items;
  }
  /** null for a single item, which has none. */
  get accError(): number | null {
    return this.#error(this.acc);
  }
  get accNormError(): number | null {
    return this.#error(this.accNorm);
  }

  /** Sample deviation of zeros and ones, over the root of their number. */
  #error(mean: number): number | null {
    return this.items > 1 ? Math.sqrt((mean * (1 - mean)) / (this.items - 1)) : null;
  }
}
