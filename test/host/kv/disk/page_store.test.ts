// A folder with a limit, against a naive one; and when others use it, it is full, or fails.

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PageStore } from "../../../../host/core/kv/disk/page_store";
import { MemoryFiles } from "./memory_files";

const LIMIT = 100;
const TOUCH_MS = 600_000;
const nameOf = (i: number) => `${String(i).padStart(64, "0")}.kv`;
const bytesOf = (size: number, seed: number) => Uint8Array.from({ length: size }, (_, i) => seed + i);
const NONE: ReadonlySet<string> = new Set();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1e12 });
});
afterEach(() => {
  vi.useRealTimers();
});

function open(files: MemoryFiles, limit = LIMIT) {
  const said: string[] = [];
  return { store: new PageStore(files, limit, (line) => said.push(line)), said };
}

const name = fc.nat(11);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("put" as const), name, size: fc.integer({ min: 1, max: 40 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("use" as const), names: fc.uniqueArray(name, { maxLength: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("has" as const), name }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("get" as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("discard" as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const) }) },
  // Killed while it writes, or between two calls; another process begins.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), name: fc.option(name) }) },
);

/** The same by way of a sorted list. */
class Naive {
  files: { name: number; bytes: Uint8Array; disk: number; told: number }[] = [];

  find = (name: number) => this.files.find((file) => file.name === name);
  remove(name: number): void {
    this.files = this.files.filter((file) => file.name !== name);
  }
  put(name: number, bytes: Uint8Array): void {
    const sum = () => this.files.reduce((sum, file) => sum + file.bytes.length, 0);
    while (sum() + bytes.length > LIMIT) this.files.shift();
    this.remove(name);
    this.files.push({ name, bytes, disk: Date.now(), told: 0 });
  }
  use(names: readonly number[]): void {
    for (const name of names.toReversed()) {
      const file = this.find(name);
      this.remove(name);
      if (file) this.files.push(file);
    }
  }
  has(name: number): boolean {
    const file = this.find(name);
    if (file && Date.now() - file.told >= TOUCH_MS) {
      file.disk = file.told = Date.now();
      this.use([name]);
    }
    return file !== undefined;
  }
  restart(): void {
    this.files.sort((a, b) => a.disk - b.disk);
    for (const file of this.files) file.told = file.disk;
  }
}

