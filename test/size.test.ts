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
  ["index.js", 30 * KIB],
];

test.each(LIMITS)("%s is at most %i bytes gzipped", (file, limit) => {
  const bytes = readFileSync(new URL(`../dist/${file}`, import.meta.url));
  expect(gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(limit);
});
