// Adapters in the core: llama.cpp's and PEFT's answers, and the same bits whatever else is there (test/fixtures/README.md).

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { INFO_SECTION, KV_F32, SECTION_ADAPTERS } from "../../assembly/layout/abi";
import { MAX_ADAPTER_RANK, MAX_ADAPTERS } from "../../assembly/layout/adapters";
import { BAD_OPTION, NON_FINITE_WEIGHT, OK } from "../../assembly/layout/status";
import type { Adapter } from "../../host/core/adapters/adapter";
import { readFixture } from "../host/adapters/support";
import { Core, fixture, NANO, type NanoType } from "../support/core";
import { openAdapter, useAdapters } from "../support/models/adapters";
import { divergence, largest } from "../support/models/reference";
import { turn } from "../support/turn";
import { BASELINE, VARIANTS } from "../support/variants";

interface Golden {
  vocab: number;
  prompts: { tokens: number[] }[];
  results: { setting: string; model: string; cases: { greedy: number[]; greedyGap: number[] }[] }[];
}
const golden: Golden = JSON.parse(fixture("fixtures/lora/goldens.json").toString());
const UPPER = 0;
const RECIPE = 1;
const SETTINGS: Record<string, Record<number, number>> = {
  off: {},
  "upper@1": { [UPPER]: 1 },
  "upper@0.5": { [UPPER]: 0.5 },
  "recipe@1": { [RECIPE]: 1 },
  "recipe@0.5": { [RECIPE]: 0.5 },
  "upper@1+recipe@1": { [UPPER]: 1, [RECIPE]: 1 },
};
/** Two logits that are closer than this may change places. */
const CLOSE = 0.15;
const MEAN_KL = 2e-3;

const upper = await readFixture("upper");
const recipe = await readFixture("recipe");

function open(variant: (typeof VARIANTS)[number], type: NanoType, adapters: readonly Adapter[], slots = 2): Core {
  const core = new Core(variant);
  expect(core.exports.reserveAdapters(slots, 16)).toBe(OK);
  core.open(NANO[type](), { kvType: KV_F32, contextLength: 512 });
  for (const [slot, adapter] of adapters.entries()) openAdapter(core, slot, adapter);
  return core;
}

/** Logits of the last position, as the oracle has them. */
function expected(setting: string, model: string): Float32Array[] {
  const name = setting.replaceAll("@", "_").replace("+", "-");
  const { buffer, byteOffset, length } = fixture(`fixtures/lora/logits/${name}-${model}.f16`);
  const view = new DataView(buffer, byteOffset, length);
  return golden.prompts.map((_, i) =>
    Float32Array.from({ length: golden.vocab }, (_, k) => half(view.getUint16(2 * (i * golden.vocab + k), true))),
  );
}

/** The same only when they are the same to the bit. */
function bits(rows: readonly Float32Array[]): string {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of rows) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex");
}

function half(value: number): number {
  const exponent = (value >> 10) & 31;
  const magnitude = exponent === 0 ? (value & 1023) * 2 ** -24 : (1 + (value & 1023) / 1024) * 2 ** (exponent - 15);
  return value & 0x8000 ? -magnitude : magnitude;
}

describe.each(VARIANTS)("adapters: $name", (variant) => {
  describe.each([
    ["F16", "float32", "F16"],
    ["Q4_0", "Q4_0", "Q4_0-weights"],
  ] as const)("%s", (type, model, other) => {
    const core = open(variant, type, [upper, recipe]);

    test.each(Object.keys(SETTINGS))("%s has the oracle's distribution", (setting) => {
      useAdapters(core, SETTINGS[setting]);
      const theirs = expected(setting, model);
      const kl = golden.prompts.map(({ tokens }, i) => divergence(theirs[i]!, core.logits(tokens).at(-1)!));
      const mean = kl.reduce((sum, value) => sum + value, 0) / kl.length;
      console.log(`${variant.name} ${type} ${setting}: mean KL ${mean.toExponential(2)}`);
      expect(mean).toBeLessThan(MEAN_KL);
    });

    test.each(Object.keys(SETTINGS))("%s is continued as the oracle does", (setting) => {
      useAdapters(core, SETTINGS[setting]);
      const [one, two] = [model, other].map(
        (name) => golden.results.find((result) => result.setting === setting && result.model === name)!,
      );
      for (const [i, { greedy, greedyGap }] of one!.cases.entries()) {
        const second = two!.cases[i]!;
        const rows = core.logits([...golden.prompts[i]!.tokens, ...greedy]).slice(golden.prompts[i]!.tokens.length - 1);
        // As far as both oracles say the same, and are sure.
        for (let k = 0; k < greedy.length && greedy[k] === second.greedy[k]; k++) {
          if (Math.min(greedyGap[k]!, second.greedyGap[k]!) <= CLOSE) continue;
          expect([i, k, largest(rows[k]!, 1)[0]]).toEqual([i, k, greedy[k]]);
        }
      }
    });
  });
});

