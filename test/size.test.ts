// What is shipped stays small.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const KIB = 1024;
const LIMITS: [file: string, limit: number][] = [
  ["zagreus-simd.wasm", 64 * KIB],
  ["zagreus-relaxed.wasm", 64 * KIB],
  ["zagreus-simd-mt.wasm", 64 * KIB],
  ["zagreus-relaxed-mt.wasm", 64 * KIB],
  ["zagreus-quantizer.wasm", 16 * KIB],
  ["zagreus-calibrate.wasm", 64 * KIB],
  ["calibration.txt", 100 * KIB],
  ["index.js", 30 * KIB],
  ["cloudflare-workers.js", 30 * KIB],
];

const read = (file: string) => readFileSync(new URL(`../dist/${file}`, import.meta.url));

/** A file, and for JavaScript all that is loaded with it. */
function withImports(file: string): string[] {
  if (!file.endsWith(".js")) return [file];
  const imported = [
    ...read(file)
      .toString()
      .matchAll(/^(?:import\b|\}\s*from)[^"';]*"\.\/([^"]+\.js)"/gm),
  ];
  return [file, ...imported.flatMap(([, name]) => withImports(name!))];
}

test.each(LIMITS)("%s is at most %i bytes gzipped", (file, limit) => {
  const sizes = [...new Set(withImports(file))].map((name) => gzipSync(read(name), { level: 9 }).length);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(limit);
});
