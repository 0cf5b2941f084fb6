// Several sequences in one batch, on pages anywhere: each has the bits that it has alone.

import { describe, expect, it } from "vitest";
import {
  INFO_BOS,
  INFO_PAGE_BYTES,
  INFO_PAGE_PARTS,
  INFO_PAGES,
  INFO_SEQUENCES,
  KV_F16,
  KV_F32,
  KV_INT4,
  KV_INT8,
  MAX_BATCH,
  MAX_SEQUENCES,
} from "../../assembly/layout/abi";
import { BLOCK } from "../../assembly/layout/kv";
import { LOADED, OK } from "../../assembly/layout/status";
import { bits, Core, heldText, NANO, statusName } from "../support/core";
import { VARIANTS } from "../support/variants";

const CONTEXT = 128;
/** Of zagreus-nano, by KV type: 8 layers, one head of 64. */
const PAGE_BYTES = { [KV_INT8]: 35_840, [KV_INT4]: 19_072, [KV_F16]: 65_536, [KV_F32]: 131_072 } as Record<
  number,
  number
>;
const KV = [
  { kv: "int8", kvType: KV_INT8 },
  { kv: "int4", kvType: KV_INT4 },
  { kv: "f16", kvType: KV_F16 },
  { kv: "f32", kvType: KV_F32 },
];

/** Gives a sequence its pages. */
function setPages(core: Core, sequence: number, pages: readonly number[]): void {
  core.words(core.exports.pageTable(sequence), pages.length).set(pages);
}
/** What the heads have of a page. */
function partsOf(core: Core, page: number): Uint8Array[] {
  return Array.from({ length: core.info(INFO_PAGE_PARTS) }, (_, part) =>
    core.bytes(core.exports.pagePart(page, part), core.exports.pagePartBytes(part)),
  );
}
function run(core: Core, ...runs: Parameters<Core["beginRuns"]>): void {
  expect(statusName(core.beginRuns(...runs)), JSON.stringify(core.failure())).toBe(statusName(OK));
  for (let left = 1; left > 0; ) {
    left = core.exports.forwardLayers(1);
    expect(left).toBeGreaterThanOrEqual(0);
  }
}

