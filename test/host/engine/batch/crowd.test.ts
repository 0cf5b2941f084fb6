// Many at once: every text is what it is alone, whatever runs beside it, comes, goes, fails, or has to give up its pages. The books of the
// pages are looked through all the time, and free pages are full of what would show.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { GenerateOptions, LoadOptions, Model } from "zagreus-edge";
import { INFO_PAGE_PARTS } from "../../../../assembly/layout/abi";
import { Scheduler } from "../../../../host/core/engine/batch/scheduler";
import { Engine } from "../../../../host/core/engine/engine";
import { createHost } from "../../../../host/core/host/create_host";
import { KvCache } from "../../../../host/core/kv/kv_cache";
import { caught, GREEDY, nanoBytes, PROMPT } from "../../../support/nano";

/** Of zagreus-nano with int8 KV. */
const PAGE_BYTES = 35_840;

/** From sources, whose books can be looked into. */
const { load } = createHost<Uint8Array, LoadOptions>({
  module: async () =>
    new WebAssembly.Module(readFileSync(new URL("../../../../dist/zagreus-simd.wasm", import.meta.url))),
  macrotask: () => new Promise<void>((resolve) => setImmediate(resolve)),
  open: (bytes) => ({
    size: bytes.length,
    chunks: (async function* () {
      yield bytes;
    })(),
  }),
});
const file = nanoBytes();
const models: Model[] = [];
afterAll(() => {
  for (const model of models) model.close();
});
async function nano(options: LoadOptions = {}): Promise<Model> {
  const model = await load(file, { build: "simd", ...options });
  models.push(model);
  return model;
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
const request = fc.record({
  kind: fc.constantFrom("complete", "complete", "complete", "chat", "score", "embed", "session"),
  text: prompt,
  shared: fc.boolean(),
  seed: fc.nat(1000),
  maxTokens: fc.integer({ min: 0, max: 40 }),
  /** Turns of the event loop before it comes. */
  delay: fc.nat(12),
  /** Pieces after which it leaves, or is aborted. */
  leaves: fc.option(fc.nat(10), { freq: 4 }),
  aborts: fc.boolean(),
  client: fc.constantFrom("a", "b", "c"),
  options: fc.record({
    temperature: fc.constantFrom(0, 0.8, 1.2),
    repetitionPenalty: fc.constantFrom(1, 1.2),
    promptLookup: fc.boolean(),
    logprobs: fc.constantFrom(undefined, 2),
    stop: fc.constantFrom([], ["re", "the"]),
    structured: fc.boolean(),
  }),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

const turn = () => new Promise((resolve) => setImmediate(resolve));
const SYSTEM = "C'era una volta un re che aveva tre figlie, e ogni sera le chiamava accanto al fuoco per raccontare. ";

function generation({ seed, maxTokens, options, client }: Request): GenerateOptions {
  const { structured, ...rest } = options;
  const wants = structured ? { responseFormat: STRUCTURE, maxTokens: 80, stop: [] } : { maxTokens };
  return { ...rest, seed, client, ...wants };
}

/** What comes of a request; of one that leaves, what had come by then. */
async function ask(model: Model, request: Request): Promise<unknown> {
  const { kind, text, shared, leaves, aborts } = request;
  const prompt = (shared ? SYSTEM : "") + text;
  if (kind === "embed") return [...(await model.embed(prompt))];
  if (kind === "score") return model.logprobs(model.tokenize(prompt), { top: 1 });
  const controller = new AbortController();
  const options = { ...generation(request), signal: controller.signal };
  const completion =
    kind === "chat"
      ? model.chat([{ role: "user", content: prompt }], { ...options, template: "chatml" })
      : (kind === "session" ? model.session() : model).complete(prompt, options);
  const pieces: unknown[] = [];
  try {
    for await (const piece of completion) {
      pieces.push(piece);
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

/** Engines, whose books are kept private. */
const engines = new Set<Engine>();
const { run } = Scheduler.prototype;
Scheduler.prototype.run = function (work) {
  const check = () => {
    audit();
    work.check();
  };
  return run.call(this, { ...work, check });
};
const { pace } = Engine.prototype;
Engine.prototype.pace = function (...asked) {
  engines.add(this);
  return pace.apply(this, asked);
};
const { acquire } = KvCache.prototype;
KvCache.prototype.acquire = function () {
  const page = acquire.call(this);
  if (page === undefined) return undefined;
  const { exports } = this.core;
  for (let part = 0; part < exports.info(INFO_PAGE_PARTS); part++) {
    this.core.bytes(exports.pagePart(page, part), exports.pagePartBytes(part)).fill(0xff);
  }
  return page;
};
function audit(): void {
  for (const engine of engines) {
    if (engine.closed) engines.delete(engine);
    else engine.cache.audit(engine.sequences.open);
  }
}

const RUNS = 40;
let reference: Model;

test("every text in a crowd is the text alone, on 16 sequences and on few pages", async () => {
  reference = await nano({ sequences: 1, contextLength: 224, cacheBudget: 0 });
  const alone = new Map<string, Promise<unknown>>();
  const expected = (request: Request) => {
    const { delay: _, client: __, ...what } = request;
    const key = JSON.stringify(what);
    const known = alone.get(key) ?? ask(reference, request).catch((error) => String(error));
    alone.set(key, known);
    return known;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 24 }),
      fc.constantFrom(0, 1, 3, 1000),
      fc.constantFrom(2, 5, 16),
      async (requests, pages, sequences) => {
        const model = await nano({ contextLength: 224, cacheBudget: pages * PAGE_BYTES, sequences });
        const mine = [...engines].at(-1)!;
        const answers = await Promise.all(
          requests.map(async (request) => {
            for (let i = 0; i < request.delay; i++) await turn();
            return ask(model, request).catch((error) => String(error));
          }),
        );
        for (const [i, request] of requests.entries()) expect(answers[i]).toEqual(await expected(request));
        mine.cache.audit(mine.sequences.open);
        expect(mine.sequences.open.size).toBe(0);
        expect(mine.cache.figures.used).toBe(0);
        expect([mine.queue.taken, mine.queue.length, mine.scheduler.works]).toEqual([0, 0, 0]);
        model.close();
      },
    ),
    { numRuns: RUNS },
  );
});

test("four long texts on the pages of one: all come to their end, and the oldest never waits", async () => {
  const options = { ...GREEDY, maxTokens: 150 };
  const single = await nano({ sequences: 1, contextLength: 256 });
  const model = await nano({ contextLength: 256, cacheBudget: 0 });
  const { scheduler } = [...engines].at(-1)!;
  const prompts = [0, 1, 2, 3].map((i) => `${i} ${PROMPT}`);
  const texts = await Promise.all(prompts.map((prompt) => model.complete(prompt, options).text()));
  for (const [i, prompt] of prompts.entries()) expect(texts[i]).toBe(await single.complete(prompt, options).text());
  expect(scheduler.preemptions).toBeGreaterThan(0);
  expect(scheduler.recomputedTokens).toBeLessThan(4 * 160);
});

test("prompts that begin alike and come together are run once", async () => {
  const model = await nano();
  const prompts = Array.from({ length: 8 }, (_, i) => `${SYSTEM.repeat(3)} ${i}`);
  const completions = prompts.map((prompt) => model.complete(prompt, { ...GREEDY, maxTokens: 2 }));
  await Promise.all(completions.map((completion) => completion.text()));
  const [first, ...others] = completions.map(({ usage }) => usage!);
  expect(first!.reusedTokens).toBe(0);
  for (const { prefilledTokens } of others) expect(prefilledTokens).toBeLessThan(64);
});

test("a reader who stays away holds up nobody, and goes on where he was", async () => {
  const model = await nano({ contextLength: 256, cacheBudget: 0 });
  const text = await model.complete(PROMPT, { ...GREEDY, maxTokens: 30 }).text();
  const idle = model.complete(PROMPT, { ...GREEDY, maxTokens: 30 })[Symbol.asyncIterator]();
  let said = (await idle.next()).value.text;
  const long = [0, 1, 2].map((i) => model.complete(`${i} ${SYSTEM.repeat(3)}`, { ...GREEDY, maxTokens: 100 }).text());
  await Promise.all(long);
  for (let step = await idle.next(); !step.done; step = await idle.next()) said += step.value.text;
  expect(said).toBe(text);
});

test("what fails for one does not for others", async () => {
  const model = await nano();
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

test("what it is doing can be told", async () => {
  const model = await nano({ contextLength: 256, cacheBudget: 0, sequences: 2 });
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
  const model = await nano({ sequences: 2 });
  const texts = await Promise.all(
    Array.from({ length: 40 }, (_, seed) => model.complete(PROMPT, { seed, maxTokens: 3 }).text()),
  );
  for (const seed of [0, 17, 39]) expect(texts[seed]).toBe(await model.complete(PROMPT, { seed, maxTokens: 3 }).text());
});
