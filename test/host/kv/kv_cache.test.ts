// What is in the cache, or parked, is not run again; what was lost is, with the same bits.

import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import xxhash from "xxhash-wasm";
import type { ChatMessage, GenerateOptions, LoadOptions, Model, Session } from "zagreus-edge";
import { bits, caught, GREEDY, loadNano, PROMPT } from "../../support/nano";

/** Bytes of one position of zagreus-nano's int8 cache: 8 layers, 1 head of 64, a scale each, and a bias for keys. */
const POSITION_BYTES = 8 * (2 * (64 + 4) + 4);
const BLOCK_BYTES = 32 * POSITION_BYTES;
const TURNS = [", e la regina gli disse", " Ma il figlio del re", ". Once upon a time"];

let models: Model[] = [];
afterEach(() => {
  for (const model of models) model.close();
  models = [];
});
async function nano(options: LoadOptions = {}): Promise<Model> {
  const model = await loadNano(options);
  models.push(model);
  return model;
}

async function run(model: Model, prompt: string | readonly number[], options: GenerateOptions = {}) {
  const completion = model.complete(prompt, { ...GREEDY, maxTokens: 8, ...options });
  await completion.text();
  return { tokens: completion.tokens, ...completion.usage! };
}

test("a prompt repeated with one more turn runs only what is new, and gives a cold run's bits", async () => {
  const model = await nano();
  let prompt = PROMPT;
  let known: number[] = [];
  for (const turn of TURNS) {
    prompt += turn;
    const tokens = model.tokenize(prompt);
    const { prefilledTokens, reusedTokens, promptTokens } = await run(model, prompt, { maxTokens: 0 });
    let same = 0;
    while (same < known.length && known[same] === tokens[same]) same++;
    expect({ prefilledTokens, reusedTokens, promptTokens }).toEqual({
      prefilledTokens: tokens.length - same,
      reusedTokens: same,
      promptTokens: tokens.length,
    });
    known = tokens;
    const cold = await nano();
    expect(bits(await model.logits(tokens))).toEqual(bits(await cold.logits(tokens)));
  }
  expect(known.length).toBeGreaterThan(20);
});

test("a chat that was interrupted finds its beginning, whoever came between", async () => {
  const model = await nano();
  const trunk = PROMPT + TURNS.join("");
  const first = await run(model, trunk);
  expect(first.reusedTokens).toBe(0);
  for (const other of ["The fox", "La volpe era", "Un giorno"]) expect((await run(model, other)).reusedTokens).toBe(1);
  await model.logprobs(model.tokenize("Nel mezzo del cammin di nostra vita"));
  await model.embed("Mi ritrovai per una selva oscura");

  const more = [...model.tokenize(trunk), ...first.tokens, 300, 301];
  const { prefilledTokens, tokens } = await run(model, more);
  expect(prefilledTokens).toBe(3); // the last generated token was never run
  expect(tokens).toEqual((await run(await nano(), more)).tokens);
  // Another answer to the same prompt: all but the token whose logits are wanted is there.
  expect((await run(model, trunk, { temperature: 1, seed: 3 })).prefilledTokens).toBe(1);
  expect((await run(model, more)).prefilledTokens).toBe(1);
});

test("each turn of a conversation runs only itself, whoever came between", async () => {
  const model = await nano();
  const options = { ...GREEDY, template: "chatml", maxTokens: 12 };
  const messages: ChatMessage[] = [{ role: "system", content: PROMPT }];
  let before = 0;
  for (const turn of TURNS) {
    messages.push({ role: "user", content: turn });
    const reply = model.chat(messages, options);
    messages.push(await reply.message());
    const { promptTokens, reusedTokens, prefilledTokens } = reply.usage!;
    // All of the last prompt is there; the reply and what ends it may be tokens that were not sampled.
    expect(reusedTokens).toBeGreaterThanOrEqual(before);
    expect(prefilledTokens).toBe(promptTokens - reusedTokens);
    before = promptTokens;
    await run(model, "The fox lived at the edge of a forest");
  }
  const cold = await nano({ cacheBudget: 0 });
  const last = cold.chat(messages.slice(0, -1), options);
  expect(await last.message()).toEqual(messages.at(-1));
});

test("scoring uses what is there, and does not drive it out", async () => {
  const model = await nano({ cacheBudget: 3 * BLOCK_BYTES });
  const tokens = model.tokenize(PROMPT + TURNS.join(""));
  await run(model, tokens, { maxTokens: 0 });
  for (let i = 0; i < 20; i++)
    await model.logprobs([...tokens.slice(0, 20), 300 + i, ...Array(60).fill(i)], { from: 21 });
  expect((await run(model, tokens)).prefilledTokens).toBe(1);
});

