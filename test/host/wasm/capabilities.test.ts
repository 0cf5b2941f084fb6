import { expect, test, vi } from "vitest";
import { chooseBuild } from "../../../host/core/wasm/builds";
import type { RelaxedSimd } from "../../../host/core/wasm/capabilities";
import * as capabilities from "../../../host/core/wasm/capabilities";
import type { ThreadSupport } from "../../../host/core/wasm/threads";

vi.mock("../../../host/core/wasm/capabilities", { spy: true });

const support: ThreadSupport = {
  defaultCount: 3,
  mayBlock: true,
  start() {
    throw new Error("not to be started");
  },
};

function pretend(relaxed: RelaxedSimd, shared = true): void {
  vi.mocked(capabilities.relaxedSimd).mockReturnValue(relaxed);
  vi.mocked(capabilities.sharesMemory).mockReturnValue(shared);
}

test("relaxed SIMD is absent from Node 20, and right in Node 22 and later", async () => {
  const actual = await vi.importActual<typeof capabilities>("../../../host/core/wasm/capabilities");
  const [major] = process.versions.node.split(".");
  if (Number(major) < 22) expect(actual.relaxedSimd()).toBe("absent");
  else expect(["good", "slow"]).toContain(actual.relaxedSimd());
  expect(actual.sharesMemory()).toBe(true);
});

test("the best build that works", () => {
  pretend("good");
  expect(chooseBuild({}, support)).toEqual({ build: "relaxed-mt", threads: 3 });
  expect(chooseBuild({ threads: 7 }, support)).toEqual({ build: "relaxed-mt", threads: 7 });
  expect(chooseBuild({ threads: 1 }, support)).toEqual({ build: "relaxed", threads: 1 });
  expect(chooseBuild({ threads: 7 }, undefined)).toEqual({ build: "relaxed", threads: 1 });
  for (const bad of ["absent", "wrong", "slow"] as const) {
    pretend(bad);
    expect(chooseBuild({}, support)).toEqual({ build: "simd-mt", threads: 3 });
  }
  pretend("good", false);
  expect(chooseBuild({}, support)).toEqual({ build: "relaxed", threads: 1 });
});

test("a wanted build runs, or says why not", () => {
  pretend("slow");
  expect(chooseBuild({ build: "relaxed" }, support)).toEqual({ build: "relaxed", threads: 1 });
  expect(chooseBuild({ build: "relaxed-mt" }, support)).toEqual({ build: "relaxed-mt", threads: 3 });
  expect(chooseBuild({ build: "simd-mt", threads: 1 }, support)).toEqual({ build: "simd-mt", threads: 1 });
  expect(() => chooseBuild({ build: "simd", threads: 2 }, support)).toThrow('must be 1 with build "simd"');
  expect(() => chooseBuild({ build: "simd-mt" }, undefined)).toThrow("there are no threads in this runtime");
  pretend("wrong", false);
  expect(() => chooseBuild({ build: "relaxed" }, support)).toThrow(
    expect.objectContaining({
      code: "UNSUPPORTED_RUNTIME",
      field: "build",
      value: "relaxed",
      message: 'build "relaxed" cannot run: this engine computes relaxed SIMD dots wrongly',
    }),
  );
  expect(() => chooseBuild({ build: "simd-mt" }, support)).toThrow("does not share memory");
});
