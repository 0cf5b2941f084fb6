// Builds the library and the command with esbuild, and the files beside them in dist/.

import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";

const shared = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  minifySyntax: true,
  minifyWhitespace: true, // a sixth of the bytes; names stay readable. No lineLimit: it cuts what bundlers look for (import.meta.url)
  metafile: true,
  logLevel: "warning",
};
const split = { splitting: true, outdir: "dist", chunkNames: "chunk-[hash]", external: ["./*.wasm"] };

/** Builds all bundles of the package; returns the files that went in and those that came out. */
export async function buildBundles(version) {
  const bundles = await Promise.all([
    nodeBundles(version),
    ...edgeBundles(version),
    ...browserBundles(version),
    promptApiBundles(version),
    build({ ...shared, entryPoints: ["host/node/threads/compute_thread.ts"], outfile: "dist/compute_thread.js" }),
    ...commandBundles(version),
  ]);
  const inputs = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = packagesOf(inputs);
  for (const [source, target] of COPIES) copyFileSync(source, target);
  writeFileSync("dist/THIRD_PARTY_LICENSES.txt", `${licenses(packages)}\n${readFileSync(SOURCES, "utf8")}`);
  return {
    inputs: [
      ...inputs.filter((path) => existsSync(path)),
      ...packages.map((name) => `node_modules/${name}/package.json`),
      SOURCES,
      ...COPIES.map(([source]) => source),
    ],
    outputs: [
      ...bundles.flatMap(({ metafile }) => Object.keys(metafile.outputs)),
      ...(await writeProbes()),
      ...COPIES.map(([, target]) => target),
      "dist/THIRD_PARTY_LICENSES.txt",
    ],
  };
}

/** What the frequency lists were made of. */
const SOURCES = "quant/vocabulary/frequencies/SOURCES.md";
/** Data that are read when they are wanted. */
const COPIES = [
  ["quant/calibration/text.txt", "dist/calibration.txt"],
  ["quant/vocabulary/frequencies/held_out.txt", "dist/held-out.txt"],
  ...["it", "en", "es", "fr", "pt", "code"].map((name) => [
    `quant/vocabulary/frequencies/${name}.br`,
    `dist/frequencies-${name}.br`,
  ]),
];

const versionOf = (version) => ({ ZAGREUS_VERSION: JSON.stringify(version) });

/** In one build, because there must be one ZagreusError. hub.js is loaded when a model of the hub is wanted. */
async function nodeBundles(version) {
  return build({
    ...shared,
    ...split,
    entryPoints: {
      index: "host/node/index.ts",
      quantize: "host/node/quantize.ts",
      hub: "host/node/hub.ts",
      server: "host/core/server/index.ts",
      receipts: "host/core/receipt/index.ts",
      shards: "host/node/shards/index.ts",
      model_thread: "host/node/threads/model_thread.ts",
      deno: "host/deno/index.ts",
      "raspberry-pi": "host/raspberry-pi/index.ts",
    },
    supported: { "import-source": true }, // in deno.js only
    define: { ZAGREUS_WORKER: JSON.stringify(await worker()), ...versionOf(version) },
  });
}

function edgeBundles(version) {
  const edge = { ...shared, ...split, platform: "neutral", mainFields: ["module", "main"] };
  const shards = "host/cloudflare-workers/shards";
  return [
    build({
      ...edge,
      entryPoints: {
        "cloudflare-workers": "host/cloudflare-workers/index.ts",
        "edge-light": "host/edge-light/index.ts",
      },
    }),
    // Apart, so that what a Worker with a whole model loads does not grow.
    build({
      ...edge,
      chunkNames: "cloudflare-parts-[hash]",
      entryPoints: { "cloudflare-edge": `${shards}/edge.ts`, "cloudflare-shard": `${shards}/shard.ts` },
      define: versionOf(version),
    }),
  ];
}

/**
 * The Prompt API for every host, around what they share. Apart from the hosts' bundles, which it loads when a model is wanted: its chat
 * templates and grammars are its own copies, and no chunk of load() depends on it.
 */
