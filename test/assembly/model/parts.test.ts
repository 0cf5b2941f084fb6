// Parts of a model: the edge and runs of layers, each in a core of its own, give the bits of the whole.

import { describe, expect, it, test } from "vitest";
import {
  ALL_LAYERS,
  INFO_ARENA_BYTES,
  INFO_BOS,
  INFO_HIDDEN,
  INFO_LAYERS,
  INFO_MEMORY_BYTES,
  INFO_PAGE_BYTES,
  INFO_PAGES,
  INFO_SECTION,
  KV_F32,
  KV_INT8,
  SECTION_KV_CACHE,
  SECTION_SAMPLER,
  SECTION_TOKENIZER,
  SECTION_WEIGHTS,
} from "../../../assembly/layout/abi";
import { BAD_OPTION, LOADED, MISSING_TENSOR, OK, OVER_BUDGET, WRONG_STATE } from "../../../assembly/layout/status";
import { sharedMemory } from "../../../host/core/wasm/instantiate";
import { bits, Core, heldText, type LoadOptions, NANO, statusName } from "../../support/core";
import { turn } from "../../support/turn";
import { BASELINE, VARIANTS, type Variant } from "../../support/variants";

const CONTEXT = 96;
const LAYERS = 8;
const OPTIONS: LoadOptions = { kvType: KV_INT8, contextLength: CONTEXT, sequences: 4, cacheBudget: 2 ** 20 };
type Run = Parameters<Core["beginRuns"]>[0];

/** A core on one thread. */
const start = (variant: Variant) => new Core(variant, variant.name.endsWith("-mt") ? sharedMemory() : undefined);

function part(variant: Variant, file: Uint8Array, [first, end]: readonly [number, number], options = OPTIONS): Core {
  const core = start(variant);
  expect(core.exports.takePart(first === end ? 1 : 0, first, end)).toBe(OK);
  return core.open(file, options);
}

/** The edge, and layers between these. */
function cut(variant: Variant, file: Uint8Array, ends: readonly number[], options = OPTIONS): Core[] {
  return [[0, 0] as const, ...ends.map((end, i) => [ends[i - 1] ?? 0, end] as const)].map((range) =>
    part(variant, file, range, options),
  );
}

function setPages(core: Core): void {
  for (let sequence = 0; sequence < 4; sequence++)
    core.words(core.exports.pageTable(sequence), 3).set([3 * sequence + 1, 3 * sequence, 3 * sequence + 2]);
}

const floats = (core: Core, address: number, count: number) => core.floats(address, count).slice();

/** Runs what beginForward() has begun. */
function runLayers(core: Core): void {
  for (let left = 1; left > 0; ) {
    left = core.exports.forwardLayers(3);
    expect(left).toBeGreaterThanOrEqual(0);
  }
}

/** A pass over all parts; logits of the edge are valid behind it. */
function pass([edge, ...shards]: readonly Core[], runs: readonly Run[]): void {
  const begin = (core: Core) => expect(statusName(core.beginRuns(...runs))).toBe(statusName(OK));
  const rows = runs.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const width = rows * edge!.info(INFO_HIDDEN);
  begin(edge!);
  runLayers(edge!);
  let x = floats(edge!, edge!.exports.residual(), width);
  let overflows = floats(edge!, edge!.exports.overflows(), rows);
  const write = (core: Core) => {
    core.floats(core.exports.residual(), width).set(x);
    core.floats(core.exports.overflows(), rows).set(overflows);
  };
  for (const shard of shards) {
    begin(shard);
    write(shard);
    runLayers(shard);
    x = floats(shard, shard.exports.residual(), width);
    overflows = floats(shard, shard.exports.overflows(), rows);
  }
  write(edge!);
}

