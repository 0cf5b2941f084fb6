// What it takes to come back to a prompt whose pages are still there, beside running it, and what memory does while sessions take turns:
//
//     node test/bench/kv_cache.mjs [MODEL] [--build B] [--threads N] [--tokens 256,1024] [--turns N]
//
// For each length one JSON object: two prompts of it take turns. `backMs` is a turn of one that is there, with the one token that is run.

import { parseArgs } from "node:util";
import { bundledModel, load } from "../../dist/index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string" },
    threads: { type: "string" },
    tokens: { type: "string", default: "64,256,480" },
    turns: { type: "string", default: "200" },
  },
});
const lengths = values.tokens.split(",").map(Number);
const turns = Number(values.turns);
const open = (options) =>
  load(positionals[0] ?? bundledModel, {
    build: values.build,
    threads: values.threads && Number(values.threads),
    contextLength: Math.max(...lengths) + 8,
    ...options,
  });

const round = (value) => Math.round(value * 100) / 100;
const prompt = (seed, length) => Array.from({ length }, (_, i) => (seed * 977 + i * i * 31 + i * 7) % 8000);

/** Milliseconds and usage of reading a prompt. */
async function read(model, tokens) {
  const begun = performance.now();
  const completion = model.complete(tokens, { maxTokens: 0 });
  await completion.text();
  return { ms: performance.now() - begun, ...completion.usage };
}

for (const length of lengths) {
  const model = await open({ cacheBudget: 2 ** 30 });
  const prompts = [prompt(1, length), prompt(2, length)];
  let prefillMs = Number.POSITIVE_INFINITY;
  for (const tokens of prompts) prefillMs = Math.min(prefillMs, (await read(model, tokens)).ms);
  let backMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    const { ms, reusedTokens } = await read(model, prompts[i % 2]);
    if (reusedTokens !== length - 1) throw new Error(`${reusedTokens} tokens of ${length - 1} reused`);
    backMs = Math.min(backMs, ms);
  }
  console.log(
    JSON.stringify({
      tokens: length,
      prefillMs: round(prefillMs),
      backMs: round(backMs),
      gain: round(prefillMs / backMs),
    }),
  );
  model.close();
}

// 16 sessions that do not all fit take turns; what memory does after the first rounds.
const length = lengths[0];
const small = await open({ cacheBudget: 0 });
const budget = 8 * Math.ceil((small.info.plan.kvCache / small.info.contextLength) * length);
small.close();
const model = await open({ cacheBudget: budget });
const sessions = Array.from({ length: 16 }, (_, i) => prompt(i, length));
let warm = 0;
let reused = 0;
for (let turn = 0; turn < turns; turn++) {
  reused += (await read(model, sessions[(turn * 7 + ((turn * turn) % 5)) % sessions.length])).reusedTokens;
  if (turn === Math.floor(turns / 3)) warm = process.memoryUsage().rss;
}
console.log(JSON.stringify({ turns, budget, reused, rssGrowthBytes: process.memoryUsage().rss - warm }));
model.close();
