// Repositories with safetensors only, which become GGUF files in the cache.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type GgufMaker,
  type HubOptions,
  type HubPlatform,
  pullCheckpoint,
  pullGguf,
} from "../../../host/core/hub/index";
import { nodeFiles } from "../../../host/node/hub";
import {
  type HubFile,
  type HubRepository,
  type HubServer,
  settingsFor,
  sha256,
  startHub,
} from "../../support/hub_server";

const COMMIT = "c".repeat(39);
const REPOSITORY = "mii-llm/test";
const ID = `hf:${REPOSITORY}`;
const WEIGHTS: HubFile = { path: "model.safetensors", bytes: Buffer.alloc(600_000, 7), lfs: true };
const CONFIG: HubFile = { path: "config.json", bytes: Buffer.from("{}") };

let hub: HubServer;
let cache: string;
let repository: HubRepository;
/** What was made, by path. */
let made: string[];
beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), "zagreus-made-"));
  repository = { name: REPOSITORY, commit: `${COMMIT}1`, files: [WEIGHTS, CONFIG] };
  hub = await startHub([repository]);
  made = [];
});
afterEach(async () => {
  await hub.close();
  rmSync(cache, { recursive: true, force: true });
});

function platform(settings: Partial<HubPlatform["settings"]> = {}, files = nodeFiles): HubPlatform {
  return { files, fetch, settings: { ...settingsFor(hub, cache), ...settings } };
}

const make: GgufMaker["make"] = async ({ folder, name }, out, { type, calibrate }) => {
  const weights = readFileSync(join(folder, WEIGHTS.path));
  await nodeFiles.writeText(out, `${name} ${type} ${calibrate} ${sha256(weights)}`);
  made.push(out);
};
const maker: GgufMaker = { check: async () => {}, make };
const pull = (options: HubOptions = {}, on = platform(), id = ID) => pullGguf(on, id, options, maker);
const at = (...parts: string[]) => join(cache, "models--mii-llm--test", ...parts);
const blobs = () => readdirSync(at("blobs")).sort();
const fetched = () => hub.requests.filter(({ host }) => host === "cdn").length;

test("it is made once, of what is downloaded for it and removed again", async () => {
  const notices: string[] = [];
  const phases = new Set<string>();
  const path = await pull({ onNotice: (line) => notices.push(line), onProgress: ({ phase }) => phases.add(phase) });
  expect(path).toMatch(/models--mii-llm--test\/zagreus\/[0-9a-f]{16}\/test-Q4_0\.gguf$/);
  expect(readFileSync(path, "utf8")).toBe(`test q4_0 false ${sha256(WEIGHTS.bytes)}`);
  expect(notices[0]).toMatch(
    /^mii-llm\/test has safetensors only: downloading 0\.6 MB, then making test-Q4_0\.gguf, once \(.*\)$/,
  );
  expect(notices[1]).toMatch(/^made test-Q4_0\.gguf, 0\.0 MB, in \d+ s; its safetensors are removed again$/);
  expect([...phases]).toEqual(["download"]);
  expect(blobs()).not.toContain(sha256(WEIGHTS.bytes));
  expect(readdirSync(at("snapshots", repository.commit))).toEqual([CONFIG.path]);

  hub.requests.length = 0;
  expect(await pull()).toBe(path);
  expect(hub.requests.map(({ kind }) => kind)).toEqual(["api"]);
  expect(await pull({}, platform({ offline: true }))).toBe(path);
  await hub.close();
  expect(await pull()).toBe(path);
  expect(made).toEqual([path]);
  hub = await startHub([]);
});

test("another commit with the same files needs nothing new, one with others does", async () => {
  const first = await pull();
  repository.files.push({ path: "README.md", bytes: Buffer.from("#") });
  repository.commit = `${COMMIT}2`;
  expect(await pull()).toBe(first);
  repository.files[0] = { ...WEIGHTS, bytes: Buffer.alloc(600_000, 8) };
  repository.commit = `${COMMIT}3`;
  expect(await pull()).not.toBe(first);
  expect(fetched()).toBe(2);
});

test("safetensors that were there before stay, and those that are to", async () => {
  await pullCheckpoint(platform(), ID);
  await pull();
  expect(blobs()).toContain(sha256(WEIGHTS.bytes));
  rmSync(at(), { recursive: true });
  await pull({ quantize: { keepSource: true } });
  expect(blobs()).toContain(sha256(WEIGHTS.bytes));
  expect(fetched()).toBe(2);
});

