// Many at once: every text is what it is alone, whatever runs beside it, comes, goes, fails, or has to give up its pages.
//
//     CROWD_STEPS=10000 CI_SEED=N npx vitest run test/host/engine/batch/crowd.test.ts      .ci/run does

import fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import type { AdapterUse, GenerateOptions, LoadOptions, Model } from "zagreus-edge";
import { createServer } from "zagreus-edge/server";
import { caught, GREEDY, PROMPT } from "../../../support/nano";
import { assertIdle, type Crowd, crowd, PAGE_BYTES, SYSTEM, turn } from "./crowd";

/** Passes of the property below at least. */
const STEPS = Number(process.env.CROWD_STEPS ?? 1500);
const SEED = Number(process.env.CI_SEED ?? Math.floor(Math.random() * 2 ** 31));

const open: Model[] = [];
afterAll(() => {
  for (const model of open) model.close();
});
async function nano(options?: LoadOptions): Promise<Crowd> {
  const made = await crowd(options);
  open.push(made.model);
  return made;
}

const words = ["Il re ", "la regina ", "una volta ", "the fox ", "mare ", "luna, ", "sole. ", "e "];
const prompt = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 40 }).map((all) => all.join(""));
const STRUCTURE: GenerateOptions["responseFormat"] = {
  type: "json_schema",
  schema: {
    type: "object",
    properties: { nome: { type: "string", maxLength: 8 }, eta: { type: "integer" } },
    required: ["nome", "eta"],
  },
};
/** Pairs of an adapter and its scale; no two lists are the same mixture. */
const LISTS: [adapter: number, scale: number][][] = [
  [[0, 1]],
  [[1, 0.5]],
  [
    [0, -0.5],
    [1, 1],
  ],
];
const request = fc.record({
  kind: fc.constantFrom("complete", "complete", "complete", "chat", "score", "embed", "session"),
  text: prompt,
  shared: fc.boolean(),
  seed: fc.nat(1000),
  maxTokens: fc.integer({ min: 0, max: 40 }),
  /** Of a session. */
  turns: fc.integer({ min: 1, max: 3 }),
  adapters: fc.option(fc.constantFrom(...LISTS)),
  /** Turns of the event loop before it comes. */
  delay: fc.nat(40),
  /** Turns of the event loop before each piece is asked for: who stays away may have to give up pages. */
  pause: fc.constantFrom(0, 0, 1, 8),
  /** Pieces after which it leaves, or is aborted. */
  leaves: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(10) }),
  aborts: fc.boolean(),
  client: fc.constantFrom("a", "b", "c"),
  options: fc.record({
    temperature: fc.constantFrom(0, 0.8, 1.2),
    repetitionPenalty: fc.constantFrom(1, 1.2),
    frequencyPenalty: fc.constantFrom(undefined, 0.5),
    promptLookup: fc.boolean(),
    logprobs: fc.constantFrom(undefined, 2),
    stop: fc.constantFrom([], ["re", "the"]),
    structured: fc.boolean(),
    /** A text that goes round in its context, or a prompt that is cut. */
    slides: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  }),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

function generation({ seed, maxTokens, options, client }: Request): GenerateOptions {
  const { structured, slides, ...rest } = options;
  if (structured) return { ...rest, seed, client, responseFormat: STRUCTURE, maxTokens: 80, stop: [] };
  return { ...rest, seed, client, ...(slides ? { overflow: { keep: 8 }, maxTokens: 230 } : { maxTokens }) };
}

