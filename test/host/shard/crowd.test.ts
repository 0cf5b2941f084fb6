// Many at once on a model in shards: every text is what it is alone on the whole model, whatever runs beside it, leaves, is lost on the
// way, or has to give up its pages. Books are looked through all the time, and pages that somebody gets are empty in all shards.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { LoadOptions, Model } from "zagreus-edge";
import { Scheduler } from "../../../host/core/engine/batch/scheduler";
import { Engine } from "../../../host/core/engine/engine";
import { createHost } from "../../../host/core/host/create_host";
import { KvCache } from "../../../host/core/kv/kv_cache";
import { createSharding } from "../../../host/core/shard/index";
import { nanoBytes } from "../../support/nano";
import { Served } from "./channels";

/** From sources, whose books can be looked into. */
const platform = {
  module: async () => new WebAssembly.Module(readFileSync(new URL("../../../dist/zagreus-simd.wasm", import.meta.url))),
  macrotask: () => new Promise<void>((resolve) => setImmediate(resolve)),
  open: (bytes: Uint8Array) => ({
    size: bytes.length,
    chunks: (async function* () {
      yield bytes;
    })(),
  }),
  sha256() {
    const hash = createHash("sha256");
    return { write: (bytes: Uint8Array) => void hash.update(bytes), digest: () => hash.digest("hex") };
  },
};
const { load } = createHost<Uint8Array, LoadOptions>(platform);
const { loadShard, loadSharded } = createSharding<Uint8Array>(platform);
const file = nanoBytes();
const opened: { close(): void }[] = [];
afterAll(() => {
  for (const each of opened) each.close();
});

const engines = new Set<Engine>();
const { pace } = Engine.prototype;
Engine.prototype.pace = function (...asked) {
  engines.add(this);
  return pace.apply(this, asked);
};
const { run } = Scheduler.prototype;
Scheduler.prototype.run = function (work) {
  const check = () => {
    for (const engine of engines) {
      if (engine.closed) engines.delete(engine);
      else engine.cache.audit(engine.sequences.open);
    }
    work.check();
  };
  return run.call(this, { ...work, check });
};
const { acquire } = KvCache.prototype;
KvCache.prototype.acquire = function () {
  const page = acquire.call(this);
  const engine = [...engines].find((each) => !each.closed && each.cache === this);
  if (page !== undefined) engine?.elsewhere?.copy(page, page, 0);
  return page;
};

const words = ["Il re ", "la regina ", "una volta ", "the fox ", "mare ", "luna, ", "sole. ", "e "];
const request = fc.record({
  kind: fc.constantFrom("complete", "complete", "complete", "session", "score", "embed"),
  text: fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 40 }).map((all) => all.join("")),
  seed: fc.nat(1000),
  maxTokens: fc.integer({ min: 0, max: 30 }),
  delay: fc.nat(12),
  leaves: fc.option(fc.nat(10), { freq: 4 }),
  aborts: fc.boolean(),
  client: fc.constantFrom("a", "b"),
  promptLookup: fc.boolean(),
  repetitionPenalty: fc.constantFrom(1, 1.2),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

async function ask(model: Model, { kind, text, delay: _, leaves, aborts, ...options }: Request): Promise<unknown> {
  if (kind === "embed") return [...(await model.embed(text))];
  if (kind === "score") return model.logprobs(model.tokenize(text), { top: 1 });
  const controller = new AbortController();
  const completion = (kind === "session" ? model.session() : model).complete(text, {
    ...options,
    signal: controller.signal,
  });
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
  return leaves !== null && pieces.length >= leaves ? pieces : [pieces, completion.finishReason, completion.tokens];
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const RUNS = 25;

test("every text in a crowd is the text alone, on few pages, and with connections that end", async () => {
  const reference = await load(file, { build: "simd", sequences: 1, contextLength: 224, cacheBudget: 0 });
  opened.push(reference);
  const scenario = fc.record({
    requests: fc.array(request, { minLength: 1, maxLength: 16 }),
    cacheBudget: fc.constantFrom(0, 40_000, 1_000_000),
    sequences: fc.constantFrom(2, 5, 16),
    ends: fc.constantFrom([8], [3, 8], [2, 5, 8]),
    cuts: fc.array(fc.nat(40), { maxLength: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ requests, cacheBudget, sequences, ends, cuts }) => {
      const options = { build: "simd", contextLength: 224, sequences } as const;
      const shards = await Promise.all(
        ends.map((end, i) => loadShard(file, { ...options, cacheBudget, layers: [ends[i - 1] ?? 0, end] })),
      );
      const served = shards.map((shard) => new Served(shard));
      const connects = served.map(({ connect }) => connect);
      const model = await loadSharded(file, connects, options);
      const mine = [...engines].at(-1)!;
      const cutting = cuts.map(async (turns, i) => {
        for (let n = 0; n < turns; n++) await turn();
        served[i % served.length]!.cut();
      });
      const answers = await Promise.all(
        requests.map(async (each) => {
          for (let i = 0; i < each.delay; i++) await turn();
          return ask(model, each).catch((error) => String(error));
        }),
      );
      await Promise.all(cutting);
      for (const [i, each] of requests.entries())
        expect(answers[i]).toEqual(await ask(reference, each).catch((error) => String(error)));
      while (mine.sequences.open.size > 0) await turn(); // of those who left, what is under way comes back
      mine.cache.audit(mine.sequences.open);
      expect(mine.cache.figures.used).toBe(0);
      expect([mine.queue.taken, mine.queue.length, mine.scheduler.works]).toEqual([0, 0, 0]);
      model.close();
      for (const shard of shards) shard.close();
    }),
    { numRuns: RUNS },
  );
});
