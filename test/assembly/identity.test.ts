// However a prompt is split into batches, and a file into chunks: the same bits.

import { describe, expect, it } from "vitest";
import { INFO_BOS, IO_BYTES, KV_F16, KV_F32, KV_INT4, KV_INT8, MAX_BATCH } from "../../assembly/layout/abi";
import { TYPE_F32, TYPE_Q8_0 } from "../../assembly/layout/blocks";
import { OK } from "../../assembly/layout/status";
import { bits, Core, heldText, NANO, type NanoType } from "../support/core";
import { tinyModel, writeGguf } from "../support/models/gguf_writer";
import { BASELINE, VARIANTS } from "../support/variants";

const PROMPT = 333;
const KV = [
  { kv: "int8", kvType: KV_INT8 },
  { kv: "int4", kvType: KV_INT4 },
  { kv: "f16", kvType: KV_F16 },
  { kv: "f32", kvType: KV_F32 },
];
const MODELS = (Object.keys(NANO) as NanoType[]).flatMap((type) => KV.map((kv) => ({ type, ...kv })));

/** Compares rows of logits bit by bit; says which row differs first. */
function expectSameBits(rows: Float32Array[], expected: Float32Array[], what: string): void {
  expect(rows.length).toBe(expected.length);
  const [ours, theirs] = [bits(rows), bits(expected)];
  const different = ours.findIndex((row, i) => row.some((word, j) => word !== theirs[i]![j]));
  expect(different, `${what}: first different position`).toBe(-1);
}

describe.each(VARIANTS)("bit identity: $name", (variant) => {
  describe.each(MODELS)("zagreus-nano $type, $kv KV", ({ type, kvType }) => {
    const core = new Core(variant).open(NANO[type](), { kvType });
    const prompt = [core.info(INFO_BOS), ...core.encode(heldText("ita").subarray(0, 4096))].slice(0, PROMPT);
    const whole = core.logits(prompt, MAX_BATCH);

    it("has finite logits that depend on the position", () => {
      expect(prompt.length).toBe(PROMPT);
      expect(whole.every((row) => row.every(Number.isFinite))).toBe(true);
      expect(bits([whole[9]!])).not.toEqual(bits([whole[10]!]));
    });

    it.skipIf(BASELINE.includes(variant))("has the baseline's logits", () => {
      const baseline = new Core(BASELINE[0]!).open(NANO[type](), { kvType });
      expectSameBits(whole, baseline.logits(prompt, MAX_BATCH), "another build");
    });

    it.each([1, 7, 32])("batches of %i", (batch) => {
      expectSameBits(core.logits(prompt, batch), whole, `batches of ${batch}`);
    });

    it("batches of changing size on a fresh instance", () => {
      const other = new Core(variant).open(NANO[type](), { kvType });
      const rows: Float32Array[] = [];
      for (let at = 0, turn = 0; at < prompt.length; turn++) {
        const batch = prompt.slice(at, at + [5, 64, 1, 2, 3, 33, 4, 63][turn % 8]!);
        rows.push(...other.logits(batch, MAX_BATCH, at));
        at += batch.length;
      }
      expectSameBits(rows, whole, "changing batches");
    });

    it("a pass some layers at a time, other calls in between, and one that is left in the middle", () => {
      const { exports: e } = core;
      const batch = prompt.slice(100, 163);
      core.prefill(prompt.slice(0, 130));
      for (const layers of [1, 2, 1000]) {
        const other = { position: 100, tokens: [5, 6, 7, 8, 9] };
        expect([core.beginRuns(other), e.sequenceLength(0)]).toEqual([OK, 100]);
        if (layers === 1) expect(e.forwardLayers(1)).toBeGreaterThan(0);
        expect(core.beginRuns({ position: 100, tokens: batch })).toBe(OK);
        for (let left = 1; left > 0; ) {
          core.encode("una parola");
          expect([e.logits(0, 1), e.sequenceLength(0)]).toEqual([0, 100]);
          left = e.forwardLayers(layers);
          expect(left).toBeGreaterThanOrEqual(0);
        }
        expect(e.sequenceLength(0)).toBe(163);
        expectSameBits(core.rows(0, batch.length), whole.slice(100, 163), `${layers} layers at a time`);
        expectSameBits(core.logits(prompt.slice(163), MAX_BATCH, 163), whole.slice(163), "what follows");
      }
    });

    it("a prompt run anew after the cache was cut", () => {
      for (const cut of [0, 1, 63, 64, 200]) {
        expect(core.exports.setLength(0, cut)).toBe(OK);
        expectSameBits(core.logits(prompt.slice(cut), MAX_BATCH, cut), whole.slice(cut), `cut at ${cut}`);
      }
      // forward() at an earlier position cuts by itself.
      core.prefill([1, 2, 3], 40);
      expectSameBits(core.logits(prompt.slice(17), 16, 17), whole.slice(17), "overwritten");
    });

    it("logits of one token alone, in any order", () => {
      core.prefill(prompt.slice(0, MAX_BATCH));
      for (const row of [63, 0, 31]) expectSameBits(core.rows(row, 1), [whole[row]!], `row ${row}`);
    });
  });

  it("a file fed in chunks of any size is the same model", () => {
    const { bytes } = writeGguf(tinyModel({ types: 2 }));
    const core = new Core(variant).open(bytes);
    const hash = core.exports.modelHash();
    const answer = core.fingerprint();
    for (const size of [1, 2, 3, 5, 7, 11, 13, 17, 18, 31, 34, 97, 509, 4093, 65521]) {
      core.open(bytes, { chunks: [size] });
      expect(core.exports.modelHash(), `chunks of ${size}`).toBe(hash);
      expect(core.fingerprint()).toBe(answer);
    }
    core.open(bytes, { chunks: [0, 1, 1000, 0, 33] });
    expect(core.exports.modelHash()).toBe(hash);
  });

  it.each(Object.keys(NANO) as NanoType[])("zagreus-nano %s in bytes, primes and whole buffers", (type) => {
    const file = NANO[type]();
    const core = new Core(variant).open(file, { chunks: [IO_BYTES] });
    const hash = core.exports.modelHash();
    for (const chunks of [[7919], [1, 104729, 2, 611953]]) {
      core.open(file, { chunks });
      expect(core.exports.modelHash(), `chunks of ${chunks}`).toBe(hash);
    }
    core.open(file, { chunks: type === "Q4_0" ? [1] : [13] });
    expect(core.exports.modelHash()).toBe(hash);
  });

  it("floats that become int8 are another model than the same int8", () => {
    const core = new Core(variant).open(writeGguf(tinyModel({ types: TYPE_Q8_0 })).bytes);
    const [hash, answer] = [core.exports.modelHash(), core.fingerprint()];
    core.open(writeGguf(tinyModel({ types: TYPE_F32 })).bytes);
    expect(core.fingerprint()).not.toBe(answer);
    expect(core.exports.modelHash()).not.toBe(hash);
  });

  it("models that differ in one bit have different hashes", () => {
    const { bytes, dataOffset } = writeGguf(tinyModel());
    const core = new Core(variant).open(bytes);
    const hash = core.exports.modelHash();
    const changed = bytes.slice();
    changed[dataOffset + 2] = changed[dataOffset + 2]! ^ 1;
    expect(core.open(changed).exports.modelHash()).not.toBe(hash);
    expect(core.open(bytes).exports.modelHash()).toBe(hash);
  });
});
