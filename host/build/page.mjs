// Builds the chat page: static files in dist/page/, which `zagreus serve` answers with and examples/web/build.mjs publishes.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { licenses, packagesOf } from "./bundles.mjs";

const FILES = ["index.html", "style.css", "icon.svg", "manifest.webmanifest"].map((name) => `host/page/${name}`);

/** Returns the files that went in and those that came out. */
export async function buildPage() {
  mkdirSync("dist/page", { recursive: true });
  const { metafile } = await build({
    entryPoints: { app: "host/page/app.tsx", service_worker: "host/page/service_worker.ts" },
    outdir: "dist/page",
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    legalComments: "none", // they are in licenses.txt
    metafile: true,
    logLevel: "warning",
  });
  const inputs = Object.keys(metafile.inputs);
  const packages = packagesOf(inputs);
  for (const path of FILES) copyFileSync(path, path.replace("host/", "dist/"));
  writeFileSync("dist/page/licenses.txt", licenses(packages));
  return {
    inputs: [...inputs, ...FILES, ...packages.map((name) => `node_modules/${name}/package.json`)],
    outputs: [
      ...Object.keys(metafile.outputs),
      ...FILES.map((path) => path.replace("host/", "dist/")),
      "dist/page/licenses.txt",
    ],
  };
}