/** What comes of a request; of one that leaves, what had come by then. */
async function ask({ model, adapters: loaded }: Crowd, request: Request): Promise<unknown> {
  const { kind, text, shared } = request;
  const adapters = request.adapters?.map(([which, scale]): AdapterUse => ({ adapter: loaded[which]!, scale }));
  const prompt = (shared ? SYSTEM : "") + text;
  if (kind === "embed") return [...(await model.embed(prompt, { adapters }))];
  if (kind === "score") return model.logprobs(model.tokenize(prompt), { top: 1, adapters });
  const messages = [{ role: "user", content: prompt }] as const;
  if (kind === "chat") {
    return read(request, (options) => model.chat(messages, { ...options, adapters, template: "chatml" }));
  }
  if (kind === "complete") return read(request, (options) => model.complete(prompt, { ...options, adapters }));
  using session = model.session({ adapters });
  const said: unknown[] = [];
  for (let i = 0; i < request.turns; i++) {
    const answer = await read(request, (options) => session.complete(i === 0 ? prompt : text.slice(0, 30), options));
    said.push(answer);
    if (!Array.isArray(answer[0])) break; // who has left does not come back
  }
  return said;
}

async function read(
  request: Request,
  start: (options: GenerateOptions) => ReturnType<Model["complete"]> | ReturnType<Model["chat"]>,
): Promise<unknown[]> {
  const { leaves, aborts, pause } = request;
  const controller = new AbortController();
  const completion = start({ ...generation(request), signal: controller.signal });
  const pieces: unknown[] = [];
  try {
    for await (const piece of completion) {
      pieces.push(piece);
      for (let i = 0; i < pause; i++) await turn();
      if (pieces.length !== leaves) continue;
      if (!aborts) break;
      controller.abort();
    }
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  }
  const left = leaves !== null && pieces.length >= leaves;
  return left ? pieces : [pieces, completion.finishReason, completion.tokens];
}

const KV_TYPES = ["int8", "int4", "f16", "f32"] as const;
type KvType = (typeof KV_TYPES)[number];
const ROOM = { slots: 2, rank: 16 };
/** A crowd on its own model; counts its passes. */
async function runTogether(
  requests: readonly Request[],
  options: LoadOptions,
  tokenMs: readonly number[],
): Promise<{ answers: unknown[]; steps: number; preemptions: number }> {
  const mine = await crowd({ contextLength: 224, adapters: ROOM, ...options });
  const { engine } = mine;
  let at = 0;
  // How long a token seems to take says how many rows a pass has, and how often others get their turn within it.
  Object.defineProperty(engine, "tokenMs", { get: () => tokenMs[at++ % tokenMs.length], set() {} });
  const answers = await Promise.all(
    requests.map(async (request) => {
      for (let i = 0; i < request.delay; i++) await turn();
      return ask(mine, request).catch((error) => String(error));
    }),
  );
  assertIdle(engine);
  const { passes: steps, preemptions } = engine.scheduler;
  mine.model.close();
  return { answers, steps, preemptions };
}

test(`every text in a crowd is the text alone, over ${STEPS} passes, on 16 sequences and on few pages`, async () => {
  const single = { sequences: 1, contextLength: 224, cacheBudget: 0, adapters: ROOM };
  const references = new Map<KvType, Crowd>();
  for (const kvType of KV_TYPES) references.set(kvType, await nano({ ...single, kvType }));
  const known = new Map<string, Promise<unknown>>();
  const alone = (request: Request, kvType: KvType) => {
    const { delay: _, client: __, pause: ___, ...what } = request;
    const key = JSON.stringify([kvType, what]);
    const expected =
      known.get(key) ?? ask(references.get(kvType)!, { ...request, pause: 0 }).catch((error) => String(error));
    known.set(key, expected);
    return expected;
  };
  const sum = { steps: 0, preemptions: 0 };
  const property = fc.asyncProperty(
    fc.array(request, { minLength: 1, maxLength: 24 }),
    fc.constantFrom(...KV_TYPES),
    fc.constantFrom(0, 1, 3, 1000),
    fc.constantFrom(2, 5, 16),
    fc.array(fc.constantFrom(0.01, 10, 30, 100), { minLength: 1, maxLength: 5 }),
    async (requests, kvType, pages, sequences, tokenMs) => {
      const ran = await runTogether(requests, { kvType, cacheBudget: pages * PAGE_BYTES, sequences }, tokenMs);
      sum.steps += ran.steps;
      sum.preemptions += ran.preemptions;
      for (const [i, request] of requests.entries()) expect(ran.answers[i]).toEqual(await alone(request, kvType));
    },
  );
  let runs = 0;
  for (; sum.steps < STEPS; runs += 5) await fc.assert(property, { numRuns: 5, seed: SEED + runs });
  console.log(`CI_SEED=${SEED}: ${sum.steps} passes of ${runs} crowds, ${sum.preemptions} preemptions`);
  expect(sum.steps).toBeGreaterThanOrEqual(STEPS);
  if (STEPS >= 5000) expect(sum.preemptions).toBeGreaterThan(0);
});

