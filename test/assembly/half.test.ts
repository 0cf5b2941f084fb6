// f16: eight at once are rounded as one by one, and come back as they are.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { compileText } from "../support/compile";
import { toHalf } from "../support/models/gguf_writer";

const SOURCE = `
import { loadHalves, toHalves } from "../../assembly/kernels/half";
export function round(target: usize, source: usize): void {
  v128.store(target, toHalves(v128.load(source), v128.load(source, 16)));
}
export function widen(target: usize, source: usize): void {
  v128.store(target, loadHalves(source));
  v128.store(target, loadHalves(source + 8), 16);
}`;
const VALUES = 1024;
const HALVES = 2048;
const BACK = 3072;

interface Exports {
  memory: WebAssembly.Memory;
  round(target: number, source: number): void;
  widen(target: number, source: number): void;
}
let core: Exports;
beforeAll(async () => {
  const { binary } = await compileText("half", SOURCE, "--target", "simd", "--initialMemory", "1");
  const imports = { env: { abort() {} } };
  const { instance } = await WebAssembly.instantiate(binary, imports);
  core = instance.exports as unknown as Exports;
});

/** Halves of eight numbers, and what they are as floats. */
function throughCore(values: readonly number[]): { halves: number[]; floats: number[] } {
  new Float32Array(core.memory.buffer, VALUES, 8).set(values);
  core.round(HALVES, VALUES);
  core.widen(BACK, HALVES);
  return {
    halves: [...new Uint16Array(core.memory.buffer, HALVES, 8)],
    floats: [...new Float32Array(core.memory.buffer, BACK, 8)],
  };
}

const below = fc.float({ min: -65519, max: 65519, noNaN: true });
const small = fc.float({ min: Math.fround(-1e-4), max: Math.fround(1e-4), noNaN: true });

test("floats below the limit", () => {
  const numbers = fc.array(fc.oneof(below, small), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(numbers, (values) => {
      const { halves, floats } = throughCore(values);
      expect(halves).toEqual(values.map(toHalf));
      const again = throughCore(floats);
      expect(again.halves).toEqual(halves);
    }),
    { numRuns: 5000 },
  );
});

test("every finite half is itself", () => {
  for (let bits = 0; bits < 65536; bits += 8) {
    if ((bits & 0x7c00) === 0x7c00) continue;
    const halves = Array.from({ length: 8 }, (_, i) => bits + i);
    new Uint16Array(core.memory.buffer, HALVES, 8).set(halves);
    core.widen(VALUES, HALVES);
    core.round(HALVES, VALUES);
    expect([...new Uint16Array(core.memory.buffer, HALVES, 8)]).toEqual(halves);
  }
});
