import { afterEach, expect, test, vi } from "vitest";
import { Pace } from "../../../host/core/engine/pace";

afterEach(() => vi.restoreAllMocks());

/** How often the event loop gets its turn in ten breaths, `step` ms apart. */
async function turns(step: number): Promise<number> {
  let now = 1000;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const macrotask = vi.fn(async () => {});
  const pace = new Pace(macrotask, () => {});
  for (let i = 0; i < 10; i++) {
    now += step;
    await pace.yield();
  }
  return macrotask.mock.calls.length;
}

test("the event loop gets its turn every 12 ms, and always where the clock stands still", async () => {
  expect(await turns(1)).toBe(0);
  expect(await turns(6)).toBe(5);
  expect(await turns(20)).toBe(10);
  expect(await turns(0)).toBe(10);
});
