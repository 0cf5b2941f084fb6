// The package as published, installed into an empty project and bundled there.

import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build as esbuild } from "esbuild";
import { createServer, build as viteBuild } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, MODEL, ROOT, serve } from "./harness.mjs";

const run = promisify(execFile);

/** A page, and a worker of its own, that use the package by its name. */
const PAGE = '<!doctype html><title>app</title><script type="module" src="./main.js"></script>';
const WRITE = `
import { load } from "zagreus-edge";
export async function write(options) {
  const model = await load("/model.gguf", options);
  const { build, threads } = model.info;
  const text = await model.complete("C'era una volta", { maxTokens: 8, temperature: 0 }).text();
  model.close();
  return { build, threads, text };
}
`;
const MAIN = `
import { write } from "./write.js";
globalThis.write = write;
globalThis.writeInWorker = () => new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = reject;
});
`;
const WORKER = `
import { write } from "./write.js";
write({}).then(postMessage);
`;

let chromium;
let project;
beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "zagreus-bundles-"));
  const npm = async (args, cwd) => (await run("npm", args, { cwd })).stdout.trim();
  const archive = await npm(["pack", "--silent", "--ignore-scripts", "--pack-destination", project], ROOT);
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await npm(["install", "--silent", "--no-audit", "--no-fund", join(project, archive)], project);
  const files = { "index.html": PAGE, "main.js": MAIN, "worker.js": WORKER, "write.js": WRITE };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(project, name), content);
  mkdirSync(join(project, "public"));
  writeFileSync(join(project, "public/model.gguf"), MODEL);
  chromium = await browser();
});
afterAll(async () => {
  await chromium?.close();
  rmSync(project, { recursive: true, force: true });
});

/** What the bundle in `folder` writes: on the page, in the package's worker, in a worker of the project. */
async function write(folder, isolated) {
  const server = await serve({ folder: join(project, folder), isolated });
  const page = await chromium.open(`${server.url}/index.html`);
  const results = await page.evaluate(async () => [
    await globalThis.write({}),
    await globalThis.write({ offload: true }),
    await globalThis.writeInWorker(),
  ]);
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
  return results;
}

/** Puts the cores and workers into `folder`. */
function copyLoaded(folder) {
  const dist = join(project, "node_modules/zagreus-edge/dist");
  for (const name of readdirSync(dist)) {
    if (/^browser-|^zagreus-(simd|relaxed)/.test(name)) copyFileSync(join(dist, name), join(project, folder, name));
  }
}

/** Relaxed SIMD or not, which a busy machine may decide otherwise every time. */
async function expectToWork(folder) {
  const [{ text }, ...others] = await write(folder, true);
  expect(text).not.toBe("");
  for (const other of others) expect(other).toMatchObject({ build: expect.stringMatching(/-mt$/), text });
  for (const other of await write(folder, false)) {
    expect(other).toEqual({ build: expect.stringMatching(/^(simd|relaxed)$/), threads: 1, text });
  }
}

test("Vite builds it without configuration", async () => {
  const cli = join(ROOT, "test/browser/node_modules/vite/bin/vite.js");
  const args = [cli, "build", "--logLevel", "warn", "--outDir", "vite"];
  await run(process.execPath, args, { cwd: project });
  const assets = readdirSync(join(project, "vite/assets"));
  expect(assets.filter((name) => name.endsWith(".wasm"))).toHaveLength(5); // four cores, and what quantizes safetensors
  expect(assets.filter((name) => name.endsWith(".gguf"))).toEqual([]); // nobody uses bundledModel
  await expectToWork("vite");
});

test("Vite ships the bundled model to those who use it", async () => {
  writeFileSync(
    join(project, "bundled.js"),
    'import { bundledModel } from "zagreus-edge/bundled-model"; globalThis.url = bundledModel;',
  );
  writeFileSync(join(project, "bundled.html"), PAGE.replace("main", "bundled"));
  const rollupOptions = { input: join(project, "bundled.html") };
  await viteBuild({ root: project, configFile: false, logLevel: "error", build: { outDir: "bundled", rollupOptions } });
  expect(readdirSync(join(project, "bundled/assets")).filter((name) => name.endsWith(".gguf"))).toHaveLength(1);
});

test("a classic script works when what it loads lies beside it", async () => {
  await esbuild({
    absWorkingDir: project,
    entryPoints: ["main.js"],
    outdir: "classic",
    bundle: true,
    format: "iife",
    logLevel: "error",
    logOverride: { "empty-import-meta": "silent" },
  });
  writeFileSync(join(project, "classic/index.html"), PAGE.replace(' type="module"', ""));
  copyLoaded("classic");
  const server = await serve({ folder: join(project, "classic"), isolated: true });
  const page = await chromium.open(`${server.url}/index.html`);
  for (const options of [{}, { offload: true }]) {
    expect(await page.evaluate((options) => globalThis.write(options), options)).toMatchObject({
      build: expect.stringMatching(/-mt$/),
      text: expect.any(String),
    });
  }
  await page.close();
  await server.close();
});

test("Vite's development server serves it", async () => {
  const server = await createServer({
    root: project,
    configFile: false,
    logLevel: "error",
    server: { host: "localhost", port: 0, watch: null },
  });
  await server.listen();
  const page = await chromium.open(server.resolvedUrls.local[0]);
  await page.waitForFunction(() => globalThis.write);
  for (const options of [{}, { offload: true }]) {
    expect(await page.evaluate((options) => globalThis.write(options), options)).toMatchObject({ threads: 1 });
  }
  await page.close();
  await server.close();
});

test("esbuild bundles it; what it loads lies beside the bundle", async () => {
  await esbuild({
    absWorkingDir: project,
    entryPoints: ["main.js", "worker.js"],
    outdir: "esbuild",
    bundle: true,
    format: "esm",
    logLevel: "error",
  });
  copyFileSync(join(project, "index.html"), join(project, "esbuild/index.html"));
  copyLoaded("esbuild");
  await expectToWork("esbuild");
});

test("no bundle at all: an import map is enough", async () => {
  const map = { imports: { "zagreus-edge": "/node_modules/zagreus-edge/dist/browser.js" } };
  writeFileSync(
    join(project, "plain.html"),
    PAGE.replace("<script", `<script type="importmap">${JSON.stringify(map)}</script><script`),
  );
  const server = await serve({ folder: project, isolated: true });
  const page = await chromium.open(`${server.url}/plain.html`);
  expect(await page.evaluate(() => globalThis.write({ offload: true }))).toMatchObject({ threads: expect.any(Number) });
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
});
