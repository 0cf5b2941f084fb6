// llama.cpp, compiled for this processor, through node-llama-cpp with its defaults.  native.mjs '{"model", "prompt", "threads", "context"}'

import { readFileSync } from "node:fs";
import process from "node:process";
import { getLlama } from "node-llama-cpp";
import { peakRss, serve } from "./serve.mjs";

const FIRST_TOKENS = 10;
const settings = JSON.parse(process.argv[2]);
const prompt = JSON.parse(readFileSync(settings.prompt, "utf8")).tokens;
let sequence;

/** Milliseconds of each of `count` greedy tokens. */
async function decode(token, count) {
  const times = [];
  let last = performance.now();
  for await (const _ of sequence.evaluate([token], { temperature: 0, yieldEogToken: true })) {
    const now = performance.now();
    times.push(now - last);
    last = now;
    if (times.length === count) break;
  }
  if (times.length < count) throw new Error(`only ${times.length} tokens of ${count}`);
  return times;
}

await serve({
  async load() {
    const { threads, context } = settings;
    const start = performance.now();
    const llama = await getLlama({
      gpu: false,
      build: "never",
      logLevel: "error",
      progressLogs: false,
      maxThreads: threads,
    });
    const model = await llama.loadModel({ modelPath: settings.model });
    const llamaContext = await model.createContext({ contextSize: context, threads });
    sequence = llamaContext.getSequence();
    const loadMs = performance.now() - start;
    if (llamaContext.currentThreads !== threads) throw new Error(`runs with ${llamaContext.currentThreads} threads`);
    return { loadMs, tokenMs: await decode(prompt[0], FIRST_TOKENS) };
  },
  async prefill({ count }) {
    await sequence.clearHistory();
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(0, count));
    return { ms: performance.now() - start };
  },
  async decode({ at, count }) {
    if (sequence.nextTokenIndex > at) {
      await sequence.eraseContextTokenRanges([{ start: at, end: sequence.nextTokenIndex }]);
    }
    const tokenMs = await decode(prompt[at], count);
    return { ms: tokenMs.reduce((sum, time) => sum + time), tokenMs };
  },
  peakRss: () => peakRss(),
});