/** Passes over four texts of different lengths, and their logits. */
function logitsOf(core: Core, run: (runs: readonly Run[]) => void): Float32Array[] {
  const tokens = [core.info(INFO_BOS), ...core.encode(heldText("ita").subarray(0, 2048))];
  const texts = [0, 60, 120, 180].map((at) => tokens.slice(at, at + 60));
  const out: Float32Array[] = [];
  const rounds = [
    [31, 1, 3, 8],
    [1, 5, 1, 2],
    [1, 1, 2, 1],
  ];
  const positions = [0, 0, 0, 0];
  for (const counts of rounds) {
    run(
      counts.map((count, sequence) => {
        const position = positions[sequence]!;
        positions[sequence]! += count;
        return { sequence, position, tokens: texts[sequence]!.slice(position, position + count) };
      }),
    );
    out.push(
      ...core.rows(
        0,
        counts.reduce((sum, count) => sum + count),
      ),
    );
  }
  return out;
}

const THREADED = VARIANTS.map(({ name, wasm }) => ({ name: `${name}-mt`, wasm: wasm.replace(".wasm", "-mt.wasm") }));
const CUTS = [
  [3, 8],
  [2, 5, 8],
  [1, 2, 7, 8],
];

describe.each([...VARIANTS, ...THREADED])("parts: $name", (variant) => {
  it.each(["Q8_0", "Q4_0"] as const)("have the bits of the whole, %s", async (type) => {
    const whole = start(variant).open(NANO[type](), OPTIONS);
    setPages(whole);
    const expected = bits(
      logitsOf(whole, (runs) => {
        expect(whole.beginRuns(...runs)).toBe(OK);
        runLayers(whole);
      }),
    );
    for (const ends of CUTS) {
      await turn();
      const parts = cut(variant, NANO[type](), ends);
      parts.forEach(setPages);
      expect(bits(logitsOf(parts[0]!, (runs) => pass(parts, runs))), `${ends}`).toEqual(expected);
    }
  });
});

const [variant] = BASELINE as [Variant];

test("plans have what the part needs, to the byte, and nothing of the others", () => {
  const whole = start(variant).open(NANO.Q8_0(), OPTIONS);
  const section = (core: Core, index: number) => core.info(INFO_SECTION + index);
  const parts = cut(variant, NANO.Q8_0(), [3, 8]);
  const [edge, first, second] = parts as [Core, Core, Core];
  const sum = (index: number) => parts.reduce((total, core) => total + section(core, index), 0);
  expect(sum(SECTION_WEIGHTS)).toBe(section(whole, SECTION_WEIGHTS));
  for (const core of parts) expect(core.info(INFO_LAYERS)).toBe(LAYERS);
  expect(first.info(INFO_PAGE_BYTES) + second.info(INFO_PAGE_BYTES)).toBe(whole.info(INFO_PAGE_BYTES));
  expect(first.info(INFO_PAGE_BYTES) / 3).toBe(whole.info(INFO_PAGE_BYTES) / LAYERS);
  // The fewer layers, the more pages for the same budget; an edge can have as many as anybody.
  expect(section(edge, SECTION_KV_CACHE)).toBe(0);
  expect(edge.info(INFO_PAGES)).toBeGreaterThan(first.info(INFO_PAGES));
  expect(first.info(INFO_PAGES)).toBeGreaterThan(second.info(INFO_PAGES));
  for (const index of [SECTION_TOKENIZER, SECTION_SAMPLER]) {
    expect(section(edge, index)).toBe(section(whole, index));
    expect(section(first, index)).toBe(0);
  }
  for (const core of parts) {
    expect(core.info(INFO_ARENA_BYTES)).toBeLessThan(whole.info(INFO_ARENA_BYTES) * 0.7);
    expect(core.memoryBytes).toBe(core.info(INFO_MEMORY_BYTES));
  }
  const needed = second.info(INFO_MEMORY_BYTES);
  const tight = start(variant);
  tight.exports.takePart(0, 3, LAYERS);
  const least = { ...OPTIONS, cacheBudget: 0 };
  expect(tight.load(NANO.Q8_0(), { ...least, memoryBudget: needed })).toBe(LOADED);
  expect(tight.load(NANO.Q8_0(), { ...least, memoryBudget: 2 ** 20 })).toBe(OVER_BUDGET);
});

