// What is shipped stays small: a table of budgets, gzipped, a little above what each takes today. A bundle is counted with
// all that it imports at once; what it imports when it is wanted is not. The package promises 64 KB for each core and 30 KB
// for the library (index.js); who needs more elsewhere raises a number here, and says why.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const KIB = 1024;
const BUDGETS: [file: string, kib: number][] = [
  ["index.js", 30],
  ["deno.js", 31],
  ["browser.js", 35],
  ["browser-worker.js", 96],
  ["browser-thread.js", 1],
  ["cloudflare-workers.js", 30],
  ["raspberry-pi.js", 33],
  ["model_thread.js", 35],
  ["compute_thread.js", 1],
  ["server.js", 69],
  ["quantize.js", 60],
  ["hub.js", 22],
  ["cli.js", 290],
  ["zagreus-simd.wasm", 27],
  ["zagreus-relaxed.wasm", 28],
  ["zagreus-simd-mt.wasm", 27],
  ["zagreus-relaxed-mt.wasm", 28],
  ["zagreus-calibrate.wasm", 28],
  ["zagreus-quantizer.wasm", 4],
  ["calibration.txt", 46],
];

const read = (file: string) => readFileSync(new URL(`../dist/${file}`, import.meta.url));

/** A file, and for JavaScript all that is loaded with it. */
function withImports(file: string, known = new Set<string>()): Set<string> {
  if (known.has(file)) return known;
  known.add(file);
  if (!file.endsWith(".js")) return known;
  const imported = read(file)
    .toString()
    .matchAll(/^(?:import\b|export\b|\}\s*from)[^"';]*"\.\/([^"]+\.js)"/gm);
  for (const [, name] of imported) withImports(name!, known);
  return known;
}

/** Bytes that a browser or a runtime reads to start with a file. */
const gzipped = (file: string) =>
  [...withImports(file)].reduce((sum, name) => sum + gzipSync(read(name), { level: 9 }).length, 0);

test("a bundle is more than its first file", () => {
  expect(withImports("index.js").size).toBeGreaterThan(3);
  expect(gzipped("index.js")).toBeGreaterThan(20 * KIB);
});

test.each(BUDGETS)("%s is at most %i KiB gzipped", (file, kib) => {
  const bytes = gzipped(file);
  console.log(`${file}: ${bytes.toLocaleString("en")} of ${(kib * KIB).toLocaleString("en")} bytes gzipped`);
  expect(bytes).toBeLessThanOrEqual(kib * KIB);
});
