import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Completion, Model, Piece } from "zagreus-edge";
import { caught, GREEDY, loadNano, PROMPT } from "../../support/nano";

let model: Model;
beforeAll(async () => {
  model = await loadNano();
});
afterAll(() => model.close());

async function collect(completion: Completion): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of completion) pieces.push(piece);
  return pieces;
}

test("pieces, stream and text are the same", async () => {
  const options = { ...GREEDY, maxTokens: 24 };
  const text = await model.complete(PROMPT, options).text();
  const completion = model.complete(PROMPT, options);
  const pieces = await collect(completion);
  expect(pieces.map((piece) => piece.text).join("")).toBe(text);
  expect(pieces.map((piece) => piece.token)).toEqual(completion.tokens);
  const streamed: Piece[] = [];
  for await (const piece of model.complete(PROMPT, options).toReadableStream()) streamed.push(piece);
  expect(streamed).toEqual(pieces);
  expect(text).toBe(model.detokenize(completion.tokens));
  expect(completion.finishReason).toBe("length");
  expect(completion.usage).toMatchObject({ promptTokens: 9, completionTokens: 24 });
  expect(completion.timings?.decodeTokensPerSecond).toBeGreaterThan(0);
});

test("the same seed gives the same text, another one another", async () => {
  const run = (seed: number | bigint) => model.complete(PROMPT, { seed, maxTokens: 32 }).text();
  expect(await run(1)).toBe(await run(1n));
  expect(await run(1)).not.toBe(await run(2));
  const random = model.complete(PROMPT, { maxTokens: 16 });
  const text = await random.text();
  expect(await model.complete(PROMPT, { maxTokens: 16, seed: random.seed }).text()).toBe(text);
});

test("the prompt may be tokens", async () => {
  const options = { ...GREEDY, maxTokens: 8 };
  const text = await model.complete(model.tokenize(PROMPT), options).text();
  expect(text).toBe(await model.complete(PROMPT, options).text());
});

test("an empty prompt is bos; no token at all is none", async () => {
  const completion = model.complete("", { ...GREEDY, maxTokens: 2 });
  await completion.text();
  expect(completion.usage?.promptTokens).toBe(1);
  expect(await caught(model.complete([]).text())).toMatchObject({ code: "INVALID_OPTION", field: "prompt" });
});

test("what the cache holds already is not run again, and changes nothing", async () => {
  const other = await loadNano({ cacheBudget: 0 });
  const options = { ...GREEDY, maxTokens: 8 };
  const long = `${PROMPT} una figlia`;
  const fresh = other.complete(long, options);
  await other.complete("Once upon a time", options).text();
  await fresh.text();
  expect(fresh.usage).toMatchObject({ reusedTokens: 1 }); // bos
  await other.complete(PROMPT, options).text();
  const reused = other.complete(long, { ...options, logprobs: 3 });
  const again = await collect(reused);
  expect(reused.usage?.reusedTokens).toBe(other.tokenize(long).length - 1);
  expect(reused.tokens).toEqual(fresh.tokens);
  const third = await collect(other.complete(long, { ...options, logprobs: 3 }));
  expect(third).toEqual(again);
  other.close();
});

test("maxTokens 0 reads the prompt only", async () => {
  const completion = model.complete(PROMPT, { maxTokens: 0 });
  expect(await completion.text()).toBe("");
  expect(completion).toMatchObject({ finishReason: "length", tokens: [] });
});

test("the end of the context ends the text", async () => {
  const small = await loadNano({ contextLength: 16 });
  const completion = small.complete(PROMPT, { maxTokens: 100 });
  await completion.text();
  expect(completion.finishReason).toBe("context");
  expect(completion.tokens).toHaveLength(16 - 9);
  const tooLong = small.complete(PROMPT.repeat(3));
  expect(await caught(tooLong.text())).toMatchObject({
    code: "CONTEXT_OVERFLOW",
    expected: 16,
    message: expect.stringMatching(/^\d+ tokens do not fit into the context of 16 tokens$/),
  });
  expect(await small.complete(PROMPT, { maxTokens: 1 }).text()).not.toBe(""); // still well
});

test("end tokens end the text and are not part of it", async () => {
  const { end, eos } = model.info.tokenizer;
  for (const token of end) {
    const completion = model.complete(PROMPT, { ...GREEDY, logitBias: { [token]: 1000 } });
    expect(await completion.text()).toBe("");
    expect(completion).toMatchObject({ finishReason: "stop", tokens: [] });
  }
  expect(end).toContain(eos);
});

