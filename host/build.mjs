// Builds dist/: the core (asc), the library and the command (esbuild), their types (tsc), and the licenses of what they
// bundle.

import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const run = (script, ...args) => execFileSync(process.execPath, [script, ...args], { stdio: ["ignore", 2, 2] });

rmSync("dist/types", { recursive: true, force: true });
const { targets } = JSON.parse(readFileSync("asconfig.json", "utf8"));
const entries = { quantizer: "assembly/quantizer/index.ts", calibrate: "assembly/calibrate.ts" };
const entry = (target) => entries[target] ?? "assembly/index.ts";
const asc = (target) => ["node_modules/assemblyscript/bin/asc.js", entry(target), "--target", target];
const cores = Object.keys(targets)
  .filter((target) => target !== "wasi") // build_wasi.mjs, which needs a C compiler
  .map((target) => promisify(execFile)(process.execPath, asc(target)));

const shared = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  minifySyntax: true, // names and lines stay readable
  metafile: true,
  logLevel: "warning",
};
const bundles = await Promise.all([
  build({
    ...shared,
    // In one build, because there must be one ZagreusError. hub.js is loaded when a model of the hub is wanted.
    entryPoints: {
      index: "host/node/index.ts",
      quantize: "host/node/quantize.ts",
      hub: "host/node/hub.ts",
      server: "host/core/server/index.ts",
      model_thread: "host/node/model_thread.ts",
      deno: "host/deno/index.ts",
      "raspberry-pi": "host/raspberry-pi/index.ts",
    },
    external: ["./*.wasm"],
    supported: { "import-source": true }, // in deno.js only
    define: { ZAGREUS_WORKER: JSON.stringify(await worker()) },
    splitting: true,
    outdir: "dist",
    chunkNames: "chunk-[hash]",
  }),
  ...browserBundles(),
  build({ ...shared, entryPoints: ["host/node/compute_thread.ts"], outfile: "dist/compute_thread.js" }),
  build({
    ...shared,
    platform: "neutral",
    mainFields: ["module", "main"],
    entryPoints: { "cloudflare-workers": "host/cloudflare-workers/index.ts" },
    external: ["./*.wasm"],
    splitting: true,
    outdir: "dist",
    chunkNames: "chunk-[hash]",
  }),
  build({
    ...shared,
    entryPoints: ["host/node/cli/main.ts"],
    outfile: "dist/cli.js",
    define: { ZAGREUS_VERSION: JSON.stringify(version) },
    banner: {
      // CommonJS packages in the bundle call require().
      js: [
        "#!/usr/bin/env node",
        'import { createRequire } from "node:module";',
        "const require = createRequire(import.meta.url);",
      ].join("\n"),
    },
  }),
]);
const made = bundles.flatMap(({ metafile }) => Object.keys(metafile.outputs));
for (const file of readdirSync("dist")) {
  if (file.startsWith("chunk-") && !made.includes(`dist/${file}`)) rmSync(`dist/${file}`);
}
copyFileSync("quant/calibration/text.txt", "dist/calibration.txt");
await writeProbes();
writeFileSync(
  "dist/THIRD_PARTY_LICENSES.txt",
  licenses(bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs))),
);

run("node_modules/typescript/bin/tsc", "-p", "tsconfig.types.json");
for (const { stderr } of await Promise.all(cores)) process.stderr.write(stderr);

/** The probes of capabilities.ts as files, for Cloudflare Workers: a module there is a file. */
async function writeProbes() {
  const { outputFiles } = await build({ ...shared, entryPoints: ["host/core/wasm/capabilities.ts"], write: false });
  const source = Buffer.from(outputFiles[0].contents).toString("base64");
  const { SIMD_PROBE, RELAXED_PROBE } = await import(`data:text/javascript;base64,${source}`);
  writeFileSync("dist/probe-simd.wasm", SIMD_PROBE);
  writeFileSync("dist/probe-relaxed.wasm", RELAXED_PROBE);
}

/** Each of one file, so that those who do not bundle have few to copy. */
function browserBundles() {
  const names = { browser: "index", "browser-worker": "model_thread", "browser-thread": "compute_thread" };
  return Object.entries(names).map(([bundle, name]) =>
    build({
      ...shared,
      platform: "browser",
      target: "es2022",
      entryPoints: [`host/browser/${name}.ts`],
      outfile: `dist/${bundle}.js`,
    }),
  );
}

/** compute_thread.ts as a script, for Deno: see host/deno/index.ts. */
async function worker() {
  const options = {
    ...shared,
    entryPoints: ["host/node/compute_thread.ts"],
    format: "cjs",
    minify: true,
    write: false,
  };
  return (await build(options)).outputFiles[0].text;
}

/** The license texts of the packages that the bundled files belong to. */
function licenses(inputs) {
  const packages = new Set(
    inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean),
  );
  const sections = [...packages].sort().map((name) => {
    const directory = `node_modules/${name}`;
    const { version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file && existsSync(`${directory}/${file}`) ? readFileSync(`${directory}/${file}`, "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return `${sections.join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}
