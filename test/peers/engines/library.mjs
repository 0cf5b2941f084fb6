// The published library in Node, as a user calls it: load time and memory.  library.mjs '{"model", "prompt", "library", "build", "threads", "context"}'

import { readFileSync } from "node:fs";
import process from "node:process";
import { peakRss, serve } from "./serve.mjs";

const FIRST_TOKENS = 10;
const settings = JSON.parse(process.argv[2]);
const prompt = JSON.parse(readFileSync(settings.prompt, "utf8")).tokens;

await serve({
  async load() {
    const start = performance.now();
    const { load } = await import(settings.library);
    const model = await load(settings.model, { contextLength: settings.context, threads: settings.threads });
    const loadMs = performance.now() - start;
    const tokenMs = [];
    let last = performance.now();
    for await (const _ of model.complete([prompt[0]], { maxTokens: FIRST_TOKENS, temperature: 0 })) {
      const now = performance.now();
      tokenMs.push(now - last);
      last = now;
    }
    if (model.info.build !== settings.build) throw new Error(`it chose the build ${model.info.build}`);
    return { loadMs, tokenMs };
  },
  peakRss: () => peakRss(),
});
