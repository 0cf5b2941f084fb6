// A text that has to give up its pages at every one of its tokens.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { GenerateOptions, ResponseFormat } from "zagreus-edge";
import { PROMPT } from "../../../support/nano";
import { type Crowd, crowd } from "./crowd";

const CONTEXT = 96;
const SCHEMA: ResponseFormat = {
  type: "json_schema",
  schema: { type: "object", properties: { nome: { type: "string", maxLength: 12 }, eta: { type: "integer" } } },
};
/** Characters of several tokens each. */
const SPLIT: ResponseFormat = { type: "grammar", grammar: "root ::= [\\u6f22\\u5b57\\U0001F600 ]{8}" };

let small: Crowd;
let alone: Crowd;
beforeAll(async () => {
  small = await crowd({ contextLength: CONTEXT, cacheBudget: 0, sequences: 2 });
  alone = await crowd({ contextLength: CONTEXT, sequences: 1 });
});
afterAll(() => {
  for (const { model } of [small, alone]) model.close();
});

let salt = 0;
/** Somebody else takes all pages there are. */
const takeAll = () =>
  small.model.embed(Array.from({ length: CONTEXT }, (_, i) => 300 + ((7 * i + 31 * salt++) % 4000)));

const sampled = { seed: 3, temperature: 1.1 };
test.each<[string, GenerateOptions]>([
  ["greedy", { temperature: 0 }],
  [
    "with a seed, penalties and n-grams",
    { ...sampled, repetitionPenalty: 1.3, noRepeatNgram: 3, frequencyPenalty: 0.4, dry: { multiplier: 0.8 } },
  ],
  ["with log-probabilities and a bias", { ...sampled, logprobs: 3, logitBias: new Map([[300, 2]]) }],
  ["with stop strings that begin and do not come", { ...sampled, stop: ["a che non", "e il mare di", "\n\n\n"] }],
  ["as JSON", { ...sampled, maxTokens: 40, responseFormat: SCHEMA }],
  ["of characters that are split", { ...sampled, maxTokens: 40, responseFormat: SPLIT }],
  ["with guesses", { temperature: 0, promptLookup: { ngram: 2, tokens: 4 } }],
  ["that slides", { ...sampled, maxTokens: 20, overflow: { keep: 4 } }],
])("%s", async (name, options) => {
  const prompt = name === "that slides" ? PROMPT.repeat(11) : `${PROMPT} tre figlie. ${PROMPT}`;
  const asked = { maxTokens: 20, ...options };
  const expected: unknown[] = [];
  for await (const piece of alone.model.complete(prompt, asked)) expected.push(piece);
  const { scheduler } = small.engine;
  const before = scheduler.preemptions;
  const completion = small.model.complete(prompt, asked);
  const pieces: unknown[] = [];
  for await (const piece of completion) {
    pieces.push(piece);
    await takeAll();
  }
  expect(pieces).toEqual(expected);
  expect(pieces.length).toBeGreaterThan(5);
  expect(scheduler.preemptions - before).toBeGreaterThanOrEqual(options.promptLookup ? 3 : pieces.length - 1);
  // Run again is neither in the cache nor twice in the prompt.
  const { promptTokens, reusedTokens, completionTokens } = completion.usage!;
  expect(reusedTokens).toBeLessThanOrEqual(promptTokens);
  expect(completionTokens).toBe(completion.tokens.length);
});
