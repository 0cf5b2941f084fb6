import fc from "fast-check";
import { expect, test } from "vitest";
import { ResponseStore } from "../../../../host/core/server/responses/store";

const kept = (id: string, size = 10, previous: string | null = null) => ({
  response: { id, output: [{ id: `msg_${id}`, text: "x".repeat(size) }], previous_response_id: previous },
  input: [],
});
const MIB = 2 ** 20;

test("what is put is found by its owner, whole or its items, and by nobody else", () => {
  const store = new ResponseStore();
  store.put("a", kept("r1"));
  expect(store.get("a", "r1")).toEqual(kept("r1"));
  expect(store.item("a", "msg_r1")).toEqual(kept("r1").response.output[0]);
  for (const owner of ["b", "", "a\n", "__proto__"]) {
    expect(store.get(owner, "r1")).toBe(undefined);
    expect(store.item(owner, "msg_r1")).toBe(undefined);
    expect(store.delete(owner, "r1")).toBe(false);
  }
  expect(store.delete("a", "r1")).toBe(true);
  expect([store.get("a", "r1"), store.item("a", "msg_r1"), store.bytes]).toEqual([undefined, undefined, 0]);
});

test("an owner has 1,000 at most, and 16 MiB; what was used longest ago gives way", () => {
  const store = new ResponseStore();
  for (let i = 0; i < 1000; i++) store.put("a", kept(`r${i}`));
  store.get("a", "r0");
  store.put("a", kept("r1000"));
  expect(store.get("a", "r0")).toBeDefined();
  expect(store.get("a", "r1")).toBe(undefined);
  for (let i = 0; i < 20; i++) store.put("b", kept(`s${i}`, MIB / 2));
  expect(store.get("b", "s4")).toBe(undefined);
  expect(store.get("b", "s5")).toBeDefined();
  expect(store.get("a", "r0")).toBeDefined();
  store.put("a", kept("huge", 9 * MIB));
  expect(store.get("a", "huge")).toBe(undefined);
});

test("all have 64 MiB at most; who has most gives way", () => {
  const store = new ResponseStore();
  store.put("small", kept("first"));
  for (let owner = 0; owner < 10; owner++) for (let i = 0; i < 8; i++) store.put(`${owner}`, kept(`r${i}`, MIB));
  expect(store.bytes).toBeLessThanOrEqual(64 * MIB);
  expect(store.get("small", "first")).toBeDefined();
  expect(store.get("9", "r7")).toBeDefined();
});

test("a day after its last use it is gone", () => {
  let now = 0;
  const store = new ResponseStore(() => now);
  const hour = 3_600_000;
  store.put("a", kept("old"));
  store.put("a", kept("used"));
  now = 23 * hour;
  expect(store.get("a", "used")).toBeDefined();
  now = 25 * hour;
  expect([store.get("a", "old"), store.item("a", "msg_old")]).toEqual([undefined, undefined]);
  expect(store.get("a", "used")).toBeDefined();
  now = 100 * hour;
  store.put("b", kept("new"));
  expect(store.get("a", "used")).toBe(undefined);
  expect(store.delete("b", "new")).toBe(true);
  expect(store.bytes).toBe(0);
});

test("bytes are those of what is there, whatever happens", () => {
  const step = fc.tuple(fc.constantFrom("put", "get", "delete"), fc.constantFrom("a", "b"), fc.nat(5), fc.nat(3 * MIB));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const store = new ResponseStore();
      const used = new Set<string>();
      for (const [what, owner, n, size] of steps) {
        const id = `r${n}-${used.size}`;
        if (what === "put") store.put(owner, kept(id, size));
        else if (what === "get") store.get(owner, [...used][n] ?? id);
        else store.delete(owner, [...used][n] ?? id);
        used.add(id);
      }
      const found = ["a", "b"].flatMap((owner) => [...used].flatMap((id) => store.get(owner, id) ?? []));
      const bytes = found.reduce((sum, one) => sum + 2 * JSON.stringify(one).length, 0);
      expect(store.bytes).toBe(bytes);
    }),
    { numRuns: 50 },
  );
});