test("without a network it is made of safetensors that are there, and missed if they are not", async () => {
  await expect(pull({}, platform({ offline: true }))).rejects.toMatchObject({ code: "OFFLINE" });
  await pullCheckpoint(platform(), ID);
  await pull({}, platform({ offline: true }));
  expect(made).toHaveLength(1);
});

test("types lie beside each other; without a wish what is there is taken, a calibrated file first", async () => {
  const wide = await pull({ quantize: { type: "q8_0" } });
  expect(await pull()).toBe(wide);
  const plain = await pull({ quantize: { type: "q4_0" } });
  expect(await pull()).toBe(plain);
  expect(wide).toMatch(/test-Q8_0\.gguf$/);
  const calibrated = await pull({ quantize: { calibrate: true } });
  expect(calibrated).toMatch(/test-Q4_0-calibrated\.gguf$/);
  expect(await pull()).toBe(calibrated);
  expect(await pull({ quantize: { calibrate: false } })).toBe(plain);
  expect(made).toHaveLength(3);
  const wrong = pull({ quantize: { type: "q8_0", calibrate: true } });
  await expect(wrong).rejects.toMatchObject({ code: "INVALID_OPTION", field: "quantize.calibrate" });
});

test("a GGUF file of the repository comes first, unless another type is asked for", async () => {
  repository.files.push({ path: "test-Q8_0.gguf", bytes: Buffer.from("GGUF"), lfs: true });
  expect(await pull()).toBe(at("snapshots", repository.commit, "test-Q8_0.gguf"));
  expect(await pull({ quantize: { type: "q8_0" } })).toBe(at("snapshots", repository.commit, "test-Q8_0.gguf"));
  expect(await pull({ quantize: { type: "q4_0" } })).toMatch(/zagreus\/.*test-Q4_0\.gguf$/);
  repository.files.splice(0, 1);
  repository.commit = `${COMMIT}2`;
  await expect(pull({ quantize: { type: "q4_0" } })).rejects.toMatchObject({ code: "HUB_NOT_FOUND" });
});

test("two that want it at once make it once", async () => {
  const notices: string[] = [];
  const options = { onNotice: (line: string) => notices.push(line) };
  const paths = await Promise.all([pull(options), pull(options), pull(options)]);
  expect(new Set(paths).size).toBe(1);
  expect(made).toHaveLength(1);
  expect(fetched()).toBe(1);
  expect(notices.filter((line) => line.includes("another process is making")).length).toBeGreaterThanOrEqual(2);
});

test("what failed goes on, remembers what is to be removed, and clears away what it left", async () => {
  const failing: GgufMaker["make"] = async (_, out) => {
    writeFileSync(join(out, "..", ".test-Q4_0.gguf.0123.part"), "half");
    throw new Error("killed");
  };
  await expect(pullGguf(platform(), ID, {}, { ...maker, make: failing })).rejects.toThrow("killed");
  expect(blobs()).toContain(sha256(WEIGHTS.bytes));
  const path = await pull();
  expect(fetched()).toBe(1);
  expect(blobs()).not.toContain(sha256(WEIGHTS.bytes));
  expect(readdirSync(join(path, ".."))).toEqual(["test-Q4_0.gguf"]);
});

test("a disk that is too full is told before the weights are downloaded", async () => {
  const files = { ...nodeFiles, freeBytes: async () => 10e6 };
  await expect(pull({}, platform({}, files))).rejects.toMatchObject({ code: "DISK_FULL", value: 10e6 });
  expect(fetched()).toBe(0);
});

test("what cannot be taken is refused before its weights are downloaded", async () => {
  const check = async () => {
    throw new Error("no llama");
  };
  await expect(pullGguf(platform(), ID, {}, { check, make })).rejects.toThrow("no llama");
  expect(fetched()).toBe(0);
});

test("an abort stops it, and nothing is there half", async () => {
  const controller = new AbortController();
  const stop: GgufMaker["make"] = async (_, __, { signal }) => {
    controller.abort();
    signal?.throwIfAborted();
  };
  await expect(pullGguf(platform(), ID, { signal: controller.signal }, { ...maker, make: stop })).rejects.toThrow();
  expect(
    existsSync(at("zagreus")) &&
      readdirSync(at("zagreus"), { recursive: true }).some((name) => `${name}`.endsWith(".gguf")),
  ).toBe(false);
  expect(readdirSync(join(cache, ".locks", "models--mii-llm--test"))).toEqual([]);
});
