// A model cut into parts that fit: the plan, the pieces, and what is loaded from them.

import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundledModel, load } from "zagreus-edge";
import { loadShard, loadSharded, partSource } from "zagreus-edge/shards";
import { cutLayers, ownerOf } from "../../../host/core/shard/cut";
import { JAVASCRIPT_BYTES } from "../../../host/node/shards/plan";
import { json, zagreus } from "../../support/command";
import { caught, GREEDY, PROMPT } from "../../support/nano";
import { Served } from "./channels";

const folder = join(tmpdir(), `zagreus-${randomUUID()}`);
const model = fileURLToPath(bundledModel);
beforeAll(() => mkdir(folder));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the cut", () => {
  test("is of neighbours, and has the smallest largest part", () => {
    const costs = fc.array(fc.nat(50), { minLength: 1, maxLength: 9 });
    const property = fc.property(costs, fc.integer({ min: 1, max: 9 }), (costs, wanted) => {
      const shards = Math.min(wanted, costs.length);
      const ends = cutLayers(costs, shards);
      expect(ends).toHaveLength(shards);
      expect(ends.at(-1)).toBe(costs.length);
      expect(ends.every((end, i) => end > (ends[i - 1] ?? 0))).toBe(true);
      expect(largest(costs, ends)).toBe(Math.min(...allCuts(costs.length, shards).map((each) => largest(costs, each))));
    });
    fc.assert(property);
  });

  test("names of tensors say whose they are", () => {
    const names = [
      "token_embd.weight",
      "output.weight",
      "output_norm.weight",
      "rope_freqs.weight",
      "blk.12.ffn_up.weight",
    ];
    expect(names.map(ownerOf)).toEqual(["edge", "edge", "edge", "all", 12]);
  });
});

const largest = (costs: readonly number[], ends: readonly number[]) =>
  Math.max(...ends.map((end, i) => costs.slice(ends[i - 1] ?? 0, end).reduce((sum, cost) => sum + cost, 0)));

/** The ends of all cuts of `layers` layers into `shards`. */
function allCuts(layers: number, shards: number, from = 0): number[][] {
  if (shards === 1) return [[layers]];
  return Array.from({ length: layers - from - shards + 1 }, (_, i) => from + i + 1).flatMap((end) =>
    allCuts(layers, shards - 1, end).map((rest) => [end, ...rest]),
  );
}

interface Report {
  parts: { layers?: [number, number]; memory: number; total: number }[];
  pieces: number;
  bytes: number;
}

const FLAGS = ["--context", "256", "--sequences", "4", "--piece", "300K"];

