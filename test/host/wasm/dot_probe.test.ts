// What the probe concludes of engines that treat the eighth bit of a relaxed dot in the ways there are, and of their speed.

import { expect, test } from "vitest";
import { KERNEL_ADD, KERNEL_BYTES_SIGNED, KERNEL_BYTES_UNSIGNED } from "../../../assembly/layout/abi";
import { DOT_PROBE, type DotProbe, dotKernels, judgeDot } from "../../../host/core/wasm/dot_probe";

const byte = (word: number, at: number) => (word >>> (8 * at)) & 255;
const signed = (value: number) => (value << 24) >> 24;
const saturated = (sum: number) => Math.max(-32768, Math.min(32767, sum));

type Dot = DotProbe["dot"];
const products = (x: number, w: number, factor: (byte: number) => number) =>
  [0, 1, 2, 3].map((at) => signed(byte(x, at)) * factor(byte(w, at))) as [number, number, number, number];
const sum = (all: number[]) => all.reduce((a, b) => a + b, 0);

const SIGNED: Dot = (x, w) => sum(products(x, w, signed));
const UNSIGNED: Dot = (x, w) => sum(products(x, w, (value) => value));
/** x64 without AVX-VNNI: vpmaddubsw saturates. */
const SATURATING: Dot = (x, w) => {
  const [a, b, c, d] = products(x, w, (value) => value);
  return saturated(a + b) + saturated(c + d);
};
const WRONG: Dot = (x, w) => SIGNED(x, w) + 1;

/** An engine with this dot, whose sums by it take `share` of the time of the others. */
function judged(dot: Dot, share: number): number {
  let clock = 0;
  const probe: DotProbe = {
    dot,
    i16: () => {
      clock += 0.1;
      return 0;
    },
    add: () => {
      clock += 0.1 * share;
      return 0;
    },
  };
  return judgeDot(probe, () => clock);
}

test.each([
  ["signed bytes", SIGNED, KERNEL_ADD | KERNEL_BYTES_SIGNED],
  ["unsigned bytes", UNSIGNED, KERNEL_ADD | KERNEL_BYTES_UNSIGNED],
  ["saturating", SATURATING, KERNEL_ADD],
  ["wrong", WRONG, 0],
] as const)("%s, fast", (_, dot, kernels) => expect(judged(dot, 0.6)).toBe(kernels));

test("what is hardly faster, slower or not measured is not taken", () => {
  for (const share of [0.85, 1, 2]) expect(judged(UNSIGNED, share)).toBe(0);
  expect(judgeDot({ dot: UNSIGNED, i16: () => 0, add: () => 0 }, () => 7)).toBe(0);
});

test("an engine that becomes inexact when it has compiled is not believed", () => {
  let calls = 0;
  const dot: Dot = (x, w) => (calls++ < 8 ? UNSIGNED(x, w) : SATURATING(x, w));
  expect(judged(dot, 0.6)).toBe(KERNEL_ADD);
});

test("this engine", () => {
  const kernels = dotKernels();
  if (!WebAssembly.validate(DOT_PROBE)) expect(kernels).toBe(0);
  expect([0, KERNEL_ADD, KERNEL_ADD | KERNEL_BYTES_SIGNED, KERNEL_ADD | KERNEL_BYTES_UNSIGNED]).toContain(kernels);
  console.log(`kernels of the relaxed dot here: ${kernels}`);
});
