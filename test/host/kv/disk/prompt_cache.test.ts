// What prompts begin with comes back from the disk with the bits that it had, to whom it belongs, and only whole; whatever the disk does,
// every text is the one that it is without it.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import type { GenerateOptions, KvType, LoadOptions, Model } from "zagreus-edge";
import { Engine } from "../../../../host/core/engine/engine";
import { createHost } from "../../../../host/core/host/create_host";
import { VERSION } from "../../../../host/core/kv/disk/page_format";
import { bits, caught, GREEDY, nanoBytes } from "../../../support/nano";
import "../poison";
import { bytesOf } from "../../adapters/support";
import { MemoryFiles } from "./memory_files";

/** Of zagreus-nano with int8 KV. */
const PAGE_BYTES = 35_840;

let disk = new MemoryFiles();
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
  pageFiles: async () => disk,
});

const file = nanoBytes();
let models: Model[] = [];
const engines: Engine[] = [];
afterEach(() => {
  for (const model of models) model.close();
  models = [];
  engines.length = 0;
  disk = new MemoryFiles();
});

// The books of pages are kept private.
const { pace } = Engine.prototype;
Engine.prototype.pace = function (...asked) {
  if (!engines.includes(this)) engines.push(this);
  return pace.apply(this, asked);
};

async function nano(options: LoadOptions = {}, bytes = file): Promise<Model> {
  const model = await load(bytes, { build: "simd", promptCache: true, ...options });
  models.push(model);
  return model;
}
const alone = (options: LoadOptions = {}) => nano({ promptCache: false, cacheBudget: 0, ...options });