describe("zagreus shard", () => {
  test("parts that fit, in pieces of which each is loaded by those who need it", async () => {
    const out = join(folder, "three");
    const args = ["shard", model, "-o", out, ...FLAGS, "--shards", "2", "--budget", "21M"];
    const { parts, pieces, bytes } = (await json(args)) as Report;
    expect(parts.map(({ layers }) => layers)).toEqual([undefined, [0, 4], [4, 8]]);
    for (const { memory, total } of parts) {
      expect(total).toBeLessThanOrEqual(21 * 2 ** 20);
      expect(total - memory).toBeGreaterThan(JAVASCRIPT_BYTES);
    }
    const file = await readFile(model);
    expect(bytes).toBe(file.length);
    expect((await readdir(out)).filter((name) => !/\.json$|^workers$/.test(name))).toHaveLength(pieces);

    const sources = await Promise.all([0, 1, 2].map((index) => partSource(out, index)));
    const own = sources.map(({ pieces }) => new Set(pieces));
    expect(new Set(sources.flatMap(({ pieces }) => pieces)).size).toBe(pieces);
    expect([...own[1]!].filter((piece) => own[2]!.has(piece)).length).toBeLessThan(own[1]!.size / 2); // the header
    const [edge, ...shards] = sources;
    const served = await Promise.all(
      shards.map(async ({ source, options, layers, cacheBudget, memory }) => {
        const shard = await loadShard(source, { ...options, build: "simd", layers: layers!, cacheBudget });
        expect(shard.info.memory).toBe(memory);
        return new Served(shard);
      }),
    );
    const connects = served.map(({ connect }) => connect);
    const sharded = await loadSharded(edge!.source, connects, { ...edge!.options, build: "simd" });
    expect(sharded.info.plan.memory).toBe(edge!.memory);
    expect(sharded.info.cacheLength).toBe(4 * 256);
    const alone = await load(bundledModel, { build: "simd", contextLength: 256 });
    const text = await alone.complete(PROMPT, { ...GREEDY, maxTokens: 32 }).text();
    expect(await sharded.complete(PROMPT, { ...GREEDY, maxTokens: 32 }).text()).toBe(text);
    for (const each of [sharded, alone, ...served.map(({ shard }) => shard)]) each.close();
  });

  test("as few as fit, and a refusal with figures where none or too few do", async () => {
    const out = join(folder, "few");
    const args = (flags: string[]) => [
      "shard",
      model,
      "-o",
      out,
      ...FLAGS,
      "--context",
      "512",
      "--kv",
      "f32",
      "--sequences",
      "16",
      ...flags,
    ];
    const shard = (...flags: string[]) => zagreus(args(flags));
    const parts = async (...flags: string[]) => ((await json(args(flags))) as Report).parts.length;
    expect(await parts()).toBe(2);
    const again = await shard();
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("a folder without workers/")]);
    await rm(join(out, "workers"), { recursive: true });
    expect(await parts("--budget", "21M")).toBeGreaterThan(2);
    await rm(join(out, "workers"), { recursive: true });
    const tooFew = await shard("--budget", "21M", "--shards", "1");
    expect(tooFew.code).toBe(1);
    expect(tooFew.stderr).toMatch(
      /of 1 shards, layers 0 to 7 needs [\d,]+ bytes \(memory [\d,]+, JavaScript and code 7,\d{3},\d{3}\), the budget is 22,020,096; \d shards would do/,
    );
    expect((await shard("--budget", "8M")).stderr).toMatch(
      /the edge, with a vocabulary of 8,192 tokens, needs .* `zagreus trim`/,
    );
    expect((await shard("--shards", "9")).stderr).toContain("an integer from 1 to 8, the model's layers");
  });

  test("a piece that is damaged, missing or another's is an error", async () => {
    const out = join(folder, "damaged");
    await zagreus(["shard", model, "-o", out, ...FLAGS, "--shards", "2", "--budget", "21M"]);
    const { pieces, options, layers } = await partSource(out, 1);
    const names = (await readdir(out)).filter((name) => !/\.json$|^workers$/.test(name)).sort();
    const path = join(out, names[pieces.at(-1)!]!);
    const bytes = await readFile(path);
    const loading = async () => {
      const { source } = await partSource(out, 1);
      return caught(loadShard(source, { ...options, layers: layers! }));
    };
    bytes[100]! ^= 1;
    await writeFile(path, bytes);
    expect(await loading()).toMatchObject({ code: "BAD_CHECKSUM" });
    await rm(path);
    expect(await loading()).toMatchObject({ code: "SOURCE_FAILED" });
    const { options: others } = await partSource(out, 2);
    expect(others).toEqual(options);
    const shards = JSON.parse(await readFile(join(out, "shards.json"), "utf8"));
    const refused = async (change: object) => {
      await writeFile(join(out, "shards.json"), JSON.stringify({ ...shards, ...change }));
      return caught(partSource(out, 1));
    };
    expect(await refused({ sha256: "0" })).toMatchObject({ code: "BAD_JSON", field: "sha256" });
    expect(await refused({ parts: shards.parts.slice(0, 1) })).toMatchObject({ code: "BAD_JSON", field: "parts" });
    expect(await refused({ parts: [shards.parts[0], shards.parts[2]] })).toMatchObject({ field: "parts[1].layers" });
    expect(await refused({ parts: [{ pieces: [3, 2] }, ...shards.parts.slice(1)] })).toMatchObject({
      field: "parts[0].pieces[1]",
    });
    expect(await refused({ contextLength: "256" })).toMatchObject({ field: "contextLength" });
  });
});