test("four long texts on the pages of one: all come to their end, and the oldest never waits", async () => {
  const options = { ...GREEDY, maxTokens: 150 };
  const { model: single } = await nano({ sequences: 1, contextLength: 256 });
  const { model, engine } = await nano({ contextLength: 256, cacheBudget: 0 });
  const prompts = [0, 1, 2, 3].map((i) => `${i} ${PROMPT}`);
  const texts = await Promise.all(prompts.map((prompt) => model.complete(prompt, options).text()));
  for (const [i, prompt] of prompts.entries()) expect(texts[i]).toBe(await single.complete(prompt, options).text());
  expect(engine.scheduler.preemptions).toBeGreaterThan(0);
  expect(engine.scheduler.recomputedTokens).toBeLessThan(4 * 160);
});

test("where passes take their time, every text gets a token in each of them while a long prompt is read", async () => {
  const { model, engine } = await nano({ contextLength: 512 });
  const logitBias = new Map(model.info.tokenizer.end.map((end) => [end, Number.NEGATIVE_INFINITY]));
  const texts = [0, 1, 2].map((i) => model.complete(`${i} ${PROMPT}`, { maxTokens: 400, logitBias }));
  const readers = texts.map((text) => text[Symbol.asyncIterator]());
  await Promise.all(readers.map((reader) => reader.next()));
  let now = performance.now();
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  const { exports } = engine.core;
  const forwardLayers: typeof exports.forwardLayers = (count) => {
    now += 20; // the event loop is due after each step of a pass
    return exports.forwardLayers(count);
  };
  Object.assign(engine.core, { exports: { ...exports, forwardLayers } });
  const before = { passes: engine.scheduler.passes, tokens: texts.map(({ tokens }) => tokens.length) };
  let read = false;
  const prompt = Array.from({ length: 400 }, (_, i) => 100 + i);
  const long = model.complete(prompt, { maxTokens: 1, client: "b" }).text();
  void long.then(() => {
    read = true;
  });
  await Promise.all(
    readers.map(async (reader) => {
      while (!read) await reader.next();
    }),
  );
  clock.mockRestore();
  const passes = engine.scheduler.passes - before.passes;
  expect(passes).toBeGreaterThan(6);
  for (const [i, { tokens }] of texts.entries()) {
    expect(tokens.length - before.tokens[i]!).toBeGreaterThanOrEqual(passes - 3);
  }
  await Promise.all(readers.map((reader) => reader.return!()));
});

test("prompts that begin alike and come together are run once", async () => {
  const { model } = await nano();
  const prompts = Array.from({ length: 8 }, (_, i) => `${SYSTEM.repeat(3)} ${i}`);
  const completions = prompts.map((prompt) => model.complete(prompt, { ...GREEDY, maxTokens: 2 }));
  await Promise.all(completions.map((completion) => completion.text()));
  const [first, ...others] = completions.map(({ usage }) => usage!);
  expect(first!.reusedTokens).toBe(0);
  for (const { prefilledTokens } of others) expect(prefilledTokens).toBeLessThan(64);
});

test("a reader who stays away holds up nobody, and goes on where he was", async () => {
  const { model } = await nano({ contextLength: 256, cacheBudget: 0 });
  const text = await model.complete(PROMPT, { ...GREEDY, maxTokens: 30 }).text();
  const idle = model.complete(PROMPT, { ...GREEDY, maxTokens: 30 })[Symbol.asyncIterator]();
  let said = (await idle.next()).value.text;
  const long = [0, 1, 2].map((i) => model.complete(`${i} ${SYSTEM.repeat(3)}`, { ...GREEDY, maxTokens: 100 }).text());
  await Promise.all(long);
  for (let step = await idle.next(); !step.done; step = await idle.next()) said += step.value.text;
  expect(said).toBe(text);
});

