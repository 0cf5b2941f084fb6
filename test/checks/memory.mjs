// What the published bundle does with a model of the true size; one JSON object on stdout:
//
//     node test/checks/memory.mjs [--type q4_0|q8_0] [--tokens 2000] [--context 4096]
//
// Exits 1 when memory does not hold its bounds. Times are reported, and judged by whoever reads them: readMs is what
// readFileSync takes from a warm cache.

import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    type: { type: "string", default: "q4_0" },
    tokens: { type: "string", default: "2000" },
    context: { type: "string", default: "4096" },
  },
});
const type = values.type === "q8_0" ? "q8_0" : "q4_0";

// Peak RSS is of the whole life of a process, so what takes memory happens in others.
const elsewhere = (/** @type {string} */ code) =>
  execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" }).trim();
const fullsize = JSON.stringify(new URL("../support/models/fullsize.mjs", import.meta.url));
const path = elsewhere(`import { cachedFullsize } from ${fullsize}; console.log(cachedFullsize("${type}"));`);
const readMs = Number(
  elsewhere(`import { readFileSync } from "node:fs";
    const times = [1, 2, 3].map(() => {
      const start = performance.now();
      readFileSync(${JSON.stringify(path)});
      return performance.now() - start;
    });
    console.log(Math.min(...times));`),
);

/** @type {WebAssembly.Memory[]} */
const memories = [];
const { instantiate } = WebAssembly;
Object.assign(WebAssembly, {
  instantiate: async (/** @type {[BufferSource, WebAssembly.Imports]} */ ...given) => {
    const result = await instantiate(...given);
    const instance = /** @type {WebAssembly.Instance} */ ("instance" in result ? result.instance : result);
    const { memory } = instance.exports;
    if (memory instanceof WebAssembly.Memory) memories.push(memory);
    return result;
  },
});
const memoryBytes = () => Math.max(0, ...memories.map((memory) => memory.buffer.byteLength));

const { load } = await import("../../dist/index.js");
const loadStart = performance.now();
const model = await load(path, { contextLength: Number(values.context) });
const loadMs = performance.now() - loadStart;
const before = memoryBytes();

const ends = model.info.tokenizer.end.map((/** @type {number} */ token) => [token, Number.NEGATIVE_INFINITY]);
const completion = model.complete("L'intelligenza artificiale è", {
  maxTokens: Number(values.tokens),
  temperature: 0.8,
  topP: 0.95,
  seed: 1,
  logitBias: new Map(ends),
});
const text = await completion.text();
const after = memoryBytes();

const { weights, kvCache, memory } = model.info.plan;
const peakRssBytes = process.resourceUsage().maxRSS * 1024;
const allowedRssBytes = weights + kvCache + 60e6;
const result = {
  type,
  fileBytes: statSync(path).size,
  readMs,
  loadMs,
  loadPerRead: loadMs / readMs,
  tokens: completion.tokens.length,
  characters: text.length,
  prefillTokensPerSecond: completion.timings.prefillTokensPerSecond,
  decodeTokensPerSecond: completion.timings.decodeTokensPerSecond,
  weightBytes: weights,
  kvBytes: kvCache,
  peakRssBytes,
  allowedRssBytes,
  plannedMemoryBytes: memory,
  memoryBytesBefore: before,
  memoryBytesAfter: after,
  memoryConstant: before > 0 && before === after,
  peakRssWithinBounds: peakRssBytes <= allowedRssBytes,
};
console.log(JSON.stringify(result));
if (!result.memoryConstant || !result.peakRssWithinBounds || result.tokens !== Number(values.tokens)) process.exit(1);