test("a file may come in any pieces", () => {
  const file = NANO.Q4_0();
  const expected = cut(variant, file, [4, 8]).map((core) => core.exports.modelHash());
  expect(new Set(expected).size).toBe(3);
  const chunks = [1, 17, 4096, 65537, 3];
  const fed = cut(variant, file, [4, 8], { ...OPTIONS, chunks }).map((core) => core.exports.modelHash());
  expect(fed).toEqual(expected);
});

test("a part lacks nothing of its own, and answers nothing that is another's", () => {
  const shard = part(variant, NANO.Q8_0(), [2, 5]);
  const { exports: e } = shard;
  setPages(shard);
  expect(shard.beginRuns({ position: 0, tokens: [1, 2] })).toBe(OK);
  shard.floats(e.residual(), 2 * shard.info(INFO_HIDDEN)).fill(0.5);
  expect(e.forwardLayers(2)).toBe(1);
  expect(e.forwardLayers(2)).toBe(0);
  expect(e.logits(0, 1)).toBe(0);
  expect(e.hidden(0, 1)).toBe(0);
  expect(e.encode(0, 0)).toBe(-WRONG_STATE);
  expect(e.tokenBytes(1)).toBe(-WRONG_STATE);
  expect(e.tokenType(1)).toBe(-WRONG_STATE);
  expect(e.findToken(1)).toBe(-1);
  expect(e.pieceReset(0, -1)).toBe(WRONG_STATE);
  expect(e.pieceAppend(0, 1)).toBe(-WRONG_STATE);
  expect(e.sample(0)).toBeLessThan(0);
  // Tensors that it does not have may be missing in the file; its own must not.
  const cutShort = NANO.Q8_0().slice();
  const name = Buffer.from("blk.1.attn_norm.weight");
  cutShort.set(Buffer.from("blk.0"), Buffer.from(cutShort).indexOf(name)); // twice layer 0, none of 1
  expect(part(variant, cutShort, [2, 5]).info(INFO_LAYERS)).toBe(LAYERS);
  const lacking = start(variant);
  lacking.exports.takePart(0, 1, 3);
  expect(lacking.load(cutShort, OPTIONS)).toBe(MISSING_TENSOR);
  expect(lacking.failure().field).toBe("blk.1.attn_norm.weight");
});

test("a row that has overflowed says so behind the last part", () => {
  const parts = cut(variant, NANO.Q8_0(), [4, 8], { ...OPTIONS, kvType: KV_F32 });
  parts.forEach(setPages);
  const [edge, first] = parts as [Core, Core, Core];
  const norm = { position: 0, tokens: [1, 2, 3] };
  expect(edge.beginRuns(norm)).toBe(OK);
  runLayers(edge);
  const rows = floats(edge, edge.exports.residual(), 3 * edge.info(INFO_HIDDEN));
  rows.fill(3e38, edge.info(INFO_HIDDEN), 2 * edge.info(INFO_HIDDEN));
  expect(first.beginRuns(norm)).toBe(OK);
  first.floats(first.exports.residual(), rows.length).set(rows);
  runLayers(first);
  const overflows = floats(first, first.exports.overflows(), 3);
  expect([...overflows].map((value) => value !== 0)).toEqual([false, true, false]);
  edge.floats(edge.exports.overflows(), 3).set(overflows);
  expect([0, 1, 2].map((row) => edge.exports.rowStatus(row, 1) === OK)).toEqual([true, false, true]);
  expect(first.exports.sequenceLength(0)).toBe(0);
});

test("parts that no model has are refused", () => {
  const core = start(variant);
  const { exports: e } = core;
  for (const [edge, first, end] of [
    [0, -1, 2],
    [0, 2, 2],
    [1, 3, 2],
    [0, 2, ALL_LAYERS],
  ] as const)
    expect(e.takePart(edge, first, end)).toBe(BAD_OPTION);
  expect(e.takePart(0, 0, 9)).toBe(OK);
  expect(core.load(NANO.Q8_0(), OPTIONS)).toBe(BAD_OPTION);
  expect(core.failure()).toEqual({ field: "layers", value: 9, expected: LAYERS });
  expect(e.takePart(1, 0, ALL_LAYERS)).toBe(OK);
  expect(core.load(NANO.Q8_0(), OPTIONS)).toBe(LOADED);
});
