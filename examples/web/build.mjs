// Bundles the page into dist/, which any web server can serve.

import { cpSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const library = dirname(createRequire(import.meta.url).resolve("zagreus-edge/package.json"));

/** What the library loads at run time, beside the bundle. */
const ASSETS = [
  ...["browser-worker.js", "browser-thread.js", "browser-hub.js", "zagreus-quantizer.wasm"],
  ...["simd", "relaxed", "simd-mt", "relaxed-mt"].map((core) => `zagreus-${core}.wasm`),
];
const MODEL = "host/models/zagreus-nano-Q8_0.gguf";

rmSync(here("dist"), { recursive: true, force: true });
mkdirSync(here("dist/assets"), { recursive: true });
await build({
  entryPoints: [here("src/main.js")],
  outdir: here("dist/assets"),
  bundle: true,
  minify: true,
  format: "esm",
  tsconfigRaw: {}, // a checkout's own leads to the sources for Node
  logLevel: "warning",
});
for (const file of ["index.html", "style.css"]) cpSync(here(file), here(`dist/${basename(file)}`));
for (const file of ASSETS) cpSync(join(library, "dist", file), here(`dist/assets/${file}`));
cpSync(join(library, MODEL), here(`dist/${MODEL}`));
