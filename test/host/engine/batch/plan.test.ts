// Who is in the next pass: a pure function, so all that it promises is a property.

import fc from "fast-check";
import { expect, test } from "vitest";
import { LOGIT_ROWS, MAX_BATCH } from "../../../../assembly/layout/abi";
import { isShort, planPass, type Waiting } from "../../../../host/core/engine/batch/plan";

const LIMITS = { prompt: 64, crowded: 32 };
const waiting = fc
  .array(fc.record({ client: fc.constantFrom("a", "b", "c"), rows: fc.integer({ min: 1, max: 5000 }) }), {
    maxLength: 16,
  })
  .map((all) => all.map((one, age) => ({ ...one, age })));
const served = fc.record({ a: fc.nat(1000), b: fc.nat(1000), c: fc.nat(1000) });

test("each once, no more rows than it wants, or than there is room for; short ones are there", () => {
  fc.assert(
    fc.property(waiting, served, fc.integer({ min: 1, max: 8 }), (all, rows, eighth) => {
      const limits = { prompt: 8 * eighth, crowded: Math.min(8 * eighth, 32) };
      const plan = planPass(all, (client) => rows[client as "a"], limits);
      expect(new Set(plan.map(({ waiting }) => waiting)).size).toBe(plan.length);
      for (const { waiting, rows } of plan) {
        expect(rows).toBeGreaterThan(0);
        expect(rows).toBeLessThanOrEqual(waiting.rows);
      }
      const sum = (of: typeof plan) => of.reduce((total, { rows }) => total + rows, 0);
      expect(sum(plan)).toBeLessThanOrEqual(MAX_BATCH);
      const prompts = plan.filter(({ waiting }) => !isShort(waiting));
      expect(sum(prompts)).toBeLessThanOrEqual(limits.prompt);
      if (prompts.length < plan.length) expect(sum(prompts)).toBeLessThanOrEqual(limits.crowded);
      const short = all.filter(isShort);
      if (sum(short.map((waiting) => ({ waiting, rows: waiting.rows }))) <= MAX_BATCH) {
        for (const one of short) expect(plan.find(({ waiting }) => waiting === one)?.rows).toBe(one.rows);
      }
      if (all.length > 0) expect(plan.length).toBeGreaterThan(0);
    }),
  );
});

/** Runs passes until all have ended; the pass in which each did. */
function play(all: Waiting[], fairness?: (client: string) => number): Map<Waiting, number> {
  const ends = new Map<Waiting, number>();
  const left = new Map(all.map((one) => [one, one.rows]));
  const got = new Map<string, number>();
  for (let pass = 1; left.size > 0; pass++) {
    expect(pass).toBeLessThan(10_000);
    const now = [...left].map(([one, rows]) => ({ ...one, rows, one }));
    for (const { waiting, rows } of planPass(now, fairness ?? ((client) => got.get(client) ?? 0), LIMITS)) {
      got.set(waiting.client, (got.get(waiting.client) ?? 0) + rows);
      const rest = left.get(waiting.one)! - rows;
      if (rest > 0) left.set(waiting.one, rest);
      else {
        left.delete(waiting.one);
        ends.set(waiting.one, pass);
      }
    }
  }
  return ends;
}

test("a short prompt behind a long one is through within two passes, of the same client or another", () => {
  for (const client of ["a", "b"]) {
    const long = { client: "a", age: 0, rows: 4000 };
    const short = { client, age: 1, rows: 20 };
    expect(play([long, short]).get(short)).toBeLessThanOrEqual(2);
  }
});

test("equal prompts end one after the other, not all at the end", () => {
  const all = [0, 1, 2, 3].map((age) => ({ client: "a", age, rows: 640 }));
  const ends = play(all);
  expect(all.map((one) => ends.get(one))).toEqual([10, 20, 30, 40]);
});

test("clients get the same, however many prompts each has", () => {
  const many = Array.from({ length: 8 }, (_, age) => ({ client: "a", age, rows: 1000 }));
  const one = { client: "b", age: 8, rows: 1000 };
  expect(play([...many, one]).get(one)).toBeLessThanOrEqual(2 * Math.ceil(1000 / 64) + 1);
});

test("whoever writes gets a row in every pass, whatever prompts come", () => {
  const writers = [1, 2, 3].map((age) => ({ client: "w", age, rows: 1 }));
  const prompts = Array.from({ length: 10 }, (_, age) => ({ client: "p", age: 10 + age, rows: 512 }));
  const plan = planPass([...prompts, ...writers], () => 0, LIMITS);
  for (const writer of writers) expect(plan.some(({ waiting }) => waiting === writer)).toBe(true);
  expect(plan.filter(({ waiting }) => !isShort(waiting))).not.toEqual([]);
  expect(LOGIT_ROWS).toBe(8);
});