async function run(model: Model, prompt: readonly number[], options: GenerateOptions = {}) {
  const completion = model.complete(prompt, { ...GREEDY, maxTokens: 8, ...options });
  await completion.text();
  return { tokens: completion.tokens, ...completion.usage! };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** Until nothing is written any more. */
async function settled(model: Model): Promise<NonNullable<ReturnType<Model["stats"]>["promptCache"]>> {
  for (let quiet = 0, before = ""; quiet < 20; ) {
    await turn();
    const now = JSON.stringify(model.stats().promptCache);
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
  return model.stats().promptCache!;
}

const prompt = (seed: number, length: number) =>
  Array.from({ length }, (_, i) => 300 + ((seed * 977 + i * i * 31 + i * 7) % 7000));
const LONG = prompt(1, 100); // three pages, and four tokens

test.each<KvType>(["int8", "int4", "f16", "f32"])(
  "%s: a restart brings back all full pages, with their bits",
  async (kvType) => {
    const cold = await alone({ kvType });
    const expected = (await run(cold, LONG)).tokens;
    const first = await nano({ kvType });
    expect(await run(first, LONG)).toMatchObject({ tokens: expected, reusedTokens: 0 });
    expect(await settled(first)).toMatchObject({
      restoredTokens: 0,
      storedTokens: 96,
      bytes: disk.bytes,
      writes: true,
    });
    first.close();

    const second = await nano({ kvType });
    const steps: number[] = [];
    const onPrefill = ({ done }: { done: number }) => void steps.push(done);
    const seen = await run(second, LONG, { onPrefill });
    expect(seen).toMatchObject({ tokens: expected, reusedTokens: 96, prefilledTokens: 4 });
    expect(steps).toEqual([96, 100]);
    expect(await settled(second)).toMatchObject({ restoredTokens: 96, storedTokens: 0, rejectedPages: 0 });
    expect(bits(await second.logits(LONG))).toEqual(bits(await cold.logits(LONG)));
    // From now on it is in memory; what only begins alike has the pages that it shares.
    expect(await run(second, LONG)).toMatchObject({ reusedTokens: 99 });
    const other = [...LONG.slice(0, 70), ...prompt(2, 30)];
    const third = await nano({ kvType });
    expect(await run(third, other)).toMatchObject({ reusedTokens: 64, tokens: (await run(cold, other)).tokens });
    for (const { cache, sequences } of engines.filter(({ closed }) => !closed)) cache.audit(sequences.open);
  },
);

test("a prompt of whole pages: its last token is run, in a page of its own", async () => {
  for (const length of [31, 32, 33, 64]) {
    const tokens = prompt(length, length);
    const first = await nano();
    const { tokens: expected } = await run(first, tokens);
    await settled(first);
    const second = await nano();
    const reused = Math.min(length - (length % 32), length - 1);
    expect(await run(second, tokens)).toMatchObject({ reusedTokens: reused, tokens: expected });
    expect(await run(second, tokens)).toMatchObject({ reusedTokens: length - 1, tokens: expected });
  }
});

test("other pages, sequences, contexts: the same", async () => {
  const first = await nano();
  await run(first, LONG);
  await settled(first);
  for (const options of [
    { cacheBudget: 0 },
    { sequences: 1 },
    { contextLength: 128 },
    { sequences: 3, cacheBudget: 9 * PAGE_BYTES },
  ])
    expect(await run(await nano(options), LONG)).toMatchObject({ reusedTokens: 96 });
});

test("others find nothing: another model, KV type, salt, adapter, or scale of it", async () => {
  const room = { adapters: { slots: 1, rank: 16 } };
  const first = await nano(room);
  const recipe = await first.adapter(bytesOf("recipe-f16.gguf"));
  const uses: GenerateOptions[] = [
    {},
    { cacheSalt: "a" },
    { cacheSalt: "b" },
    { adapters: [{ adapter: recipe }] },
    { adapters: [{ adapter: recipe, scale: 0.5 }] },
    { adapters: [{ adapter: recipe }], cacheSalt: "a" },
  ];
  for (const use of uses) expect(await run(first, LONG, use)).toMatchObject({ reusedTokens: 0 });
  await settled(first);
  expect(disk.files.size).toBe(3 * uses.length);
  const second = await nano(room);
  const again = await second.adapter(bytesOf("recipe-f16.gguf"));
  for (const { adapters, ...use } of uses) {
    const list = adapters?.map(({ scale }) => ({ adapter: again, scale }));
    const { tokens } = await run(first, LONG, { ...use, adapters });
    expect(await run(second, LONG, { ...use, adapters: list })).toMatchObject({ reusedTokens: 96, tokens });
  }
  again.close();
  const upper = await second.adapter(bytesOf("upper-f16.gguf"));
  expect(await run(second, LONG, { adapters: [{ adapter: upper }] })).toMatchObject({ reusedTokens: 0 });
  expect(await run(second, LONG, { cacheSalt: "c" })).toMatchObject({ reusedTokens: 0 });
  for (const kvType of ["int4", "f16", "f32"] as const)
    expect(await run(await nano({ kvType }), LONG)).toMatchObject({ reusedTokens: 0 });
  const other = file.slice();
  other[other.length - 1000]! ^= 1;
  expect(await run(await nano({}, other), LONG)).toMatchObject({ reusedTokens: 0 });
});

test("what is damaged, cut or another's is removed, and written anew", async () => {
  const first = await nano();
  const { tokens } = await run(first, LONG);
  await run(first, LONG, { cacheSalt: "other" });
  await settled(first);
  const whole = new Map(disk.files);
  const pageOf = (length: number, salt: boolean) => {
    const found = [...whole].filter(([, { bytes }]) => new DataView(bytes.buffer).getUint32(72, true) === length);
    return found[salt ? 1 : 0]!;
  };
  const [name, { bytes }] = pageOf(64, false);
  const changes: Uint8Array[] = [
    bytes.map((byte, i) => (i === 20_000 ? byte ^ 0x10 : byte)),
    bytes.slice(0, -1),
    new Uint8Array(),
    pageOf(64, true)[1].bytes, // of another salt
    pageOf(96, false)[1].bytes, // of other tokens
  ];
  for (const change of changes) {
    disk.files.clear();
    for (const [name, { bytes, used }] of whole) disk.files.set(name, { bytes: bytes.slice(), used });
    disk.files.set(name, { bytes: change, used: 1 });
    const model = await nano({ contextLength: 128 });
    expect(await run(model, LONG)).toMatchObject({ reusedTokens: 32, tokens });
    const { rejectedPages, storedTokens } = await settled(model);
    expect([rejectedPages, storedTokens]).toEqual([1, 32]);
    expect(disk.files.get(name)!.bytes).toEqual(bytes);
    model.close();
  }
});

test("equal prompts that come together are read once; those that are not there wait for nobody", async () => {
  const first = await nano();
  await run(first, LONG);
  await settled(first);
  const reads: string[] = [];
  disk.before = async (what, name) => {
    if (what === "read") reads.push(name);
    await turn();
  };
  const model = await nano();
  const all = await Promise.all([LONG, LONG, LONG, prompt(3, 80)].map((tokens) => run(model, tokens)));
  expect(all.map(({ reusedTokens }) => reusedTokens > 90)).toEqual([true, true, true, false]);
  expect(reads).toHaveLength(3);
  expect((await settled(model)).restoredTokens).toBe(96);
});

test("aborted, closed, or left for the time that it takes: what comes late changes nothing", async () => {
  const first = await nano();
  const { tokens } = await run(first, LONG);
  await settled(first);
  const late: (() => void)[] = [];
  disk.before = (what) => (what === "read" ? new Promise<void>((resolve) => late.push(resolve)) : undefined);
  const model = await nano();
  const controller = new AbortController();
  const aborted = caught(run(model, LONG, { signal: controller.signal }));
  while (late.length === 0) await turn();
  controller.abort();
  expect(await aborted).toMatchObject({ code: "ABORTED" });
  expect(model.stats().running).toBe(0);
  // A disk that says nothing is waited for as long as the tokens would take.
  expect(await run(model, LONG)).toMatchObject({ reusedTokens: 0, tokens });
  for (const resolve of late.splice(0)) resolve();
  expect(await run(model, LONG)).toMatchObject({ reusedTokens: 99, tokens });

  const closing = await nano();
  const closed = caught(run(closing, LONG));
  while (late.length === 0) await turn();
  closing.close();
  for (const resolve of late.splice(0)) resolve();
  expect(await closed).toMatchObject({ code: "CLOSED" });

  const writes: (() => void)[] = [];
  disk.before = (what) => (what === "write" ? new Promise<void>((resolve) => writes.push(resolve)) : undefined);
  const writing = await nano();
  await run(writing, prompt(5, 320));
  while (writes.length === 0) await turn();
  writing.close();
  for (const resolve of writes.splice(0)) resolve();
  for (let i = 0; i < 20; i++) await turn();
  expect(writes).toEqual([]);
  for (const { cache, sequences } of engines.filter(({ closed }) => !closed)) cache.audit(sequences.open);
});

test("a prompt that is too long touches nothing", async () => {
  const first = await nano();
  await run(first, LONG);
  await settled(first);
  const calls: string[] = [];
  disk.before = (what) => void calls.push(what);
  const model = await nano({ contextLength: 96, cacheBudget: 0 });
  expect(await caught(run(model, LONG))).toMatchObject({ code: "CONTEXT_OVERFLOW" });
  expect([calls, model.stats().cache.kept]).toEqual([[], 0]);
});

test("what a snapshot says is written for nobody", async () => {
  const first = await nano();
  const session = first.session();
  await session.complete(LONG, { ...GREEDY, maxTokens: 1 }).text();
  const snapshot = await session.save();
  await settled(first);
  expect(disk.files.size).toBe(3);
  disk.files.clear();
  const second = await nano();
  const restored = await second.restore(snapshot);
  await restored.complete(prompt(6, 40), { ...GREEDY, maxTokens: 1 }).text();
  expect((await settled(second)).storedTokens).toBe(0);
  expect(disk.files.size).toBe(0);
});

test("a limit keeps whole beginnings", async () => {
  const bytes = 4 * (PAGE_BYTES + 2000);
  const model = await nano({ promptCache: { bytes } });
  for (const seed of [1, 2, 3]) {
    await run(model, prompt(seed, 70));
    await settled(model);
  }
  await run(model, prompt(4, 500)); // more than there is room for
  await settled(model);
  expect(disk.bytes).toBeLessThanOrEqual(bytes);
  const second = await nano({ promptCache: { bytes } });
  expect((await run(second, prompt(4, 500))).reusedTokens).toBe(128);
});

const request = fc.record({
  system: fc.nat(2),
  length: fc.nat(70),
  seed: fc.nat(3),
  delay: fc.nat(6),
  salt: fc.constantFrom(undefined, "a"),
  leaves: fc.boolean(),
});
const disaster = fc.constantFrom("none", "none", "EIO", "ENOSPC", "torn", "slow");

test("whatever the disk does, every text is the text alone; also over restarts", async () => {
  const cold = await alone({ contextLength: 256 });
  const texts = new Map<string, Promise<readonly number[]>>();
  let restored = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(request, { maxLength: 8 }), disaster, fc.nat(6)), { minLength: 1, maxLength: 4 }),
      async (lives) => {
        disk = new MemoryFiles();
        for (const [requests, kind, pages] of lives) {
          let calls = 0;
          disk.capacity = kind === "ENOSPC" ? disk.bytes + 2 * PAGE_BYTES : Number.POSITIVE_INFINITY;
          disk.before = async (what) => {
            if (kind === "slow") for (let i = 0; i < calls % 5; i++) await turn();
            if (kind === "EIO" && ++calls % 3 === 0) throw new Error(`EIO in ${what}`);
          };
          if (kind === "torn")
            for (const file of disk.files.values()) if (++calls % 2) file.bytes = file.bytes.slice(0, -calls);
          const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
          const model = await nano({
            contextLength: 256,
            cacheBudget: pages * PAGE_BYTES,
            promptCache: { bytes: 12 * PAGE_BYTES },
          });
          const mine = engines.at(-1)!;
          await Promise.all(
            requests.map(async ({ system, length, seed, delay, salt, leaves }) => {
              const tokens = [...prompt(system, 70), ...prompt(100 + seed, length)];
              const key = tokens.join();
              if (!texts.has(key))
                texts.set(
                  key,
                  run(cold, tokens).then(({ tokens }) => tokens),
                );
              for (let i = 0; i < delay; i++) await turn();
              if (leaves) for await (const _ of model.complete(tokens, { ...GREEDY, cacheSalt: salt })) break;
              expect((await run(model, tokens, { cacheSalt: salt })).tokens).toEqual(await texts.get(key));
            }),
          );
          mine.cache.audit(mine.sequences.open);
          if (calls % 2) await settled(model); // or killed while it writes
          restored += model.stats().promptCache!.restoredTokens;
          model.close();
          expect(warn.mock.calls.length).toBeLessThanOrEqual(1);
          warn.mockRestore();
        }
      },
    ),
    { numRuns: 12 },
  );
  expect(restored).toBeGreaterThan(100);
});