function promptApiBundles(version) {
  return build({
    ...shared,
    ...split,
    platform: "neutral",
    target: "es2022",
    chunkNames: "prompt-api-[hash]",
    external: ["node:*"],
    entryPoints: {
      "prompt-api": "host/node/prompt_api.ts",
      "prompt-api-browser": "host/browser/prompt_api/index.ts",
      "prompt-api-core": "host/core/prompt_api/index.ts",
      "prompt-api-deno": "host/deno/prompt_api.ts",
    },
    plugins: [{ name: "hosts", setup: (build) => build.onResolve({ filter: /\.js$/ }, hostBundle) }],
    define: versionOf(version),
  });
}

/** What import() finds in dist/ instead of the sources. */
const HOST_BUNDLES = {
  "host/node/index.js": "./index.js",
  "host/node/hub.js": "./hub.js",
  "host/deno/index.js": "./deno.js",
  "host/browser/index.js": "./browser.js",
};

function hostBundle({ path, resolveDir, kind }) {
  if (kind !== "dynamic-import") return undefined;
  const bundle = HOST_BUNDLES[relative("", join(resolveDir, path))];
  return bundle && { path: bundle, external: true };
}

/** dist/cli.js starts dist/main.js, unless Node is too old to read it. */
function commandBundles(version) {
  const start = build({
    ...shared,
    target: "node14",
    entryPoints: ["host/node/cli/start.ts"],
    outfile: "dist/cli.js",
    external: ["./main.js"],
    banner: { js: "#!/usr/bin/env node" },
  });
  const command = build({
    ...shared,
    entryPoints: ["host/node/cli/main.ts"],
    outfile: "dist/main.js",
    define: versionOf(version),
    external: ["@modelcontextprotocol/sdk/*"],
    // CommonJS packages in the bundle call require().
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  return [start, command];
}

/** Writes the probes of capabilities.ts as files, for Cloudflare Workers: a module there is a file. */
async function writeProbes() {
  const { outputFiles } = await build({ ...shared, entryPoints: ["host/core/wasm/capabilities.ts"], write: false });
  const source = Buffer.from(outputFiles[0].contents).toString("base64");
  const { SIMD_PROBE, RELAXED_PROBE } = await import(`data:text/javascript;base64,${source}`);
  writeFileSync("dist/probe-simd.wasm", SIMD_PROBE);
  writeFileSync("dist/probe-relaxed.wasm", RELAXED_PROBE);
  return ["dist/probe-simd.wasm", "dist/probe-relaxed.wasm"];
}

/**
 * What a page imports loads grammar and chat when they are wanted. Its workers are one file each, which those who bundle
 * without understanding `new URL()` copy beside their bundle.
 */
function browserBundles(version) {
  const browser = { ...shared, platform: "browser", target: "es2022", define: versionOf(version) };
  const entry = (bundle, name) => ({ [bundle]: `host/browser/${name}.ts` });
  return [
    build({ ...browser, ...split, chunkNames: "browser-[hash]", entryPoints: entry("browser", "index") }),
    // Apart, so that what a page loads does not grow.
    build({
      ...browser,
      ...split,
      chunkNames: "shards-browser-[hash]",
      entryPoints: entry("shards-browser", "shards"),
    }),
    // One file: service workers may not import() anything later.
    build({ ...browser, entryPoints: entry("browser-service-worker", "index"), outdir: "dist" }),
    build({ ...browser, entryPoints: entry("browser-worker", "model_thread"), outdir: "dist" }),
    build({ ...browser, entryPoints: entry("browser-hub", "hub/thread"), outdir: "dist" }),
    build({ ...browser, entryPoints: entry("browser-thread", "compute_thread"), outdir: "dist" }),
    build({ ...browser, entryPoints: entry("bundled-model", "bundled_model"), outdir: "dist" }),
  ];
}

/** compute_thread.ts as a script, for Deno: see host/deno/index.ts. */
async function worker() {
  const options = {
    ...shared,
    entryPoints: ["host/node/threads/compute_thread.ts"],
    format: "cjs",
    minify: true,
    write: false,
  };
  return (await build(options)).outputFiles[0].text;
}

/** The packages that bundled files belong to. */
export function packagesOf(inputs) {
  const names = inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return [...new Set(names.filter(Boolean))].sort();
}

/** The license texts of packages. */
export function licenses(packages) {
  const sections = packages.map((name) => {
    const directory = `node_modules/${name}`;
    const { version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file && existsSync(`${directory}/${file}`) ? readFileSync(`${directory}/${file}`, "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return `${sections.join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}