const TOKENS = golden.prompts[9]!.tokens.slice(0, 67);

describe.each(VARIANTS)("bits: $name", (variant) => {
  test.each(["F16", "Q4_0"] as const)("%s: what is not used changes nothing", async (type) => {
    const plain = new Core(variant).open(NANO[type](), { contextLength: 512 });
    const core = open(variant, type, [upper, recipe]);
    const off = bits(plain.logits(TOKENS));
    for (const scales of [SETTINGS.off, { [UPPER]: 0 }]) {
      useAdapters(core, scales);
      expect(bits(core.logits(TOKENS))).toEqual(off);
      await turn();
    }
    useAdapters(core, { [UPPER]: 1 });
    expect(bits(core.logits(TOKENS))).not.toEqual(off);
  });

  test("no split of a prompt, slot, or other adapter changes a bit", async () => {
    const core = open(variant, "Q8_0", [upper, recipe]);
    useAdapters(core, { [UPPER]: 1, [RECIPE]: 0.5 });
    const whole = bits(core.logits(TOKENS));
    for (const batch of [1, 2, 3, 9, 33]) {
      expect(bits(core.logits(TOKENS, batch))).toEqual(whole);
      await turn();
    }
    const other = open(variant, "Q8_0", [recipe, recipe, upper, recipe], 4); // in this order of loading, as above
    other.exports.closeAdapter(0);
    other.exports.closeAdapter(1);
    useAdapters(other, { 2: 1, 3: 0.5 });
    expect(bits(other.logits(TOKENS))).toEqual(whole);
  });
});

test("builds have the same bits", () => {
  const all = VARIANTS.map((variant) => {
    const core = open(variant, "Q4_0", [upper, recipe]);
    useAdapters(core, { [UPPER]: 1, [RECIPE]: 1 });
    return bits(core.logits(TOKENS));
  });
  for (const other of all) expect(other).toEqual(all[0]);
});

test("a slot that is taken again has nothing of what was there", () => {
  const core = open(BASELINE[0]!, "Q4_0", [recipe, recipe]);
  openAdapter(core, 0, upper);
  useAdapters(core, { 0: 1 });
  const fresh = open(BASELINE[0]!, "Q4_0", [upper]);
  useAdapters(fresh, { 0: 1 });
  expect(bits(core.logits(TOKENS))).toEqual(bits(fresh.logits(TOKENS)));
});

test("the plan has the slots, and without any none", () => {
  const bytes = (slots: number, rank: number) => {
    const core = new Core(BASELINE[0]!);
    core.exports.reserveAdapters(slots, rank);
    return core.open(NANO.Q4_0()).info(INFO_SECTION + SECTION_ADAPTERS);
  };
  expect(bytes(0, 0)).toBe(0);
  expect(bytes(2, 16) - bytes(1, 16)).toBeGreaterThan(bytes(1, 8) / 4);
  expect(bytes(1, 64)).toBeGreaterThan(bytes(1, 16));
});

test("what is out of range is refused", () => {
  const core = new Core(BASELINE[0]!);
  const { exports: e } = core;
  expect([
    e.reserveAdapters(-1, 1),
    e.reserveAdapters(MAX_ADAPTERS + 1, 1),
    e.reserveAdapters(1, 0),
    e.reserveAdapters(1, MAX_ADAPTER_RANK + 1),
    e.openAdapter(0),
  ]).toEqual(Array(5).fill(BAD_OPTION));
  e.reserveAdapters(1, 16);
  core.open(NANO.Q4_0());
  core.floats(e.buffer(), 16 * 192).fill(1);
  expect([e.openAdapter(0), e.adapterSite(0, 0, 0, 16, 1), e.adapterRows(0, 0, 0, 0, 0, 16)]).toEqual([OK, OK, OK]);
  expect([
    e.openAdapter(1),
    e.openAdapter(-1),
    e.closeAdapter(1),
    e.adapterSite(1, 0, 0, 16, 1),
    e.adapterSite(0, 8, 0, 16, 1),
    e.adapterSite(0, 0, 7, 16, 1),
    e.adapterSite(0, 0, 0, 0, 1),
    e.adapterSite(0, 0, 0, 17, 1),
    e.adapterRows(0, 0, 0, 0, 0, 17),
    e.adapterRows(0, 0, 0, 0, -1, 1),
    e.adapterRows(0, 0, 1, 0, 0, 1), // not said to be there
    e.adapterRows(0, -1, 0, 0, 0, 1),
    e.adapterRows(0, 0, 0, 1, 0, 2 ** 30),
  ]).toEqual(Array(13).fill(BAD_OPTION));
  core.floats(e.buffer(), 1)[0] = Number.NaN;
  expect(e.adapterRows(0, 0, 0, 0, 0, 1)).toBe(NON_FINITE_WEIGHT);
});