test("logitBias bans with -Infinity", async () => {
  const first = model.complete(PROMPT, { ...GREEDY, maxTokens: 1 });
  await first.text();
  const banned = new Map([[first.tokens[0]!, Number.NEGATIVE_INFINITY]]);
  const second = model.complete(PROMPT, { ...GREEDY, maxTokens: 1, logitBias: banned });
  await second.text();
  expect(second.tokens[0]).not.toBe(first.tokens[0]);
});

test("stop strings anywhere in the text cut it right before them", async () => {
  const text = await model.complete(PROMPT, { ...GREEDY, maxTokens: 24 }).text();
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.integer({ min: 1, max: 12 }), async (start, length) => {
      const stop = text.slice(start, start + length);
      const completion = model.complete(PROMPT, { ...GREEDY, maxTokens: 24, stop: ["never seen", stop] });
      expect(await completion.text()).toBe(text.slice(0, text.indexOf(stop)));
      expect(completion.finishReason).toBe("stop");
    }),
    { numRuns: 40 },
  );
});

test("text held back for a stop string comes out at the end", async () => {
  const text = await model.complete(PROMPT, { ...GREEDY, maxTokens: 24 }).text();
  const stop = `${text.slice(-6)} and then something else`;
  expect(await model.complete(PROMPT, { ...GREEDY, maxTokens: 24, stop }).text()).toBe(text);
});

test("logprobs are those of the raw logits", async () => {
  const options = { maxTokens: 6, seed: 3, temperature: 1.5, repetitionPenalty: 1.3, topK: 50, logprobs: 4 };
  const pieces = await collect(model.complete(PROMPT, options));
  const prompt = model.tokenize(PROMPT);
  const scored = await model.logprobs([...prompt, ...pieces.map((piece) => piece.token)], {
    top: 4,
    from: prompt.length,
  });
  expect(pieces.map(({ token, logprob, topLogprobs }) => ({ token, logprob, topLogprobs }))).toEqual(scored);
  for (const { topLogprobs = [] } of pieces) {
    expect(topLogprobs).toHaveLength(4);
    expect(
      topLogprobs.every(({ logprob }, i) => logprob <= 0 && (i === 0 || logprob <= topLogprobs[i - 1]!.logprob)),
    ).toBe(true);
  }
});

test("logits and logprobs agree", async () => {
  const tokens = model.tokenize(PROMPT);
  const rows: Float32Array[] = [];
  for await (const row of model.logits(tokens, { all: true })) rows.push(row);
  expect(rows).toHaveLength(tokens.length);
  expect(await model.logits(tokens)).toEqual(rows.at(-1));
  const scored = await model.logprobs(tokens);
  expect(scored[0]).toEqual({ token: tokens[0], logprob: null, topLogprobs: [] });
  for (let i = 1; i < tokens.length; i++) {
    const row = Array.from(rows[i - 1]!);
    const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    expect(scored[i]?.logprob).toBeCloseTo(row[tokens[i]!]! - total, 4);
  }
  await expect(model.logits([])).rejects.toMatchObject({ code: "INVALID_OPTION" });
});

test("aborting stops within one token", async () => {
  const controller = new AbortController();
  let seen = 0;
  const run = async () => {
    for await (const _ of model.complete(PROMPT, { maxTokens: 200, signal: controller.signal })) {
      if (++seen === 5) controller.abort("enough");
    }
  };
  expect(await caught(run)).toMatchObject({ code: "ABORTED", cause: "enough" });
  expect(seen).toBe(5);
});

test("a timer aborts, though tokens come without a pause", async () => {
  const completion = model.complete(PROMPT, { maxTokens: 490, signal: AbortSignal.timeout(30) });
  expect(await caught(completion.text())).toMatchObject({ code: "ABORTED" });
  expect(completion.tokens.length).toBeLessThan(490);
});

test("generations run at once, or wait their turn; those that are aborted do not", async () => {
  expect(await orderOf(model)).toMatch(/^a[ac]*c[ac]*$/);
  expect(await orderOf(model)).not.toBe("aaaacccc");
  const single = await loadNano({ sequences: 1 });
  expect(await orderOf(single)).toBe("aaaacccc");
  single.close();
});

async function orderOf(model: Model): Promise<string> {
  const order: string[] = [];
  const run = async (name: string, signal?: AbortSignal) => {
    for await (const _ of model.complete(PROMPT, { maxTokens: 4, signal })) order.push(name);
  };
  const controller = new AbortController();
  const runs = [run("a"), run("b", controller.signal), run("c")];
  controller.abort();
  const [, b] = await Promise.allSettled(runs);
  expect(b).toMatchObject({ status: "rejected", reason: { code: "ABORTED" } });
  return order.join("");
}