describe.each(VARIANTS)("sequences: $name", (variant) => {
  const open = (kvType: number) => {
    const cacheBudget = 28 * PAGE_BYTES[kvType]!;
    return new Core(variant).open(NANO.Q8_0(), { kvType, contextLength: CONTEXT, sequences: 8, cacheBudget });
  };
  const alone = new Core(variant);
  const texts = (["ita", "eng"] as const).flatMap((language) => {
    alone.open(NANO.Q8_0(), { contextLength: CONTEXT });
    const tokens = [alone.info(INFO_BOS), ...alone.encode(heldText(language).subarray(0, 4096))];
    return [0, 100, 200, 300].map((at) => tokens.slice(at, at + 100));
  });

  it.each(KV)("eight of different lengths in one batch, on scattered pages, $kv KV", ({ kvType }) => {
    const core = open(kvType);
    alone.open(NANO.Q8_0(), { kvType, contextLength: CONTEXT });
    // Pages in an order that is nobody's, filled with what NaN and Infinity look like.
    const order = Array.from({ length: 32 }, (_, i) => (i * 13 + 5) % 32);
    for (let page = 0; page < 32; page++) for (const part of partsOf(core, page)) part.fill(0xff);
    texts.forEach((_, i) => void setPages(core, i, order.slice(4 * i, 4 * i + 4)));
    const lengths = [1, 31, 32, 33, 64, 7, 99, 50];
    texts.forEach((tokens, sequence) => {
      for (let at = 0; at < lengths[sequence]!; at += 17) {
        const end = Math.min(at + 17, lengths[sequence]!);
        run(core, { sequence, position: at, tokens: tokens.slice(at, end) });
      }
    });
    // A mixed batch: one row of most, several of some.
    const counts = [1, 2, 1, 20, 1, 3, 1, 30];
    run(
      core,
      ...texts.map((tokens, sequence) => {
        const position = lengths[sequence]!;
        return { sequence, position, tokens: tokens.slice(position, position + counts[sequence]!) };
      }),
    );
    let first = 0;
    texts.forEach((tokens, sequence) => {
      const position = lengths[sequence]!;
      const expected = alone.logits(tokens.slice(0, position + counts[sequence]!), MAX_BATCH);
      const rows = core.rows(first, counts[sequence]!);
      expect(bits(rows), `sequence ${sequence}`).toEqual(bits(expected.slice(position)));
      expect(core.exports.sequenceLength(sequence)).toBe(position + counts[sequence]!);
      first += counts[sequence]!;
    });
  });

  it.each(KV)(
    "two that share the pages of what they begin with, and one that copies the last, $kv KV",
    ({ kvType }) => {
      const core = open(kvType);
      alone.open(NANO.Q8_0(), { kvType, contextLength: CONTEXT });
      const [text] = texts as [number[]];
      const other = [...text.slice(0, 75), ...texts[1]!.slice(0, 25)];
      setPages(core, 0, [9, 4, 6, 20]);
      run(core, { position: 0, tokens: text.slice(0, 64) });
      run(core, { position: 64, tokens: text.slice(64) });
      setPages(core, 1, [9, 4, 11, 13]);
      expect(core.exports.copyPage(6, 11, 75 - 64)).toBe(OK);
      core.words(core.exports.history(1), 75).set(text.slice(0, 75));
      expect(core.exports.setLength(1, 75)).toBe(OK);
      const bytesOf = (from: Core, page: number) =>
        partsOf(from, page).map((part) => Buffer.from(part).toString("hex"));
      const before = bytesOf(core, 6);
      run(core, { sequence: 1, position: 75, tokens: other.slice(75) });
      expect(bits(core.rows(0, 25))).toEqual(bits(alone.logits(other, MAX_BATCH).slice(75)));
      expect(bytesOf(core, 6)).toEqual(before);
      // A page that was cut is what it would be if no more had been run.
      const cut = open(kvType);
      setPages(cut, 0, [0, 1, 2]);
      for (const page of [0, 1, 2]) cut.exports.copyPage(page, page, 0);
      run(cut, { position: 0, tokens: text.slice(0, 64) });
      run(cut, { position: 64, tokens: text.slice(64, 75) });
      core.exports.copyPage(6, 12, 11);
      expect(bytesOf(core, 12)).toEqual(bytesOf(cut, 2));
    },
  );

  it("each draws with its own parameters, seed and history", () => {
    const core = open(KV_INT8);
    const sampling = (from: Core, sequence: number, seed: number) => {
      const view = new DataView(from.exports.memory.buffer, from.exports.sampler(sequence));
      view.setFloat32(0, 0.5 + seed / 10, true);
      view.setFloat32(16, 1 + seed / 5, true);
      from.exports.seed(sequence, BigInt(seed));
    };
    const expected = texts.map((tokens, i) => {
      alone.open(NANO.Q8_0(), { kvType: KV_INT8, contextLength: CONTEXT });
      sampling(alone, 0, i);
      alone.prefill(tokens.slice(0, 64));
      return Array.from({ length: 5 }, (_, n) => {
        const token = alone.next(n === 0 ? 63 : 0);
        alone.prefill([token], 64 + n);
        return token;
      });
    });
    texts.forEach((tokens, sequence) => {
      setPages(
        core,
        sequence,
        [0, 1, 2, 3].map((i) => 4 * sequence + i),
      );
      sampling(core, sequence, sequence);
      run(core, { sequence, position: 0, tokens: tokens.slice(0, 63) });
    });
    let last = texts.map((tokens) => tokens[63]!);
    for (let n = 0; n < 5; n++) {
      run(core, ...last.map((token, sequence) => ({ sequence, position: 63 + n, tokens: [token] })));
      core.exports.logits(0, 8);
      last = last.map((_, row) => core.exports.sample(row));
      expect(last).toEqual(expected.map((tokens) => tokens[n]!));
    }
  });

  it("takes as many pages as there is memory for, and says so", () => {
    const core = new Core(variant);
    const load = (into: Core, memoryBudget: number, pages: number) => {
      const plan = { contextLength: CONTEXT, kvType: KV_INT8, sequences: 4, cacheBudget: pages * PAGE_BYTES[KV_INT8]! };
      return into.load(NANO.Q4_0(), { ...plan, memoryBudget });
    };
    const fresh = (memoryBudget: number, pages: number) => {
      const other = new Core(variant);
      expect(load(other, memoryBudget, pages)).toBe(LOADED);
      expect(other.info(INFO_SEQUENCES)).toBe(4);
      if (memoryBudget) expect(other.memoryBytes).toBeLessThanOrEqual(memoryBudget);
      return other.info(INFO_PAGES);
    };
    const least = CONTEXT / BLOCK;
    expect(fresh(0, 0)).toBe(least);
    expect(fresh(0, 100)).toBe(least + 100);
    expect(load(core, 0, 0)).toBe(LOADED);
    const bytes = core.memoryBytes;
    const each = core.info(INFO_PAGE_BYTES);
    for (const more of [0, 1, each - 1, each, 3 * each + 70_000]) {
      const pages = fresh(bytes + more, 1000);
      expect(pages).toBeGreaterThanOrEqual(least + Math.floor((more - 65536) / each));
      expect(pages).toBeLessThanOrEqual(least + Math.floor((more + 65536) / each));
    }
    for (const sequences of [0, -1, MAX_SEQUENCES + 1]) {
      expect(statusName(core.load(NANO.Q4_0(), { sequences }))).toBe("BAD_OPTION");
    }
  });

  it("refuses runs that make no sense", () => {
    const core = open(KV_INT8);
    const refused = (...runs: Parameters<Core["beginRuns"]>) => [
      statusName(core.beginRuns(...runs)),
      core.failure().field,
    ];
    expect(refused()).toEqual(["BAD_OPTION", "runs"]);
    expect(refused({ sequence: 8, position: 0, tokens: [1] })).toEqual(["BAD_OPTION", "sequence"]);
    expect(refused({ position: 0, tokens: [1] }, { position: 0, tokens: [1] })).toEqual(["BAD_OPTION", "sequence"]);
    expect(refused({ position: 0, tokens: [1] }, { sequence: 1, position: 1, tokens: [1] })).toEqual([
      "BAD_OPTION",
      "position",
    ]);
    expect(
      refused({ position: 0, tokens: Array(60).fill(1) }, { sequence: 1, position: 0, tokens: [1, 1, 1, 1, 1] }),
    ).toEqual(["BAD_OPTION", "count"]);
    setPages(core, 1, [32]);
    expect(refused({ sequence: 1, position: 0, tokens: [1] })).toEqual(["BAD_OPTION", "page"]);
    expect(core.failure()).toMatchObject({ value: 32, expected: 31 });
    const { exports: e } = core;
    for (const sequence of [-1, 8, 2 ** 31 - 1]) {
      expect([e.history(sequence), e.pageTable(sequence), e.sampler(sequence)]).toEqual([0, 0, 0]);
      expect(statusName(e.setLength(sequence, 0))).toBe("BAD_OPTION");
      expect(statusName(e.pieceReset(sequence, -1))).toBe("BAD_OPTION");
      expect(statusName(-e.pieceAppend(sequence, 1))).toBe("BAD_OPTION");
      expect(statusName(e.seed(sequence, 1n))).toBe("BAD_OPTION");
    }
    for (const page of [-1, 32]) {
      expect(e.pagePart(page, 0)).toBe(0);
      expect([e.copyPage(page, 0, 0), e.copyPage(0, page, 0)].map(statusName)).toEqual(["BAD_OPTION", "BAD_OPTION"]);
    }
    for (const part of [-1, core.info(INFO_PAGE_PARTS)])
      expect([e.pagePart(0, part), e.pagePartBytes(part)]).toEqual([0, 0]);
    for (const length of [-1, 33]) expect(statusName(e.copyPage(0, 1, length))).toBe("BAD_OPTION");
  });
});
