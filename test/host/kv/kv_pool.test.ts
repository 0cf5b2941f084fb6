// The pool of parked KV, whose blocks here hold a hash of all tokens up to each position, so that wrong bytes show.

import fc from "fast-check";
import { expect, test } from "vitest";
import { BLOCK_TOKENS, type Found, HERE, KvPool } from "../../../host/core/kv/kv_pool";

const BLOCK_BYTES = 4 * BLOCK_TOKENS;
const NOTHING: Found = { blocks: [], length: 0 };

function hashes(tokens: readonly number[]): number[] {
  let hash = 1;
  return tokens.map((token) => (hash = (Math.imul(hash ^ token, 0x9e3779b1) ^ (hash >>> 7)) >>> 0));
}

class TestPool {
  readonly pool: KvPool;
  readonly buffers = new Set<Uint8Array>();
  reads = 0;

  constructor(blocks: number) {
    this.pool = new KvPool(BLOCK_BYTES, blocks * BLOCK_BYTES);
  }

  store(tokens: readonly number[], needed = NOTHING): void {
    const words = hashes(tokens);
    const read = (index: number, target: Uint8Array) => {
      this.reads++;
      this.buffers.add(target);
      const own = words.slice(index * BLOCK_TOKENS, (index + 1) * BLOCK_TOKENS);
      new Uint32Array(target.buffer).fill(0xdead).set(own);
    };
    this.pool.store(tokens, HERE, read, needed);
  }

  /** Length of what is found, whose bytes are checked. */
  find(tokens: readonly number[]): number {
    const { blocks, length } = this.pool.find(tokens, HERE);
    const words = blocks.flatMap(({ bytes }) => [...new Uint32Array(bytes.buffer)]);
    expect(words.slice(0, length)).toEqual(hashes(tokens.slice(0, length)));
    expect(blocks.length).toBe(Math.ceil(length / BLOCK_TOKENS));
    return length;
  }
}

function common(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}

/** Sequences of few kinds of runs, so that many begin alike and part anywhere. */
const sequence = fc
  .array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 40 })), { maxLength: 5 })
  .map((runs) => runs.flatMap(([token, length]) => Array<number>(length).fill(token)));

test("without a limit the longest common beginning is found, with its bytes", () => {
  fc.assert(
    fc.property(fc.array(sequence, { maxLength: 12 }), sequence, (stored, wanted) => {
      const pool = new TestPool(1000);
      for (const tokens of stored) pool.store(tokens);
      for (const tokens of stored) expect(pool.find(tokens)).toBe(tokens.length);
      const reads = pool.reads;
      for (const tokens of stored) pool.store(tokens);
      expect(pool.reads).toBe(reads);
      expect(pool.find(wanted)).toBe(Math.max(0, ...stored.map((tokens) => common(tokens, wanted))));
    }),
    { numRuns: 500 },
  );
});

test("within a limit: the newest is there, what was needed too, memory stays, and all bytes are right", () => {
  const step = fc.record({
    kind: fc.constantFrom("store", "store", "find", "forget"),
    tokens: sequence,
    needed: sequence,
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 12 }), fc.array(step, { maxLength: 40 }), (most, steps) => {
      const pool = new TestPool(most);
      for (const { kind, tokens, needed } of steps) {
        if (kind === "store") {
          const found = pool.pool.find(needed, HERE);
          const held = pool.find(needed);
          pool.store(tokens, found);
          const free = most - found.blocks.length;
          expect(pool.find(tokens)).toBeGreaterThanOrEqual(Math.min(tokens.length, free * BLOCK_TOKENS));
          expect(pool.find(needed)).toBeGreaterThanOrEqual(held);
        }
        if (kind === "forget") pool.pool.forget(tokens, HERE);
        pool.find(tokens);
        expect(pool.pool.size).toBeLessThanOrEqual(most);
        expect(pool.buffers.size).toBeLessThanOrEqual(most);
      }
    }),
    { numRuns: 500 },
  );
});

test("what begins alike is kept once", () => {
  const pool = new TestPool(100);
  const trunk = Array.from({ length: 5 * BLOCK_TOKENS }, (_, i) => i);
  for (let i = 0; i < 20; i++) pool.store([...trunk, 1000 + i]);
  expect(pool.pool.size).toBe(5 + 20);
  pool.store([...trunk, 1003, 7, 7]); // grows in its place
  expect(pool.pool.size).toBe(25);
  expect(pool.find([...trunk, 1003, 7, 7, 7])).toBe(trunk.length + 3);
});

test("the least recently used goes first, its end before its beginning", () => {
  const pool = new TestPool(4);
  const run = (token: number, blocks: number) => Array<number>(blocks * BLOCK_TOKENS).fill(token);
  pool.store(run(1, 2));
  pool.store(run(2, 2));
  expect(pool.find(run(1, 2))).toBe(2 * BLOCK_TOKENS); // used again
  pool.store(run(3, 1));
  expect([1, 2, 3].map((token) => pool.find(run(token, 2)) / BLOCK_TOKENS)).toEqual([2, 1, 1]);
  pool.store(run(4, 9)); // more than there is room for: the beginning
  expect([1, 2, 3, 4].map((token) => pool.find(run(token, 9)) / BLOCK_TOKENS)).toEqual([0, 0, 0, 4]);
});

test("what others vouch for stays apart", () => {
  const pool = new KvPool(BLOCK_BYTES, 10 * BLOCK_BYTES);
  const other = {};
  pool.store([1, 2, 3], other, (_, target) => target.fill(7));
  expect(pool.find([1, 2, 3], HERE).length).toBe(0);
  pool.store([1, 2], HERE, (_, target) => target.fill(8));
  expect([pool.find([1, 2, 3], HERE).length, pool.find([1, 2, 3], other).length]).toEqual([2, 3]);
  pool.forget([1, 2, 3], HERE);
  expect([pool.find([1, 2, 3], HERE).length, pool.find([1, 2, 3], other).length]).toEqual([0, 3]);
  expect(pool.find([1, 2, 3], other).blocks[0]!.bytes[0]).toBe(7);
});

test("where there is no memory nothing is kept", () => {
  const pool = new KvPool(2 ** 52, 2 ** 53);
  pool.store([1, 2, 3], HERE, () => {});
  expect(pool.size).toBe(0);
  expect(pool.find([1, 2, 3], HERE)).toEqual(NOTHING);
});

test("forgetting makes room, except for what others begin with", () => {
  const pool = new TestPool(100);
  const trunk = Array<number>(BLOCK_TOKENS).fill(5);
  pool.store([...trunk, 1, 2, 3]);
  pool.store([...trunk, 1, 9]);
  pool.pool.forget([...trunk, 1, 2, 3, 4], HERE); // a session knows one token more than was run
  expect(pool.find([...trunk, 1, 2, 3])).toBe(BLOCK_TOKENS + 1);
  pool.pool.forget([...trunk, 1], HERE); // of the other one only the beginning
  expect(pool.find([...trunk, 1, 9])).toBe(BLOCK_TOKENS + 2);
  pool.pool.forget([...trunk, 1, 9], HERE);
  expect(pool.pool.size).toBe(0);
});