test("50 sessions in turns say what each says alone, at any budget", async () => {
  const prompts = Array.from({ length: 50 }, (_, i) => `${PROMPT}${TURNS[i % 3]} ${i % 25} `);
  const options = (i: number): GenerateOptions => ({ maxTokens: 4, seed: i, temperature: 1 });
  const alone: (readonly number[])[] = [];
  for (const [i, prompt] of prompts.entries()) {
    const session = (await nanoOnce()).session();
    for (const turn of ["", ...TURNS]) await session.complete(turn === "" ? prompt : turn, options(i)).text();
    alone.push(session.tokens);
    session.close();
  }
  for (const cacheBudget of [0, 7 * BLOCK_BYTES, 40 * BLOCK_BYTES]) {
    const model = await nano({ cacheBudget });
    const sessions = prompts.map(() => model.session());
    let reused = 0;
    for (const turn of ["", ...TURNS]) {
      for (const [i, session] of sessions.entries()) {
        const completion = session.complete(turn === "" ? prompts[i]! : turn, options(i));
        await completion.text();
        reused += completion.usage!.reusedTokens;
      }
    }
    expect(sessions.map((session) => session.tokens)).toEqual(alone);
    if (cacheBudget > 0) expect(reused).toBeGreaterThan(50 * 9 * 4); // the common beginning at least
  }
});

let shared: Promise<Model> | undefined;
function nanoOnce(): Promise<Model> {
  shared ??= nano({ cacheBudget: 0 });
  return shared;
}

test("requests at once are right, too", async () => {
  const model = await nano({ cacheBudget: 4 * BLOCK_BYTES });
  const fresh = await nano();
  const prompts = Array.from({ length: 12 }, (_, i) => `${i % 3} ${PROMPT}${TURNS[i % 3]} ${i}`);
  const texts = await Promise.all(prompts.map((prompt, seed) => model.complete(prompt, { maxTokens: 9, seed }).text()));
  for (const [seed, prompt] of prompts.entries()) {
    expect(texts[seed]).toBe(await fresh.complete(prompt, { maxTokens: 9, seed }).text());
  }
});

test.each(["int8", "f16", "f32"] as const)("parking keeps every bit (%s)", async (kvType) => {
  const model = await nano({ kvType });
  const cold = await nano({ kvType, cacheBudget: 0 });
  const text = model.tokenize(PROMPT + TURNS.join("") + PROMPT + TURNS.join(""));
  for (const length of [1, 3, 4, 31, 32, 33, 50, text.length]) {
    const tokens = text.slice(0, length);
    await run(model, [...tokens, 500 + length, 7], { maxTokens: 3 });
    await run(model, [900 + length, 901], { maxTokens: 3 });
    const next = [...tokens, 300];
    expect((await run(model, next, { maxTokens: 0 })).reusedTokens).toBe(length);
    expect(bits(await model.logits(next))).toEqual(bits(await cold.logits(next)));
  }
});

test("what a stop string takes back need not be parked", async () => {
  const text = await (await nano()).complete(PROMPT, { ...GREEDY, maxTokens: 40 }).text();
  const model = await nano({ cacheBudget: 2 * BLOCK_BYTES });
  const other = Array<number>(60).fill(300); // fills the pool
  await run(model, other, { maxTokens: 0 });
  const session = model.session();
  await session.complete(PROMPT, { ...GREEDY, maxTokens: 40, stop: text.slice(20, 50) }).text();
  const again = session.complete([], { ...GREEDY, maxTokens: 1 });
  await again.text();
  expect(again.usage!.prefilledTokens).toBeLessThanOrEqual(2); // a stop string may end inside a token
  expect((await run(model, other)).reusedTokens).toBe(59);
});

test("a snapshot comes back while another completion is read", async () => {
  const model = await nano();
  const session = model.session();
  await session.complete(PROMPT + TURNS.join(""), { ...GREEDY, maxTokens: 20 }).text();
  const snapshot = await session.save();
  const expected = await session.complete([], { ...GREEDY, maxTokens: 6 }).text();

  const other = await nano();
  const alone = await other.complete("The fox", { ...GREEDY, maxTokens: 6 }).text();
  let said = "";
  let restored: Session | undefined;
  for await (const piece of other.complete("The fox", { ...GREEDY, maxTokens: 6 })) {
    said += piece.text;
    restored ??= await other.restore(snapshot);
  }
  expect(said).toBe(alone);
  const tight = await nano({ cacheBudget: 0 });
  for (const session of [restored!, await tight.restore(snapshot)]) {
    const completion = session.complete([], { ...GREEDY, maxTokens: 6 });
    expect(await completion.text()).toBe(expected);
    expect(completion.usage?.prefilledTokens).toBe(1);
  }
});

