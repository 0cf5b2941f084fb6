// overflow: { keep }, on a context of 64 tokens.

import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ChatMessage, GenerateOptions, Model } from "zagreus-edge";
import { slide } from "../../../host/core/engine/text/overflow";
import { caught, GREEDY, loadNano, PROMPT } from "../../support/nano";

const CONTEXT = 64;
const KEEP = 9;
const HALF = (CONTEXT - KEEP) >> 1;

let model: Model;
let options: GenerateOptions;
beforeAll(async () => {
  vi.spyOn(performance, "now").mockReturnValue(0); // what is guessed does not depend on the machine
  model = await loadNano({ contextLength: CONTEXT, threads: 1 });
  const logitBias = new Map(model.info.tokenizer.end.map((token) => [token, Number.NEGATIVE_INFINITY]));
  options = { maxTokens: 200, seed: 4, logitBias, overflow: { keep: KEEP } };
});
afterAll(() => {
  vi.restoreAllMocks();
  model.close();
});

const slid = (tokens: readonly number[], keep = KEEP) => {
  const copy = [...tokens];
  slide(copy, { keep }, CONTEXT);
  return copy;
};

test("what slides is the older half behind the kept tokens, as often as it takes", () => {
  for (let length = 0; length < 400; length++) {
    const tokens = Array.from({ length }, (_, i) => i);
    const window = slid(tokens);
    if (length < CONTEXT) expect(window).toEqual(tokens);
    else {
      expect(window.length).toBeLessThan(CONTEXT);
      expect(window.length).toBeGreaterThanOrEqual(CONTEXT - HALF);
      expect(window.slice(0, KEEP)).toEqual(tokens.slice(0, KEEP));
      expect(window.slice(KEEP)).toEqual(tokens.slice(length - window.length + KEEP));
    }
  }
  expect(slid(Array(CONTEXT).fill(0), CONTEXT - 2)).toHaveLength(CONTEXT - 1);
  expect(slid(Array(1000).fill(0), 0)).toHaveLength(CONTEXT - 24); // 30 halves of 32
});

/** The tokens that come when every step is asked for by itself, of what is left of the text. */
async function stepByStep(prompt: readonly number[], count: number): Promise<number[]> {
  const said: number[] = [];
  let window = [...prompt];
  for (let i = 0; i < count; i++) {
    window = slid(window);
    const completion = model.complete(window, { ...options, ...GREEDY, maxTokens: 1 });
    await completion.text();
    said.push(completion.tokens[0]!);
    window.push(completion.tokens[0]!);
  }
  return said;
}

test("a text goes on past the context, as from a cold run over what is left", async () => {
  const prompt = model.tokenize(PROMPT);
  const completion = model.complete(prompt, { ...options, ...GREEDY, maxTokens: 150 });
  const pieces: string[] = [];
  for await (const piece of completion) pieces.push(piece.text);
  expect(completion.finishReason).toBe("length");
  expect(completion.tokens).toHaveLength(150);
  expect(pieces.join("")).toBe(model.detokenize(completion.tokens));
  expect(completion.tokens).toEqual(await stepByStep(prompt, 150));
});

test("a prompt that is too long loses its older half behind the kept tokens", async () => {
  const text = Array.from({ length: 300 }, (_, i) => 300 + ((i * i) % 700));
  const completion = model.complete(text, { ...options, maxTokens: 2 });
  await completion.text();
  expect(completion.usage?.promptTokens).toBe(slid(text).length);
  const window = model.complete(slid(text), { ...options, maxTokens: 2 });
  expect(await window.text()).toBe(model.detokenize(completion.tokens));
  // A text that grows finds its beginning again until the next half goes.
  const more = model.complete([...text, 7], { ...options, maxTokens: 0 });
  await more.text();
  expect(more.usage).toMatchObject({ promptTokens: slid(text).length + 1, prefilledTokens: 1 });
});

test("guesses change nothing, and a seed is a seed", async () => {
  const prompt = "uno due tre quattro cinque uno due tre quattro cinque uno due tre";
  for (const sampling of [GREEDY, { temperature: 0.3, repetitionPenalty: 1 }]) {
    const plain = model.complete(prompt, { ...options, ...sampling });
    await plain.text();
    const guessed = model.complete(prompt, { ...options, ...sampling, promptLookup: true });
    await guessed.text();
    expect(guessed.tokens).toEqual(plain.tokens);
    expect(guessed.timings!.acceptedTokens).toBeGreaterThan(0);
  }
});