test("what fails for one does not for others", async () => {
  const { model } = await nano();
  const text = await model.complete(PROMPT, { ...GREEDY, maxTokens: 20 }).text();
  const onPrefill = () => {
    throw new Error("not today");
  };
  const [good, bad, tooLong, late] = await Promise.all([
    model.complete(PROMPT, { ...GREEDY, maxTokens: 20 }).text(),
    caught(model.complete("Il mare", { onPrefill }).text()),
    caught(model.complete(Array(600).fill(300)).text()),
    model.complete(PROMPT, { ...GREEDY, maxTokens: 20 }).text(),
  ]);
  expect([good, late]).toEqual([text, text]);
  expect(bad).toMatchObject({ message: "not today" });
  expect(tooLong).toMatchObject({ code: "CONTEXT_OVERFLOW", value: 600 });
});

test("a trap of the core ends all that run, wait and come, and the server says so", async () => {
  const { model, engine } = await nano({ sequences: 2 });
  const server = createServer(model, { onError: () => {} });
  const health = async () => (await server.fetch(new Request("http://server/health"))).status;
  const ask = () =>
    server.fetch(
      new Request("http://server/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt: PROMPT, max_tokens: 40 }),
      }),
    );
  expect(await health()).toBe(200);
  const { exports } = engine.core;
  let left = 12;
  const forwardLayers: typeof exports.forwardLayers = (count) => {
    if (left-- === 0) throw new WebAssembly.RuntimeError("unreachable");
    return exports.forwardLayers(count);
  };
  Object.assign(engine.core, { exports: { ...exports, forwardLayers } });
  const texts = [0, 1, 2].map((i) => caught(model.complete(`${i} ${PROMPT}`, { maxTokens: 40 }).text()));
  const answers = [ask(), ask()];
  const trapped = { code: "THREAD_FAILED", message: "the core failed: unreachable" };
  for (const text of texts) expect(await text).toMatchObject(trapped);
  for (const answer of answers) expect((await answer).status).toBe(503);
  expect(await caught(() => model.complete("a"))).toMatchObject(trapped);
  expect([model.closed, await health(), (await ask()).status]).toEqual([true, 503, 503]);
});

test("what it is doing can be told", async () => {
  const { model } = await nano({ contextLength: 256, cacheBudget: 0, sequences: 2 });
  expect(model.stats()).toMatchObject({ running: 0, waiting: 0, cache: { used: 0 }, preemptions: 0 });
  const pieces = [0, 1, 2].map((i) => model.complete(`${i} ${PROMPT}`, GREEDY)[Symbol.asyncIterator]());
  await Promise.all(pieces.slice(0, 2).map((each) => each.next()));
  const third = pieces[2]!.next();
  while (model.stats().waiting === 0) await turn();
  const { passes, ...stats } = model.stats();
  expect(stats).toEqual({
    ...{ running: 2, waiting: 1, preemptions: 0, recomputedTokens: 0 },
    cache: { used: 64, kept: 0, free: model.info.cacheLength - 64 },
  });
  expect(passes).toBeGreaterThan(1);
  await Promise.all(pieces.slice(0, 2).map((each) => each.return!()));
  await third;
  await pieces[2]!.return!();
  const { running, cache } = model.stats();
  expect([running, cache.used]).toEqual([0, 0]);
  expect(cache.kept).toBeGreaterThan(0);
});

test("more at once than there are sequences: all come to their turn", async () => {
  const { model } = await nano({ sequences: 2 });
  const texts = await Promise.all(
    Array.from({ length: 40 }, (_, seed) => model.complete(PROMPT, { seed, maxTokens: 3 }).text()),
  );
  for (const seed of [0, 17, 39]) expect(texts[seed]).toBe(await model.complete(PROMPT, { seed, maxTokens: 3 }).text());
});
