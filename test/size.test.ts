// What is shipped stays small: a table of budgets, gzipped, a little above what each takes today. A bundle is counted with
// all that it imports at once; what it imports when it is wanted is not. The package promises 64 KB for each core and 30 KB
// for the library (index.js); who needs more elsewhere raises a number here, and says why.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const KIB = 1024;
const BUDGETS: [file: string, kib: number][] = [
  ["index.js", 30],
  ["deno.js", 29],
  ["browser.js", 29],
  ["browser-worker.js", 149], // one file: with grammars, also compiled ones (0.7), chat, adapters, many at once, also where layers are elsewhere, and prompts on the disk
  ["browser-service-worker.js", 154], // one file: with all that others load later
  ["browser-hub.js", 31],
  ["browser-thread.js", 1],
  ["cloudflare-workers.js", 30], // with adapters, and buffers that are freed at once
  ["cloudflare-edge.js", 106], // with server.js
  ["cloudflare-shard.js", 38],
  ["raspberry-pi.js", 32],
  ["model_thread.js", 30],
  ["compute_thread.js", 1],
  ["prompt-api.js", 83], // with chat templates and grammars of its own, for service workers, which import nothing later
  ["prompt-api-browser.js", 85],
  ["prompt-api-core.js", 82],
  ["prompt-api-deno.js", 83],
  ["server.js", 70], // with limits in tokens, which measure what waits; what /v1/responses is made with is loaded when it is asked for, zod's part of it is not
  ["receipts.js", 5],
  ["shards.js", 42], // with index.js
  ["shards-browser.js", 42],
  ["quantize.js", 58], // with SentencePiece's vocabularies
  ["hub.js", 22],
  ["cli.js", 1],
  ["main.js", 398], // with sentences for failures of the system, prompts on the disk, receipts, batches, adapters, with a calculator of exact decimals, what talks with MCP servers, what chooses tokens, and what cuts a model into shards
  ["bundled-model.js", 1],
  ["edge-light.js", 10],
  ["zagreus-simd.wasm", 39], // 2 KiB is the int4 cache, 1 KiB is int4 with minimums, 1 a sampler that passes over most tokens, 1.7 adapters
  ["zagreus-relaxed.wasm", 44], // 2.5 is the int4 cache, 1 is pages and sequences, 0.3 parts of a model
  ["zagreus-simd-mt.wasm", 39],
  ["zagreus-relaxed-mt.wasm", 44],
  ["zagreus-calibrate.wasm", 39],
  ["zagreus-quantizer.wasm", 4],
  ["calibration.txt", 46],
  ["held-out.txt", 33],
  ...["it", "en", "es", "fr", "pt", "code"].map((name): [string, number] => [`frequencies-${name}.br`, 116]),
];
/** The chat page promises 60 KB, without the library and a model. */
const PAGE = {
  kib: 58, // with a list of conversations and MCP servers
  later: { "mcp.js": 80 }, // with MCP's SDK, when there is a server
  files: ["index.html", "app.js", "style.css", "icon.svg", "manifest.webmanifest", "service_worker.js"],
};

const read = (file: string) => readFileSync(new URL(`../dist/${file}`, import.meta.url));

const scripts = BUDGETS.map(([file]) => file).filter((file) => file.endsWith(".js"));
const { metafile } = await build({
  entryPoints: scripts.map((file) => fileURLToPath(new URL(`../dist/${file}`, import.meta.url))),
  absWorkingDir: fileURLToPath(new URL("../dist", import.meta.url)),
  bundle: true,
  platform: "node",
  format: "esm",
  outdir: "unwritten",
  external: ["./*.wasm"],
  supported: { "import-source": true },
  metafile: true,
  write: false,
  logLevel: "silent",
});

/** A file, and for JavaScript all that is loaded with it. */
function withImports(file: string, known = new Set<string>()): Set<string> {
  if (known.has(file)) return known;
  known.add(file);
  for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
    if (kind === "import-statement" && !external) withImports(path, known);
  }
  return known;
}

/** Bytes that a browser or a runtime reads to start with a file. */
const gzipped = (file: string) =>
  [...withImports(file)].reduce((sum, name) => sum + gzipSync(read(name), { level: 9 }).length, 0);

test("a bundle is more than its first file", () => {
  expect(withImports("index.js").size).toBeGreaterThan(3);
  expect(gzipped("index.js")).toBeGreaterThan(20 * KIB);
});

test("every bundle has a budget", () => {
  const chunk = /-[A-Z0-9]{8}\.js$/;
  const bundles = readdirSync(new URL("../dist", import.meta.url)).filter(
    (name) => /\.js$/.test(name) && !chunk.test(name),
  );
  expect(BUDGETS.map(([file]) => file)).toEqual(expect.arrayContaining(bundles));
});

test("the chat page", () => {
  const all = readdirSync(new URL("../dist/page", import.meta.url)).filter((name) => name !== "licenses.txt");
  expect(all.sort()).toEqual([...PAGE.files, ...Object.keys(PAGE.later)].sort());
  const size = (name: string) => gzipSync(read(`page/${name}`), { level: 9 }).length;
  const bytes = PAGE.files.reduce((sum, name) => sum + size(name), 0);
  for (const [name, kib] of Object.entries(PAGE.later)) {
    console.log(`page/${name}: ${size(name).toLocaleString("en")} bytes gzipped`);
    expect(size(name)).toBeLessThanOrEqual(kib * KIB);
  }
  console.log(`page: ${bytes.toLocaleString("en")} of ${(PAGE.kib * KIB).toLocaleString("en")} bytes gzipped`);
  expect(bytes).toBeLessThanOrEqual(PAGE.kib * KIB);
});

test.each(BUDGETS)("%s is at most %i KiB gzipped", (file, kib) => {
  const bytes = gzipped(file);
  console.log(`${file}: ${bytes.toLocaleString("en")} of ${(kib * KIB).toLocaleString("en")} bytes gzipped`);
  expect(bytes).toBeLessThanOrEqual(kib * KIB);
});
