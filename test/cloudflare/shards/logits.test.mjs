// A model in shards, in workerd: the bits of one process.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { writeFullsize } from "../../support/models/fullsize.mjs";
import { javascript, modules } from "../isolate.mjs";
import { here, MODEL } from "../workerd.mjs";
import { cluster } from "./cluster.mjs";
import { logitsOf } from "./logits.mjs";

const FULL = here("../.cache/fullsize-q4_0-4096-1.gguf");
const BUDGET = 110e6;
const entries = { edge: here("shards/edge_worker.mjs"), shard: here("shards/shard_worker.mjs") };

async function alone(path, options) {
  const model = await load(path, options);
  const logits = await logitsOf(model);
  model.close();
  return logits;
}
const json = async (cluster, path) => (await fetch(new URL(path, cluster.url))).json();

/** Linear memory, code, and what V8 has for JavaScript, of each part. */
async function expectToFit(model) {
  const code = modules();
  const { name } = JSON.parse(model.configuration);
  const heaps = [];
  for (const [i, part] of model.plan.parts.entries()) {
    const heap = await javascript(model, i === 0 ? name : `${name}-shard-${i}`);
    const total = part.memory + code + heap;
    console.log(JSON.stringify({ part: i, memory: part.memory, code, javascript: heap, total }));
    expect(total).toBeLessThanOrEqual(BUDGET);
    heaps.push(heap);
  }
  return heaps;
}

test("zagreus-nano in three shards, also with a clock that stands still", async () => {
  const flags = ["--context", "256", "--shards", "3", "--kv", "f32"];
  const model = await cluster(MODEL, { flags, entries });
  expect(model.plan.parts).toHaveLength(4);
  const expected = await alone(MODEL, { contextLength: 256, kvType: "f32" });
  expect(await json(model, "/test/EDGE/logits")).toEqual(expected);
  for (const part of ["EDGE", "SHARD_1", "SHARD_2", "SHARD_3"]) await json(model, `/test/${part}/still`);
  expect(await json(model, "/test/EDGE/logits")).toEqual(expected);
  await model.dispose();
});

beforeAll(() => {
  if (!existsSync(FULL)) writeFullsize({ type: "q4_0", out: FULL });
});

test("pieces in a bucket of R2", async () => {
  const change = ({ serviceBindings: _, ...worker }) => ({ ...worker, r2Buckets: { MODELS: "models" } });
  const model = await cluster(MODEL, { flags: ["--context", "256", "--piece", "1M"], entries, change });
  expect(await (await model.post("/v1/completions", { prompt: "a" })).json()).toMatchObject({
    error: { message: expect.stringContaining('the R2 object "model/manifest.json" does not exist') },
  });
  const bucket = await model.miniflare.getR2Bucket("MODELS", JSON.parse(model.configuration).name);
  const folder = join(model.plan.workers, "weights", "assets", "model");
  for (const file of readdirSync(folder))
    await bucket.put(`model/${file}`, new Uint8Array(readFileSync(join(folder, file))));
  expect(await json(model, "/test/EDGE/logits")).toEqual(await alone(MODEL, { contextLength: 256 }));
  await model.dispose();
});

describe("0.4B", () => {
  let model;
  beforeAll(async () => {
    model = await cluster(FULL, { flags: ["--context", "2048", "--shards", "4"], entries, inspectorPort: 0 });
  });
  afterAll(() => model?.dispose());

  test("in four shards, for four at once with 2,048 positions each", async () => {
    expect(model.plan.parts.map(({ layers }) => layers)).toEqual([undefined, [0, 8], [8, 16], [16, 24], [24, 32]]);
    expect(await json(model, "/test/EDGE/logits")).toEqual(await alone(FULL, { contextLength: 2048 }));
  });

  test("256 tokens take as many requests as 16, and no calls", async () => {
    const shards = model.plan.parts.slice(1).map((_, i) => `SHARD_${i + 1}`);
    const counts = async () =>
      Object.fromEntries(
        await Promise.all(["EDGE", ...shards].map(async (part) => [part, await json(model, `/test/${part}/counts`)])),
      );
    const without = ({ messages: _, ...rest }) => rest;
    const spent = async (tokens) => {
      const before = await counts();
      const body = { prompt: "C'era una volta", max_tokens: tokens, temperature: 0, ignore_eos: true };
      const { usage } = await (await model.post("/v1/completions", body)).json();
      expect(usage.completion_tokens).toBe(tokens);
      const after = await counts();
      const difference = (part, name) => after[part][name] - before[part][name];
      return Object.keys(after).map((part) =>
        Object.fromEntries(Object.keys(after[part]).map((name) => [name, difference(part, name)])),
      );
    };
    await spent(1);
    const [few, many] = [await spent(16), await spent(256)];
    expect(few.map(without)).toEqual(many.map(without));
    console.log(JSON.stringify({ few, many }));
    expect(many[0]).toEqual({ fetches: 1, subrequests: 0, calls: 0 }); // connected before
    for (const shard of many.slice(1)) expect(shard.fetches).toBe(0);
  });

  test("every part stays below 110 MB, also behind a long prompt, whose frames are no garbage", async () => {
    const prompt = "uno due tre quattro cinque ".repeat(50);
    const answer = await (await model.post("/v1/completions", { prompt, max_tokens: 1 })).json();
    expect(answer.usage.prompt_tokens).toBeGreaterThan(300);
    const [, ...shards] = await expectToFit(model);
    for (const heap of shards) expect(heap).toBeLessThan(10e6);
  });
});

test("0.4B with 49,152 tokens in three shards", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zagreus-trimmed-"));
  const trimmed = join(folder, "trimmed.gguf");
  const args = ["trim", FULL, "--keep", "it,en", "--tokens", "49152", "-o", trimmed];
  execFileSync(process.execPath, [here("../../dist/cli.js"), ...args], { stdio: "ignore" });
  const model = await cluster(trimmed, { flags: ["--sequences", "1"], entries, inspectorPort: 0 });
  expect(model.plan.parts).toHaveLength(4);
  expect(model.plan.parts[0].total).toBeLessThan(60e6);
  expect(await json(model, "/test/EDGE/logits")).toEqual(await alone(trimmed, { contextLength: 2048 }));
  await expectToFit(model);
  await model.dispose();
  rmSync(folder, { recursive: true });
});