test("it has what a naive one has, in the same order, also after crashes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const files = new MemoryFiles();
      const naive = new Naive();
      let { store, said } = open(files);
      await store.look();
      for (const [seed, each] of steps.entries()) {
        vi.advanceTimersByTime(1);
        if (each.kind === "put") {
          const bytes = bytesOf(each.size, seed);
          expect(await store.put(nameOf(each.name), bytes, NONE)).toBe(true);
          naive.put(each.name, bytes);
        } else if (each.kind === "use") {
          store.use(each.names.map(nameOf));
          naive.use(each.names);
        } else if (each.kind === "has") {
          const size = naive.find(each.name)?.bytes.length ?? 0;
          expect(await store.has(nameOf(each.name), size, Date.now())).toBe(naive.has(each.name));
        } else if (each.kind === "get") {
          expect(await store.get(nameOf(each.name), LIMIT)).toEqual(naive.find(each.name)?.bytes);
        } else if (each.kind === "discard") {
          await store.discard(nameOf(each.name));
          naive.remove(each.name);
        } else if (each.kind === "wait") {
          vi.advanceTimersByTime(TOUCH_MS);
        } else {
          if (each.name !== null) {
            files.before = (what) => (what === "write" ? new Promise(() => {}) : undefined); // never comes back
            void store.put(nameOf(each.name), bytesOf(1, 0), new Set(naive.files.map(({ name }) => nameOf(name))));
            await new Promise((resolve) => setImmediate(resolve));
            files.before = () => {};
          }
          ({ store } = open(files));
          await store.look();
          naive.restart();
        }
        const there = new Map([...files.files].map(([name, { bytes }]) => [name, bytes]));
        expect(there).toEqual(new Map(naive.files.map(({ name, bytes }) => [nameOf(name), bytes])));
        expect(store.bytes).toBe(files.bytes);
      }
      expect(said).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("files of earlier runs count, the least recently used go first, others' files stay", async () => {
  const files = new MemoryFiles();
  for (const [i, used] of [30, 10, 20].entries()) files.files.set(nameOf(i), { bytes: bytesOf(30, i), used });
  files.files.set("notes.txt", { bytes: bytesOf(500, 0), used: 0 });
  const { store } = open(files);
  expect(await store.put(nameOf(7), bytesOf(40, 7), NONE)).toBe(true);
  expect([...files.files.keys()].sort()).toEqual([nameOf(0), nameOf(2), nameOf(7), "notes.txt"].sort());
});

test("what is larger than the limit is not written; what comes at once stays below it; what belongs together does not drive itself out", async () => {
  const files = new MemoryFiles();
  const { store } = open(files);
  expect(await store.put(nameOf(0), bytesOf(LIMIT + 1, 0), NONE)).toBe(false);
  files.before = () => new Promise((resolve) => setImmediate(resolve));
  const names = Array.from({ length: 8 }, (_, i) => nameOf(i));
  const put = await Promise.all(names.map((name, i) => store.put(name, bytesOf(30, i), new Set(names))));
  expect(put.filter(Boolean)).toHaveLength(3);
  expect(files.bytes).toBe(90);
  expect(store.writes).toBe(true);
});

test("a full disk: others go, once more, then it ends with one line; reading goes on", async () => {
  const files = new MemoryFiles();
  files.capacity = 70;
  const { store, said } = open(files);
  for (let i = 0; i < 3; i++) expect(await store.put(nameOf(i), bytesOf(30, i), NONE)).toBe(true);
  expect([...files.files.keys()]).toEqual([nameOf(2)]); // room for two was made
  files.capacity = 10;
  for (let i = 3; i < 6; i++) expect(await store.put(nameOf(i), bytesOf(30, i), NONE)).toBe(false);
  expect(said).toEqual(["prompts are not written to the disk any more: no space left"]);
  expect(store.writes).toBe(false);
  files.files.set(nameOf(9), { bytes: bytesOf(5, 9), used: 0 });
  expect(await store.get(nameOf(9), 10)).toEqual(bytesOf(5, 9));
});

test.each(["list", "read", "write", "touch", "remove"])(
  "when every %s fails, nothing is there, and nobody is told an error",
  async (kind) => {
    const files = new MemoryFiles();
    const { store, said } = open(files, 60);
    await store.put(nameOf(0), bytesOf(30, 0), NONE);
    await store.put(nameOf(1), bytesOf(30, 1), NONE);
    files.before = (what) => {
      if (what === kind) throw new Error("EIO");
    };
    await store.put(nameOf(2), bytesOf(30, 2), NONE);
    await store.put(nameOf(3), bytesOf(30, 3), NONE);
    const got = await store.get(nameOf(0), 30);
    if (got) expect(got).toEqual(bytesOf(30, 0));
    await store.has(nameOf(3), 30, Date.now() + 2 * TOUCH_MS);
    await store.discard(nameOf(1));
    expect(said).toHaveLength(kind === "write" ? 1 : 0);
  },
);

test("two processes in one folder stay near its limit, and never read what is not whole", async () => {
  const ops = fc.array(fc.record({ who: fc.nat(1), name: fc.nat(30), size: fc.integer({ min: 1, max: 12 }) }), {
    maxLength: 80,
  });
  await fc.assert(
    fc.asyncProperty(ops, async (all) => {
      const files = new MemoryFiles();
      files.before = () => new Promise((resolve) => setImmediate(resolve));
      const stores = [open(files).store, open(files).store];
      for (let i = 0; i < all.length; i += 4) {
        vi.advanceTimersByTime(1);
        await Promise.all(
          all.slice(i, i + 4).map(({ who, name, size }) => stores[who]!.put(nameOf(name), bytesOf(size, name), NONE)),
        );
        expect(files.bytes).toBeLessThanOrEqual(LIMIT + 2 * (LIMIT / 8 + 4 * 12));
      }
      for (const { name } of all) {
        const bytes = await stores[0]!.get(nameOf(name), LIMIT);
        if (bytes) expect(bytes).toEqual(bytesOf(bytes.length, name));
      }
    }),
    { numRuns: 50 },
  );
});
