// Files of the package that the caller says the place of.

import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundledModel, inspect, load, type NodeLoadOptions } from "zagreus-edge";

const DIST = fileURLToPath(new URL("../../../dist/", import.meta.url));
const core = (build: string) => `${DIST}zagreus-${build}.wasm`;
const bytes = (build: string) => new Uint8Array(readFileSync(core(build)));

let folder: string;
let worker: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "zagreus-assets-"));
  worker = join(folder, "worker.mjs");
  const entryPoints = [`${DIST}model_thread.js`];
  await build({ entryPoints, outfile: worker, bundle: true, platform: "node", format: "esm", logLevel: "error" });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a model is run by, and what it writes. */
async function use(options: NodeLoadOptions) {
  const model = options.offload
    ? await load(bundledModel, { ...options, offload: true })
    : await load(bundledModel, { ...options, offload: false });
  const text = await model.complete("C'era una volta", { maxTokens: 5, temperature: 0 }).text();
  const { build, threads } = model.info;
  model.close();
  return { build, threads, text };
}

test("a folder: by path, as a URL, and elsewhere than the package", async () => {
  const { text } = await use({});
  cpSync(DIST, join(folder, "copy"), { recursive: true });
  for (const assets of [DIST, DIST.slice(0, -1), pathToFileURL(join(folder, "copy")), join(folder, "copy")]) {
    expect(await use({ assets, build: "simd-mt", threads: 2 })).toEqual({ build: "simd-mt", threads: 2, text });
    expect(await use({ assets, build: "simd", offload: true })).toEqual({ build: "simd", threads: 1, text });
  }
});

test("one core is the build that runs, in whatever form it comes", async () => {
  const { text } = await use({});
  const { buffer } = bytes("simd");
  const forms = [core("simd"), pathToFileURL(core("simd")), bytes("simd"), buffer, new WebAssembly.Module(buffer)];
  for (const core of forms) expect(await use({ assets: { core } })).toEqual({ build: "simd", threads: 1, text });
  expect(await use({ assets: { core: forms[0]! }, threads: 2 })).toMatchObject({ build: "simd", threads: 1 });
  expect((await inspect(bundledModel, { assets: { core: forms[0]! } })).build).toBe("simd");
  expect(await use({ assets: { core: core("simd-mt") }, threads: 2 })).toEqual({ build: "simd-mt", threads: 2, text });
});

test("of several cores the best one runs", async () => {
  const assets = { core: { simd: core("simd"), "simd-mt": bytes("simd-mt") } };
  expect(await use({ assets, threads: 2 })).toMatchObject({ build: "simd-mt", threads: 2 });
  expect(await use({ assets, threads: 1 })).toMatchObject({ build: "simd", threads: 1 });
  expect(await use({ assets, threads: 2, offload: true })).toMatchObject({ build: "simd-mt", threads: 2 });
});

test("one script is that of the model's thread and of compute threads; as text it is a data: URL", async () => {
  const { text } = await use({});
  const data = `data:text/javascript,${encodeURIComponent(readFileSync(worker, "utf8"))}`;
  for (const script of [worker, pathToFileURL(worker), data]) {
    const assets = { core: bytes("simd-mt"), worker: script };
    for (const offload of [false, true]) {
      expect(await use({ assets, threads: 2, offload })).toEqual({ build: "simd-mt", threads: 2, text });
    }
  }
});

test("a core of a server is read once", async () => {
  let requests = 0;
  const server = createServer((_, response) => {
    requests++;
    response.end(bytes("simd"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/core.wasm`;
  for (const _ of [1, 2]) expect(await use({ assets: { core: url } })).toMatchObject({ build: "simd" });
  expect(requests).toBe(1);
  server.close();
});

const foreign = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const old = () =>
  Buffer.from(bytes("simd").map((byte, i, all) => (all[i + 1] === 0x20 && i > all.length - 8 ? 0x39 : byte)));

test.each([
  ["INVALID_OPTION", '"assets" is 7, must be a path, a URL, or an object of some', 7],
  ["INVALID_OPTION", '"assets" is "http://[bad", must be a URL', "http://[bad"],
  ["INVALID_OPTION", 'unknown option "kore", must be one of core, worker', { kore: "x" }],
  ["INVALID_OPTION", '"assets.core" is 7', { core: 7 }],
  ["INVALID_OPTION", '"assets.core" is an object, must be one core at least', { core: {} }],
  ["INVALID_OPTION", "must be by the builds simd, relaxed, simd-mt, relaxed-mt", { core: { fast: "x" } }],
  ["INVALID_OPTION", '"assets.core.simd" is null', { core: { simd: null } }],
  ["INVALID_OPTION", 'option "build" is "simd", must be relaxed', { core: { relaxed: bytes("simd") } }],
  ["INVALID_OPTION", '"assets.core.simd" is "simd-mt", must be simd', { core: { simd: bytes("simd-mt") } }],
  ["INVALID_OPTION", 'option "build" is "simd", must be simd-mt', { core: bytes("simd-mt") }],
  ["INVALID_OPTION", "must be a core of zagreus-edge 0.", { core: foreign }],
  ["INVALID_OPTION", 'is "version 0.1.9", must be version 0.1.0', { core: old() }],
  ["SOURCE_FAILED", "cannot load the core from assets.core: ", { core: new Uint8Array(3) }],
  ["SOURCE_FAILED", "cannot load the core from none.wasm: ENOENT", { core: "none.wasm" }],
  ["INVALID_OPTION", '"assets.core" is "ftp://host/x"', { core: "ftp://host/x" }],
  ["INVALID_OPTION", '"assets.worker" is "7"', { worker: 7 }],
] as const)("%s: %s", async (code, message, assets) => {
  const error = await load(bundledModel, { assets: assets as never, build: "simd" }).catch((error) => error);
  expect(error).toMatchObject({ name: "ZagreusError", code, message: expect.stringContaining(message) });
});

test("a script that fails is THREAD_FAILED", async () => {
  writeFileSync(join(folder, "broken.mjs"), "throw new Error('no');");
  const assets = { worker: join(folder, "broken.mjs") };
  await expect(load(bundledModel, { assets, offload: true })).rejects.toMatchObject({ code: "THREAD_FAILED" });
});
