// Builds the chat page: static files in dist/page/, which `zagreus serve` answers with and examples/web/build.mjs publishes.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "esbuild";
import { licenses, packagesOf } from "./bundles.mjs";

const FILES = ["index.html", "style.css", "icon.svg", "manifest.webmanifest"].map((name) => `host/page/${name}`);

/** The SDK of MCP brings along a compiler of schemas, a third of all, which the page's policy would not let run. */
const noValidator = {
  name: "no validator",
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/validation\/ajv-provider\.js$/ }, () => ({
      path: resolve("host/page/mcp/no_validator.ts"),
    })),
};

/** Returns the files that went in and those that came out. */
export async function buildPage(version) {
  mkdirSync("dist/page", { recursive: true });
  const { metafile } = await build({
    entryPoints: {
      app: "host/page/app.tsx",
      mcp: "host/page/mcp/bundle.ts",
      service_worker: "host/page/service_worker.ts",
    },
    outdir: "dist/page",
    plugins: [noValidator],
    define: { ZAGREUS_VERSION: JSON.stringify(version) },
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