test("a forged snapshot deceives its own session only", async () => {
  const model = await nano();
  const cold = await nano({ cacheBudget: 0 });
  const { h64Raw } = await xxhash();
  const session = model.session();
  await session.complete(PROMPT + TURNS.join(""), { ...GREEDY, maxTokens: 20 }).text();
  const forged = await session.save();
  session.close();
  forged.subarray(4000, -8).fill(1);
  new DataView(forged.buffer).setBigUint64(forged.length - 8, h64Raw(forged.subarray(0, -8)), true);

  const restored = await model.restore(forged);
  const { tokens } = restored;
  const right = bits(await cold.logits(tokens));
  const deceived = await restored.complete([], { ...GREEDY, maxTokens: 6 }).text();
  expect(deceived).not.toBe(await cold.complete(tokens, { ...GREEDY, maxTokens: 6 }).text());
  for (const between of ["The fox", "La volpe"]) {
    expect((await run(model, tokens)).tokens).toEqual((await run(cold, tokens)).tokens);
    expect(bits(await model.logits(tokens))).toEqual(right);
    await restored.save();
    await run(model, between);
  }
  const again = restored.complete([], { ...GREEDY, maxTokens: 1 });
  await again.text();
  expect(again.usage!.prefilledTokens).toBe(1);
});

test("a closed session makes room", async () => {
  const model = await nano({ cacheBudget: 2 * BLOCK_BYTES });
  const keep = [...Array(40).fill(300)];
  await run(model, keep, { maxTokens: 0 });
  const session = model.session();
  await session.complete(Array(50).fill(400), { ...GREEDY, maxTokens: 1 }).text(); // parks `keep`
  session.close();
  await run(model, [500, 501], { maxTokens: 0 }); // the closed one is not parked, so that
  expect((await run(model, keep, { maxTokens: 0 })).reusedTokens).toBe(39);
});

const runs = fc
  .array(fc.tuple(fc.constantFrom(300, 301, 302), fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 4 })
  .map((list) => list.flatMap(([token, length]) => Array<number>(length).fill(token)));
const step = fc.record({
  kind: fc.constantFrom("complete", "session", "session", "leave", "restore", "score", "embed", "close"),
  tokens: runs,
  session: fc.nat(3),
  seed: fc.nat(),
});

test("whatever went before, every answer is a cold model's", async () => {
  const cold = await nano({ contextLength: 96, cacheBudget: 0 });
  const options = { maxTokens: 12, overflow: { keep: 4 }, promptLookup: true };
  const expected = async (tokens: readonly number[], seed: number) => {
    await cold.embed([seed % 8000]);
    const completion = cold.complete(tokens, { ...options, seed, promptLookup: false });
    return [await completion.text(), completion.tokens];
  };
  let reused = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 9 }), fc.array(step, { maxLength: 25 }), async (blocks, steps) => {
      const model = await loadNano({ contextLength: 96, cacheBudget: blocks * BLOCK_BYTES });
      const sessions = Array.from({ length: 4 }, () => model.session());
      for (const { kind, tokens, session, seed } of steps) {
        const chosen = sessions[session]!;
        if (kind === "complete" || kind === "session") {
          const before = kind === "session" ? chosen.tokens : [];
          const completion = (kind === "session" ? chosen : model).complete(tokens, { ...options, seed });
          expect([await completion.text(), completion.tokens]).toEqual(await expected([...before, ...tokens], seed));
          reused += completion.usage!.reusedTokens;
        }
        if (kind === "leave") for await (const _ of model.complete(tokens, { ...options, seed })) if (seed % 2) break;
        if (kind === "score") await model.logprobs(tokens);
        if (kind === "embed") await model.embed(tokens);
        if (kind === "restore") sessions[(session + 1) % 4] = await model.restore(await chosen.save());
        if (kind === "close") {
          chosen.close();
          sessions[session] = model.session();
        }
      }
      model.close();
    }),
    { numRuns: 30 },
  );
  expect(reused).toBeGreaterThan(20);
});

test("cacheBudget is checked", async () => {
  for (const cacheBudget of [-1, 1.5, Number.NaN, "1"]) {
    const error = await caught(loadNano({ cacheBudget: cacheBudget as number }));
    expect(error).toMatchObject({ code: "INVALID_OPTION", field: "cacheBudget" });
  }
});
