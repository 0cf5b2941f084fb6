// Which kernels the clock chooses, on machines that are made up.

import { expect, test } from "vitest";
import { KERNEL_ALONE, KERNEL_STREAMS_FEW, KERNEL_STREAMS_ONE } from "../../../assembly/layout/abi";
import type { Build } from "../../../host/core/api/api";
import type { Core } from "../../../host/core/wasm/core";
import { KernelChoice } from "../../../host/core/wasm/kernel_choice";

/** A core that tells which kernels are set, and how long a pass over that many rows takes with them. */
function machine(build: Build, threads: number, time: (rows: number, kernels: number) => number) {
  let kernels = -1;
  const exports = { setKernels: (flags: number) => (kernels = flags) };
  const choice = new KernelChoice({ exports } as unknown as Core, { build, threads });
  return {
    get kernels() {
      return kernels;
    },
    run: (rows: number, passes = 1) => Array.from({ length: passes }, () => choice.learn(rows, time(rows, kernels))),
  };
}

const faster = (flag: number, share: number) => (_: number, kernels: number) => (kernels & flag ? 10 * share : 10);

test.each([
  [0.5, KERNEL_STREAMS_ONE],
  [0.99, KERNEL_STREAMS_ONE],
  [1.1, 0],
])("one token: four streams take %d of the time", (share, kernels) => {
  const engine = machine("simd", 1, faster(KERNEL_STREAMS_ONE, share));
  expect(engine.run(1, 8)).not.toContain(true);
  expect(engine.kernels).toBe(kernels);
  expect(engine.run(1, 100)).not.toContain(false);
  expect(engine.kernels).toBe(kernels);
});

test("a few tokens are another contest", () => {
  const engine = machine("simd", 1, (rows, kernels) => {
    const streams = kernels & (rows === 1 ? KERNEL_STREAMS_ONE : KERNEL_STREAMS_FEW);
    return (rows === 1) === (streams !== 0) ? 20 : 10;
  });
  engine.run(1, 8);
  engine.run(4, 8);
  expect(engine.kernels).toBe(KERNEL_STREAMS_FEW);
});

test("one slow pass of each does not decide", () => {
  let pass = 0;
  const engine = machine("simd", 1, (_, kernels) => (pass++ < 2 ? 500 : kernels & KERNEL_STREAMS_ONE ? 8 : 10));
  engine.run(1, 8);
  expect(engine.kernels).toBe(KERNEL_STREAMS_ONE);
});

test("threads that do not pay are taken out, and tried again", () => {
  let busy = true;
  const engine = machine("simd-mt", 2, (_, kernels) => (kernels & KERNEL_ALONE ? 20 : busy ? 30 : 12));
  engine.run(1, 16);
  expect(engine.kernels & KERNEL_ALONE).toBe(KERNEL_ALONE);
  busy = false;
  engine.run(1, 2000);
  expect(engine.kernels & KERNEL_ALONE).toBe(0);
});

test("one thread has nothing to take out; as fast is not enough", () => {
  const single = machine("simd", 1, () => 10);
  single.run(1, 100);
  expect(single.kernels & KERNEL_ALONE).toBe(0);
  const many = machine("simd-mt", 4, () => 10);
  many.run(1, 100);
  expect(many.kernels & KERNEL_ALONE).toBe(0);
});

test("a clock that stands still changes nothing", () => {
  const engine = machine("simd-mt", 2, () => 0);
  engine.run(1, 3000);
  engine.run(4, 3000);
  expect(engine.kernels).toBe(0);
});