/** Of the pages of LONG; where one changes, VERSION has to be another, so that nobody believes what an older version has written. */
const PAGES: Record<KvType, string> = {
  int8: "6617b51c21d46562c0fb4ae9aba5d9c08d9d79cfab8c8ab83c90125031102fac",
  int4: "6986a9b4f8ec11b37f675cfd88f2c02a475f1a0268996fae47374471ede736bc",
  f16: "e5791a4acd33058d39e54b4dc9de773c58ade935a1e29dc1496e4fa6626e5711",
  f32: "96e8093029329bd3aa356aa8f205c86ecd018f7122c9f932aa679ae8aa96145d",
};

test("names and bits are what they were: others mean another VERSION", async () => {
  expect(VERSION).toBe(2);
  const seen: Partial<Record<KvType, string>> = {};
  for (const kvType of Object.keys(PAGES) as KvType[]) {
    disk = new MemoryFiles();
    const model = await nano({ kvType });
    await run(model, LONG);
    await settled(model);
    const hash = createHash("sha256");
    for (const [name, { bytes }] of [...disk.files].sort(([a], [b]) => (a < b ? -1 : 1)))
      hash.update(name).update(bytes);
    seen[kvType] = hash.digest("hex");
  }
  expect(seen).toEqual(PAGES);
});
