// Guesses never change a text. The clock stands still here, so that what is guessed does not depend on the machine.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Completion, GenerateOptions, Model, Piece, PromptLookupOptions, Session } from "zagreus-edge";
import { BATCH_ROWS, BatchCosts } from "../../../host/core/speculation/batch_costs";
import { PromptLookup } from "../../../host/core/speculation/prompt_lookup";
import { Speculation } from "../../../host/core/speculation/speculation";
import { GREEDY, loadNano, PROMPT } from "../../support/nano";

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/text/${name}.txt`, import.meta.url), "utf8");
const ITALIAN = fixture("held-ita");
const ENGLISH = fixture("held-eng");
const COPY = `${ITALIAN.slice(1000, 1200)}\n`.repeat(2);

let models: Model[];
beforeAll(async () => {
  vi.spyOn(performance, "now").mockReturnValue(0);
  models = await Promise.all([loadNano({ threads: 1 }), loadNano({ threads: 1, contextLength: 64, kvType: "f32" })]);
});
afterAll(() => {
  for (const model of models) model.close();
  vi.restoreAllMocks();
});

async function outcome(completion: Completion) {
  const pieces: Piece[] = [];
  for await (const piece of completion) pieces.push(piece);
  const { tokens, finishReason, usage, timings } = completion;
  const { promptTokens, completionTokens } = usage!;
  return { said: { pieces, tokens, finishReason, promptTokens, completionTokens }, timings: timings! };
}

const textArbitrary = fc
  .tuple(
    fc.constantFrom(ITALIAN, ENGLISH),
    fc.nat(70_000),
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 4 }),
  )
  .map(([text, start, length, times]) => text.slice(start, start + length).repeat(times));
const optionsArbitrary = fc.record({
  maxTokens: fc.integer({ min: 0, max: 70 }),
  temperature: fc.constantFrom(0, 0, 0.2, 0.8, 1.5),
  topK: fc.constantFrom(0, 1, 20),
  topP: fc.constantFrom(1, 0.9),
  minP: fc.constantFrom(0, 0.1),
  repetitionPenalty: fc.constantFrom(1, 1, 1.1, 0.8),
  noRepeatNgram: fc.constantFrom(0, 0, 4),
  seed: fc.nat(),
  logprobs: fc.constantFrom(undefined, 0, 3),
});
const lookupArbitrary: fc.Arbitrary<true | PromptLookupOptions> = fc.oneof(
  fc.constant<true>(true),
  fc.record({ ngram: fc.integer({ min: 1, max: 8 }), tokens: fc.integer({ min: 1, max: 7 }) }),
);

test("tokens, text, log-probabilities and the end are those of plain decoding", async () => {
  const reasons = new Set<string | undefined>();
  let [proposed, accepted] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...models),
      textArbitrary,
      optionsArbitrary,
      lookupArbitrary,
      fc.option(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 6 }))),
      fc.constantFrom(undefined, undefined, 4, 8),
      async (model, text, options, promptLookup, stopAt, endBias) => {
        const prompt = model.tokenize(text).slice(0, 60);
        const biased: GenerateOptions = { ...options };
        if (endBias !== undefined) biased.logitBias = { [model.info.tokenizer.end[0]!]: endBias };
        if (stopAt) {
          const whole = await model.complete(prompt, biased).text();
          const start = stopAt[0] % (whole.length + 1);
          biased.stop = whole.slice(start, start + stopAt[1]) || "\n";
        }
        const plain = await outcome(model.complete(prompt, biased));
        const guessed = await outcome(model.complete(prompt, { ...biased, promptLookup }));
        expect(guessed.said).toEqual(plain.said);
        expect(plain.timings).toMatchObject({ proposedTokens: 0, acceptedTokens: 0 });
        expect(guessed.timings.acceptedTokens).toBeLessThanOrEqual(guessed.timings.proposedTokens);
        reasons.add(guessed.said.finishReason);
        proposed += guessed.timings.proposedTokens;
        accepted += guessed.timings.acceptedTokens;
      },
    ),
    { numRuns: 150, seed: 1 },
  );
  expect([...reasons].sort()).toEqual(["context", "length", "stop"]);
  expect(accepted).toBeGreaterThan(100);
  expect(proposed).toBeGreaterThan(accepted); // wrong guesses were met too
});

test("every end of the context and of maxTokens", async () => {
  for (let left = 1; left <= 18; left++) {
    const prompt = models[1]!.tokenize(COPY.repeat(3)).slice(0, 64 - left);
    for (const maxTokens of [left - 1, left, left + 1]) {
      const options = { ...GREEDY, maxTokens, logprobs: 1 };
      const plain = await outcome(models[1]!.complete(prompt, options));
      const guessed = await outcome(models[1]!.complete(prompt, { ...options, promptLookup: true }));
      expect(guessed.said).toEqual(plain.said);
    }
  }
});

/** Continues a session twice. */
async function talk(session: Session, options: GenerateOptions) {
  const first = await outcome(session.complete(COPY.slice(0, 250), options));
  const tokens = session.tokens;
  const second = await outcome(session.complete(PROMPT, { ...options, promptLookup: undefined }));
  return { said: [first.said, tokens, second.said, session.tokens], accepted: first.timings.acceptedTokens };
}

test.each([GREEDY, { temperature: 0.3, seed: 3 }])(
  "a session goes on as after plain decoding: %j",
  async (sampling) => {
    const [model] = models;
    let accepted = 0;
    for (let maxTokens = 1; maxTokens <= 40; maxTokens += 3) {
      const options = { ...sampling, maxTokens, logprobs: 2 };
      const plain = await talk(model!.session(), options);
      const session = model!.session();
      const guessed = await talk(session, { ...options, promptLookup: true });
      expect(guessed.said).toEqual(plain.said);
      accepted += guessed.accepted;
      const restored = await model!.restore(await session.save());
      expect(await outcome(restored.complete("a", options))).toMatchObject({
        said: (await outcome(session.complete("a", options))).said,
      });
    }
    if (sampling === GREEDY) expect(accepted).toBeGreaterThan(0);
  },
);

test("leaving in the middle of accepted guesses keeps just what was said", async () => {
  const [model] = models;
  const options = { ...GREEDY, maxTokens: 32 };
  const prompt = model!.tokenize(COPY);
  const plain = (await outcome(model!.complete(prompt, options))).said.tokens;
  for (let count = 1; count < plain.length; count++) {
    const session = model!.session();
    let seen = 0;
    for await (const _ of session.complete(prompt, { ...options, promptLookup: true })) if (++seen === count) break;
    expect(session.tokens).toEqual([...prompt, ...plain.slice(0, count)]);
    const rest = session.complete([], { ...options, maxTokens: plain.length - count });
    expect((await outcome(rest)).said.tokens).toEqual(plain.slice(count));
  }
});

test("lookup: the last occurrence, the longest n-gram, and loops without end", () => {
  const guess = (text: number[], count = 4) => new PromptLookup(text, 3, 100).guess(count);
  expect(guess([1, 2, 3, 4])).toEqual([]);
  expect(guess([])).toEqual([]);
  expect(guess([1, 2, 3, 1], 3)).toEqual([2, 3, 1]);
  expect(guess([5, 7, 5, 8, 5], 1)).toEqual([8]);
  expect(guess([1, 2, 3, 7, 9, 3, 8, 1, 2, 3], 1)).toEqual([7]);
  expect(guess([9, 4, 4], 3)).toEqual([4, 4, 4]);
  expect(guess([1, 2, 1, 2, 1], 5)).toEqual([2, 1, 2, 1, 2]);
});

test("lookup: what is appended counts like what was there", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { maxLength: 60 }), fc.nat(60), (tokens, cut) => {
      const text = tokens.slice(0, cut);
      const grown = new PromptLookup(text, 3, 64);
      for (const token of tokens.slice(cut)) {
        text.push(token);
        grown.update();
      }
      expect(grown.guess(5)).toEqual(new PromptLookup(tokens, 3, 64).guess(5));
      for (let count = 1; count < 7; count++) {
        const more = grown.expected(count) - grown.expected(count - 1);
        expect(more).toBeGreaterThanOrEqual(0);
        expect(more).toBeLessThanOrEqual(1);
      }
    }),
  );
});

/** How many times faster `answer` comes after `prompt` when a batch takes what `costs` says. */
function speedup(prompt: readonly number[], answer: readonly number[], costs: BatchCosts): number {
  const text = [...prompt, answer[0]!];
  const end = prompt.length + answer.length;
  const whole = [...prompt, ...answer];
  const speculation = new Speculation({ ngram: 3, tokens: 7 }, text, end, costs);
  let time = 0;
  while (text.length < end) {
    const proposal = speculation.propose(end - text.length, 1000);
    time += proposal.length > 0 ? costs.relative(1 + proposal.length) : 1;
    for (let row = 0; text.length < end; row++) {
      text.push(whole[text.length]!);
      if (text.at(-1) !== proposal[row]) break;
    }
  }
  return (answer.length - 1) / time;
}

test("copies gain, prose loses next to nothing, at the costs first believed", () => {
  const tokens = (text: string) => models[0]!.tokenize(text, { bos: false });
  const article = ITALIAN.slice(20_000, 22_000);
  const costs = new BatchCosts();
  costs.record(1, 0);
  expect(speedup(tokens(article), tokens(article), costs)).toBeGreaterThan(1.6);
  expect(speedup(tokens(article), tokens(article.replaceAll(/\b\p{Lu}\p{L}{3,}/gu, "Nome")), costs)).toBeGreaterThan(
    1.3,
  );
  for (const text of [ITALIAN, ENGLISH]) {
    const [prompt, answer] = [tokens(text.slice(40_000, 43_000)), tokens(text.slice(43_000, 52_000))];
    expect(speedup(prompt, answer, costs)).toBeGreaterThan(0.98);
  }
});

test("batches that do not pay are not run", () => {
  const costs = new BatchCosts();
  const text = Array.from({ length: 100 }, (_, i) => i % 5);
  costs.record(1, 0);
  const proposed = () => new Speculation({ ngram: 3, tokens: 7 }, text, 200, costs).propose(50, 1000).length;
  expect(proposed()).toBeGreaterThan(0);
  expect(new Speculation({ ngram: 3, tokens: 1 }, text, 200, costs).propose(50, 1000)).toHaveLength(1);
  expect(new Speculation({ ngram: 3, tokens: 7 }, text, 200, costs).propose(50, 0)).toEqual([]);
  expect(new Speculation({ ngram: 3, tokens: 7 }, text, 200, costs).propose(1, 1000)).toEqual([]);
  costs.record(1, 10);
  for (const rows of BATCH_ROWS) costs.record(rows, 10 * rows);
  expect(proposed()).toBe(0);
});

test("costs: a clock that stands still teaches nothing, and nothing is given up for good", () => {
  const costs = new BatchCosts();
  expect(costs.relative(4)).toBe(Number.POSITIVE_INFINITY);
  costs.record(1, 0);
  const believed = costs.relative(4);
  costs.record(4, 0);
  expect(costs.relative(4)).toBe(believed);
  for (let i = 0; i < 20; i++) costs.record(1, 10);
  costs.record(4, 50);
  expect(costs.relative(4)).toBeCloseTo(5, 5);
  for (let i = 0; i < 500; i++) costs.record(1, 10);
  expect(costs.relative(4)).toBeCloseTo(5, 5);
  for (let i = 0; i < 20; i++) costs.record(1, 10);
  expect(costs.relative(4)).toBe(believed);
  costs.record(4, 30); // tried again
  expect(costs.relative(4)).toBeCloseTo(3, 5);
  costs.record(1, 1000); // one slow pass
  costs.record(1, 10);
  expect(costs.relative(4)).toBeGreaterThan(0.5);
  for (let i = 0; i < 5; i++) costs.record(1, 10);
  expect(costs.relative(4)).toBeCloseTo(3, 0);
});

test("where batches never pay, copies lose next to nothing either", () => {
  const costs = new BatchCosts();
  const text = Array.from({ length: 20 }, (_, i) => i);
  let time = 0;
  let said = 0;
  while (said < 2000) {
    const proposal = new Speculation({ ngram: 3, tokens: 7 }, [...text, ...text], 40, costs).propose(100, 1000);
    const rows = 1 + proposal.length;
    const ms = rows === 1 ? 10 : 11 * rows;
    costs.record(rows, ms);
    time += ms;
    said += rows;
  }
  expect((10 * said) / time).toBeGreaterThan(0.98);
});
