import fc from "fast-check";
import { expect, test } from "vitest";
import { Fairness } from "../../../../host/core/engine/batch/fairness";
import { Queue, type Release } from "../../../../host/core/engine/queue";

test("places go by tokens: who always has requests waiting gets as many rows as others, whatever one takes", async () => {
  const costs = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(costs, fc.integer({ min: 1, max: 4 }), async (costs, places) => {
      const fairness = new Fairness();
      const queue = new Queue(places);
      queue.fairness = fairness;
      const got = costs.map(() => 0);
      const running: { client: number; release: Release }[] = [];
      const ask = (client: number) =>
        void queue.enter(undefined, String(client)).then((release) => running.push({ client, release }));
      costs.forEach((_, client) => {
        for (let i = 0; i <= places; i++) ask(client);
      });
      for (let step = 0; step < 400; step++) {
        await Promise.resolve();
        const { client, release } = running.shift()!;
        got[client]! += costs[client]!;
        fairness.add(String(client), costs[client]!);
        ask(client);
        release();
      }
      // Two requests of each client in each place is what is not counted yet when a place is given away.
      const bound = 2 * (places + 1) * Math.max(...costs);
      expect(Math.max(...got) - Math.min(...got)).toBeLessThanOrEqual(bound);
    }),
  );
});

test("one request after the other is no way to be first", () => {
  const fairness = new Fairness();
  fairness.enter("steady");
  fairness.enter("again");
  fairness.add("again", 100);
  fairness.leave("again");
  fairness.add("steady", 10);
  fairness.enter("again");
  expect(fairness.of("again")).toBe(100);
  fairness.leave("again");
  fairness.add("steady", 500);
  fairness.enter("again"); // without credit for the time away
  expect(fairness.of("again")).toBe(510);
});

test("what clients got is forgotten when all have gone, and of many that went", () => {
  const fairness = new Fairness();
  fairness.enter("a");
  fairness.add("a", 5);
  fairness.leave("a");
  expect(fairness.of("a")).toBe(0);
  fairness.enter("stays");
  for (let i = 0; i < 2000; i++) {
    fairness.enter(`${i}`);
    fairness.add(`${i}`, 7);
    fairness.leave(`${i}`);
  }
  const known = Array.from({ length: 2000 }, (_, i) => fairness.of(`${i}`)).filter((rows) => rows > 0);
  expect(known.length).toBeGreaterThan(0);
  expect(known.length).toBeLessThanOrEqual(1024);
});