test("a session keeps what is left, is saved, restored, and goes on", async () => {
  const session = model.session();
  const first = session.complete(PROMPT, { ...options, maxTokens: 100 });
  await first.text();
  const whole = [...model.tokenize(PROMPT), ...first.tokens];
  expect(session.tokens.length).toBeLessThanOrEqual(CONTEXT);
  expect(session.tokens.slice(0, KEEP)).toEqual(whole.slice(0, KEEP));
  expect(session.tokens.slice(KEEP)).toEqual(whole.slice(whole.length - session.tokens.length + KEEP));

  const other = await loadNano({ contextLength: CONTEXT });
  const restored = await other.restore(await session.save());
  const next = session.complete(". E poi", { ...options, maxTokens: 90 });
  const there = restored.complete(". E poi", { ...options, maxTokens: 90 });
  expect(await there.text()).toBe(await next.text());
  expect(next.usage!.reusedTokens).toBeGreaterThan(0);
  expect(restored.tokens).toEqual(session.tokens);
  other.close();
});

test("a stop string that comes after sliding is cut out of the session", async () => {
  const { text, tokens } = await (async () => {
    const completion = model.complete(PROMPT, { ...options, maxTokens: 120 });
    return { text: await completion.text(), tokens: completion.tokens };
  })();
  expect(tokens).toHaveLength(120);
  for (const length of [3, 12, 150]) {
    const stop = text.slice(-length - 20, -20);
    const shown = text.slice(0, text.indexOf(stop));
    const session = model.session();
    expect(await session.complete(PROMPT, { ...options, maxTokens: 120, stop }).text()).toBe(shown);
    const kept = model.detokenize(session.tokens.slice(KEEP));
    if (kept !== "") expect(shown.endsWith(kept.slice(-8))).toBe(true);
    expect(await session.complete(".", { ...options, maxTokens: 2 }).text()).not.toBe("");
  }
});

test("who is aborted where the text would slide leaves alone who came in the meantime", async () => {
  const controller = new AbortController();
  const first = model.complete(PROMPT, { ...options, signal: controller.signal })[Symbol.asyncIterator]();
  for (let i = model.tokenize(PROMPT).length; i < CONTEXT; i++) await first.next();
  const alone = await loadNano({ contextLength: CONTEXT });
  const expected = await alone.complete("The fox", options).text();
  alone.close();
  const second = model.complete("The fox", options)[Symbol.asyncIterator]();
  const piece = second.next();
  controller.abort();
  let said = (await piece).value.text;
  expect(await caught(first.next())).toMatchObject({ code: "ABORTED" });
  for (let next = await second.next(); !next.done; next = await second.next()) said += next.value.text;
  expect(said).toBe(expected);
});

test("a conversation never ends, and most turns find what was run before", async () => {
  const small = await loadNano({ contextLength: 128 });
  const messages: ChatMessage[] = [{ role: "system", content: PROMPT }];
  let found = 0;
  for (let turn = 0; turn < 20; turn++) {
    messages.push({ role: "user", content: `E poi? ${turn}` });
    const reply = small.chat(messages, { ...GREEDY, template: "chatml", maxTokens: 12, overflow: { keep: 20 } });
    messages.push(await reply.message());
    expect(reply.usage!.promptTokens).toBeLessThan(128);
    if (reply.usage!.reusedTokens > reply.usage!.promptTokens / 2) found++;
  }
  expect(found).toBeGreaterThan(12);
  const strict = small.chat(messages, { template: "chatml" });
  expect(await caught(strict.text())).toMatchObject({ code: "CONTEXT_OVERFLOW" });
  small.close();
});

test("without it the context is the end", async () => {
  for (const overflow of ["stop", undefined] as const) {
    const completion = model.complete(PROMPT, { ...options, overflow });
    await completion.text();
    expect(completion.finishReason).toBe("context");
    const long = model.complete(Array(CONTEXT + 1).fill(300), { ...options, overflow });
    expect(await caught(long.text())).toMatchObject({ code: "CONTEXT_OVERFLOW", value: CONTEXT + 1 });
  }
});

test("the option is checked", () => {
  for (const overflow of [null, 3, "slide", {}, { keep: -1 }, { keep: 1.5 }, { keep: CONTEXT - 1 }, { keep: "1" }]) {
    const error = expect.objectContaining({
      code: "INVALID_OPTION",
      field: expect.stringMatching(/^overflow(\.keep)?$/),
    });
    expect(() => model.complete(PROMPT, { overflow: overflow as never })).toThrow(error);
    expect(() => model.session().complete(PROMPT, { overflow: overflow as never })).toThrow(error);
  }
  expect(() => model.complete(PROMPT, { overflow: { kep: 3 } as never })).toThrow("kep");
});
