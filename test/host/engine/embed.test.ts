import { afterAll, beforeAll, expect, test } from "vitest";
import { load, type Model } from "zagreus-edge";
import { bits, caught, GREEDY, loadNano, nanoBytes, PROMPT } from "../../support/nano";

let model: Model;
beforeAll(async () => {
  model = await loadNano();
});
afterAll(() => model.close());

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

test("a vector of length 1, the same bits every time, whatever is in the cache", async () => {
  const first = await model.embed(PROMPT);
  expect(first).toHaveLength(model.info.hidden);
  expect(dot(first, first)).toBeCloseTo(1, 6);
  await model.complete(`${PROMPT} il re`, { maxTokens: 3 }).text();
  expect(bits(await model.embed(PROMPT))).toEqual(bits(first));
  expect(bits(await model.embed(model.tokenize(PROMPT)))).toEqual(bits(first));
  const fresh = await loadNano({ cacheBudget: 0, threads: 1 });
  expect(bits(await fresh.embed(PROMPT))).toEqual(bits(first));
  fresh.close();
});

test("it is the mean over all tokens, in more than one batch, too", async () => {
  const tokens = Array.from({ length: 150 }, (_, i) => 300 + ((i * 37) % 900));
  // The embedding of n tokens times n is the sum of the states: of each prefix it only differs in the last token's.
  const [long, once] = [await model.embed(tokens), await model.embed(tokens.slice(0, 64))];
  expect(dot(long, long)).toBeCloseTo(1, 6);
  expect(dot(long, once)).toBeLessThan(0.9999);
  // One token, whose hidden state gives its logits through the head: the same direction scores the same tokens best.
  expect(bits(await model.embed(tokens.slice(0, 1)))).not.toEqual(bits(once));
});

test("texts that mean the same are nearer than others", async () => {
  const [king, queen, price] = await Promise.all(
    ["il re e la regina", "la regina e il re", "the price of the house"].map((text) => model.embed(text)),
  );
  expect(dot(king!, queen!)).toBeGreaterThan(dot(king!, price!));
});

test("a session that an embedding interrupts goes on where it was", async () => {
  const session = model.session();
  await session.complete(PROMPT, { ...GREEDY, maxTokens: 20 }).text();
  await model.embed("Nel mezzo del cammin di nostra vita");
  const completion = session.complete([], { ...GREEDY, maxTokens: 1 });
  await completion.text();
  expect(completion.usage?.prefilledTokens).toBe(1);
});

test("through a thread of its own: the same bits", async () => {
  const there = await load(nanoBytes(), { offload: true });
  expect(bits(await there.embed(PROMPT))).toEqual(bits(await model.embed(PROMPT)));
  const controller = new AbortController();
  const aborted = there.embed(Array(500).fill(300), { signal: controller.signal });
  controller.abort();
  expect(await caught(aborted)).toMatchObject({ code: "ABORTED" });
  expect(await caught(there.embed([99999]))).toMatchObject({ code: "BAD_TOKEN" });
  there.close();
  expect(await caught(there.embed(PROMPT))).toMatchObject({ code: "CLOSED" });
});

test("errors", async () => {
  expect(await caught(model.embed([]))).toMatchObject({ code: "INVALID_OPTION", field: "prompt" });
  expect(await caught(model.embed(Array(513).fill(3)))).toMatchObject({ code: "CONTEXT_OVERFLOW", value: 513 });
  expect(await caught(model.embed(PROMPT, { signal: AbortSignal.abort() }))).toMatchObject({ code: "ABORTED" });
  expect(await caught(model.embed(PROMPT, { sginal: 1 } as never))).toMatchObject({ code: "INVALID_OPTION" });
  expect(await model.embed("")).toHaveLength(model.info.hidden); // of bos
  const gone = await loadNano();
  gone.close();
  expect(await caught(gone.embed(PROMPT))).toMatchObject({ code: "CLOSED" });
});
