// Nothing is allocated after load, and a budget holds to the byte.

import { describe, expect, it } from "vitest";
import {
  INFO_ARENA_BYTES,
  INFO_BOS,
  INFO_CONTEXT,
  INFO_MEMORY_BYTES,
  INFO_SECTION,
  IO_BYTES,
  KV_F16,
  KV_F32,
  KV_INT4,
  KV_INT8,
  SECTION_ADAPTERS,
  SECTION_KV_CACHE,
  SECTIONS,
} from "../../assembly/layout/abi";
import { HEADER_READY, LOADED, OK, OVER_BUDGET } from "../../assembly/layout/status";
import { compile } from "../support/compile";
import { Core, compiled, NANO, statusName } from "../support/core";
import { tinyModel, writeGguf } from "../support/models/gguf_writer";
import { VARIANTS } from "../support/variants";

describe.each(VARIANTS)("memory: $name", (variant) => {
  it("imports nothing and exports its memory", () => {
    const module = compiled(variant);
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    expect(WebAssembly.Module.exports(module).filter(({ kind }) => kind === "memory")).toHaveLength(1);
  });

  it("holds nothing of the managed runtime", async () => {
    const { text } = await compile("assembly/index.ts", "--target", variant.name, "--debug");
    expect(text).toContain("(func $assembly/");
    expect(text.match(/\$~lib\/(rt|array|map|set|typedarray|arraybuffer)\b[^\s)]*/g) ?? []).toEqual([]);
    expect(text.match(/\$~lib\/string\/String#(concat|slice|substring)\b/g) ?? []).toEqual([]);
  });

  it("does not grow during 2,000 generated tokens", () => {
    for (const kvType of [KV_INT8, KV_INT4, KV_F16, KV_F32]) {
      const core = new Core(variant).open(NANO.Q8_0(), { kvType });
      const before = core.memoryBytes;
      expect(before).toBe(core.info(INFO_MEMORY_BYTES));
      core.sampling({ temperature: 0.8, topK: 40, topP: 0.95, repetitionPenalty: 1.1, noRepeatNgram: 4 });
      core.exports.seed(0, 7n);
      let token = core.info(INFO_BOS);
      let position = 0;
      for (let i = 0; i < 2000; i++) {
        if (position === core.info(INFO_CONTEXT)) position = 0;
        core.prefill([token], position++);
        token = core.next(0);
      }
      core.encode("La memoria non cresce. ".repeat(1000));
      core.exports.top(0, 20);
      core.exports.modelHash();
      expect(core.memoryBytes).toBe(before);
    }
  });

  it("plans sections that add up", () => {
    const core = new Core(variant).open(NANO.Q4_0());
    const sections = Array.from({ length: SECTIONS }, (_, section) => core.info(INFO_SECTION + section));
    expect(sections.every((bytes, i) => Number.isInteger(bytes) && bytes > 0 !== (i === SECTION_ADAPTERS))).toBe(true);
    expect(sections.reduce((sum, bytes) => sum + bytes, 0)).toBe(core.info(INFO_ARENA_BYTES));
    expect(core.info(INFO_MEMORY_BYTES)).toBeGreaterThan(core.info(INFO_ARENA_BYTES));
    expect(core.info(INFO_MEMORY_BYTES) - core.info(INFO_ARENA_BYTES)).toBeLessThan(2 * IO_BYTES + 2e5);
    // Keys and values of 8 layers, 512 positions, one head of 64.
    const elements = 2 * 8 * 512 * 64;
    expect(
      new Core(variant).open(NANO.Q4_0(), { kvType: KV_F32 }).info(INFO_SECTION + SECTION_KV_CACHE),
    ).toBeGreaterThanOrEqual(4 * elements);
    const f16 = new Core(variant).open(NANO.Q4_0(), { kvType: KV_F16 }).info(INFO_SECTION + SECTION_KV_CACHE);
    expect(f16).toBeGreaterThanOrEqual(2 * elements);
    expect(f16).toBeLessThan(2.2 * elements);
    const int8 = new Core(variant).open(NANO.Q4_0(), { kvType: KV_INT8 }).info(INFO_SECTION + SECTION_KV_CACHE);
    expect(int8).toBeGreaterThanOrEqual(elements);
    expect(int8).toBeLessThan(1.2 * elements);
    const int4 = new Core(variant).open(NANO.Q4_0(), { kvType: KV_INT4 }).info(INFO_SECTION + SECTION_KV_CACHE);
    expect(int4).toBeGreaterThanOrEqual(elements / 2);
    expect(int4).toBeLessThan(0.6 * elements);
  });

  it("refuses a budget too small before the first weight, and takes one that is just enough", () => {
    const file = NANO.Q8_0();
    const core = new Core(variant);
    for (const budget of [1, 1e6, 4e6]) {
      expect(statusName(core.load(file, { memoryBudget: budget }))).toBe("OVER_BUDGET");
      expect(core.failure().expected).toBe(budget);
    }
    const needed = core.failure().value;
    const used = core.memoryBytes;
    expect(used).toBeLessThan(needed);
    expect(core.load(file, { memoryBudget: needed - 1 })).toBe(OVER_BUDGET);
    expect(core.failure().value).toBe(needed);
    expect(core.memoryBytes).toBe(used);

    expect(core.load(file, { memoryBudget: needed })).toBe(LOADED);
    expect(core.memoryBytes).toBeLessThanOrEqual(needed);
    expect(core.fingerprint()).toBe(new Core(variant).open(file).fingerprint());
  });

  it("refuses in plan(), when only the header has been read", () => {
    const { bytes, dataOffset } = writeGguf(tinyModel());
    const core = new Core(variant);
    const { exports: e } = core;
    expect(e.begin(0, KV_INT8, 100_000, 1, 0)).toBe(OK);
    core.bytes(e.buffer(), dataOffset).set(bytes.subarray(0, dataOffset));
    expect(statusName(e.feed(dataOffset))).toBe(statusName(HEADER_READY));
    expect(statusName(e.plan())).toBe("OVER_BUDGET");
  });

  it("takes a shorter context into account", () => {
    const file = NANO.Q8_0();
    const kvBytes = (contextLength: number) =>
      new Core(variant).open(file, { contextLength }).info(INFO_SECTION + SECTION_KV_CACHE);
    expect(kvBytes(512) / kvBytes(128)).toBeCloseTo(4, 1);
  });
});