test("leaving the loop or cancelling the stream makes room", async () => {
  for await (const _ of model.complete(PROMPT)) break;
  const reader = model.complete(PROMPT).toReadableStream().getReader();
  await reader.read();
  await reader.cancel();
  expect(await model.complete(PROMPT, { maxTokens: 1 }).text()).not.toBe("");
});

test("an aborted generation whose reader never comes back makes room", async () => {
  const controller = new AbortController();
  const pieces = model.complete(PROMPT, { signal: controller.signal })[Symbol.asyncIterator]();
  await pieces.next();
  controller.abort();
  expect(await model.complete(PROMPT, { maxTokens: 1 }).text()).not.toBe("");
  expect(await caught(pieces.next())).toMatchObject({ code: "ABORTED" });
});

test("a completion is read once", async () => {
  const completion = model.complete(PROMPT, { maxTokens: 1 });
  await completion.text();
  expect(await caught(completion.text())).toMatchObject({ code: "BUSY" });
});

test("tokenizing does not wait for a generation and does not disturb it", async () => {
  const expected = await model.complete(PROMPT, { ...GREEDY, maxTokens: 12 }).text();
  let text = "";
  for await (const piece of model.complete(PROMPT, { ...GREEDY, maxTokens: 12 })) {
    text += piece.text;
    expect(model.detokenize(model.tokenize("perché no?"))).toBe("perché no?");
  }
  expect(text).toBe(expected);
});

test("tokenize and detokenize", () => {
  const text = "L'intelligenza artificiale è… 12345 🤖👩‍👩‍👧\r\n\t fine\uFEFF";
  expect(model.tokenize(text)[0]).toBe(model.info.tokenizer.bos);
  expect(model.detokenize(model.tokenize(text, { bos: false }))).toBe(text);
  expect(model.tokenize(new TextEncoder().encode(text))).toEqual(model.tokenize(text));
  expect(model.tokenize("a\ud800b", { bos: false })).toEqual(model.tokenize("a\ufffdb", { bos: false }));
  const special = model.tokenize("<|im_start|>", { special: true, bos: false });
  expect(special).toHaveLength(1);
  expect(model.detokenize(special)).toBe("");
  expect(model.detokenize(special, { special: true })).toBe("<|im_start|>");
  expect(model.tokenize("<|im_start|>", { bos: false }).length).toBeGreaterThan(1);
  expect(model.tokenize("")).toEqual([8176]);
});

test("texts longer than the core's window are cut where it does not matter", () => {
  const line =
    "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura, ché la diritta via era smarrita.\n";
  const text = line.repeat(3000); // 300 KB
  const tokens = model.tokenize(text, { bos: false });
  expect(model.detokenize(tokens)).toBe(text);
  const one = model.tokenize(line.repeat(2), { bos: false });
  const two = model.tokenize(line.repeat(3), { bos: false });
  expect(tokens.length).toBe(one.length + (two.length - one.length) * 2998);
});

test("after close everything is CLOSED", async () => {
  const other = await loadNano();
  const session = other.session();
  const running = other.complete(PROMPT, { maxTokens: 400 });
  const pieces = running[Symbol.asyncIterator]();
  await pieces.next();
  const waiting = caught(other.complete(PROMPT).text());
  const unread = other.complete(PROMPT);
  await Promise.resolve();
  other.close();
  other.close();
  const closed = { code: "CLOSED" };
  expect(await caught(pieces.next())).toMatchObject(closed);
  expect(await waiting).toMatchObject(closed);
  expect(await caught(unread.text())).toMatchObject(closed);
  expect(await caught(() => other.complete(PROMPT))).toMatchObject(closed);
  expect(await caught(() => other.tokenize("a"))).toMatchObject(closed);
  expect(await caught(() => other.detokenize([1]))).toMatchObject(closed);
  expect(await caught(() => other.logits([1]))).toMatchObject(closed);
  expect(await caught(() => other.logprobs([1]))).toMatchObject(closed);
  expect(await caught(() => other.session())).toMatchObject(closed);
  expect(await caught(() => other.restore(new Uint8Array(100)))).toMatchObject(closed);
  expect(await caught(() => session.complete("a"))).toMatchObject(closed);
  expect(await caught(() => session.save())).toMatchObject(closed);
});
