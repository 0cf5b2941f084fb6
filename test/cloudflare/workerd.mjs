// A Worker of these tests in workerd, with zagreus-nano in R2 and, in pieces, as static assets.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

export const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const MODEL = here("../../host/models/zagreus-nano-Q8_0.gguf");
export const VERSION = createRequire(import.meta.url)("workerd/package.json").version;

/** The package by its name: its exports for Workers. */
const itself = {
  name: "zagreus-edge",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^zagreus-edge/ }, ({ path, kind, pluginData }) =>
      pluginData === itself ? undefined : resolve(path, { kind, resolveDir: here("../.."), pluginData: itself }),
    );
  },
};

/** Bundles a Worker as wrangler does: WebAssembly stays beside it, as modules of its own. */
export async function bundle(entry) {
  const wasm = new Map();
  const modules = {
    name: "wasm",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path, importer }) => {
        wasm.set(basename(path), join(dirname(importer), path));
        return { path: `./${basename(path)}`, external: true };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
    plugins: [itself, modules],
    external: ["cloudflare:workers"],
    write: false,
  });
  return [
    { type: "ESModule", path: "worker.js", contents: outputFiles[0].text },
    ...[...wasm].map(([path, file]) => ({ type: "CompiledWasm", path, contents: readFileSync(file) })),
  ];
}

/** Runs `entry` of this directory; dispose() ends it. `prepare` may change the folder of the assets, where model/ is. */
export async function workerd(entry, options = {}, prepare = () => {}) {
  const folder = mkdtempSync(join(tmpdir(), "zagreus-cloudflare-"));
  const split = ["split", MODEL, "-o", join(folder, "model"), "--piece", "2M"];
  execFileSync(process.execPath, [here("../../dist/cli.js"), ...split]);
  prepare(folder);
  const miniflare = new Miniflare({
    compatibilityDate: "2026-01-01",
    modules: await bundle(here(entry)),
    r2Buckets: ["MODELS"],
    assets: { directory: folder, binding: "ASSETS", routerConfig: { has_user_worker: true } },
    ...options,
  });
  const bucket = await miniflare.getR2Bucket("MODELS");
  const bytes = new Uint8Array(readFileSync(MODEL));
  await bucket.put("nano.gguf", bytes);
  return {
    miniflare,
    bucket,
    bytes,
    async json(path) {
      const response = await miniflare.dispatchFetch(`http://worker${path}`);
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      return response.json();
    },
    async dispose() {
      await miniflare.dispose();
      rmSync(folder, { recursive: true });
    },
  };
}
