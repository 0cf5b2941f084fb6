// What it takes to bring a prompt's beginning back from the disk beside running it, in one process:
//
//     node test/bench/prompt_cache.mjs [MODEL] [--build B] [--threads N] [--tokens 900]
//
// One JSON object: milliseconds to the first token, once run and `--times` times by a model that has just been loaded and restores all but
// `ofThemRun` tokens (the least); `percent` is what the latter takes of the former.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundledModel, load } from "../../dist/index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string" },
    threads: { type: "string" },
    tokens: { type: "string", default: "900" },
    times: { type: "string", default: "3" },
    kv: { type: "string" },
  },
});
const length = Number(values.tokens);
const folder = mkdtempSync(join(tmpdir(), "prompt-cache-"));
const open = () =>
  load(positionals[0] ?? bundledModel, {
    build: values.build,
    threads: values.threads && Number(values.threads),
    kvType: values.kv,
    contextLength: length + 8,
    promptCache: { folder },
  });
const prompt = Array.from({ length }, (_, i) => (i * i * 31 + i * 7) % 8000);

/** Milliseconds and usage of reading the prompt, twice: as it comes, and when it is in memory. */
async function read() {
  const model = await open();
  const took = [];
  for (let i = 0; i < 2; i++) {
    const begun = performance.now();
    const completion = model.complete(prompt, { maxTokens: 0 });
    await completion.text();
    took.push({ ms: performance.now() - begun, ...completion.usage });
  }
  const full = length - (length % 32);
  while (model.stats().promptCache.storedTokens + model.stats().promptCache.restoredTokens < full)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const { bytes } = model.stats().promptCache;
  model.close();
  return { first: took[0], again: took[1], bytes };
}

const round = (value) => Math.round(value * 100) / 100;
try {
  const run = await read();
  const restored = [];
  for (let i = 0; i < Number(values.times); i++) restored.push(await read());
  const best = restored.reduce((a, b) => (b.first.ms < a.first.ms ? b : a));
  if (best.first.reusedTokens < length - 32) throw new Error(`${best.first.reusedTokens} tokens restored`);
  console.log(
    JSON.stringify({
      tokens: length,
      megabytes: round(run.bytes / 1e6),
      runMs: round(run.first.ms),
      firstTokenMs: round(best.first.ms),
      ofThemRun: best.first.prefilledTokens,
      inMemoryMs: round(best.again.ms),
      percent: round((100 * best.first.ms) / run.first.ms),
    }),
  );
} finally {
  rmSync(folder, { recursive: true });
}
