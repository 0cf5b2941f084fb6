// Tokens a second of CPU time, on one thread, and the memory of the process: node speed.mjs MODEL BUILD. speed.py is the same for Wasmtime.

import { load } from "../../dist/index.js";

const [PROMPT, SAID, ROUNDS] = [256, 32, 3];
const [path, build] = process.argv.slice(2);
const model = await load(path, { build, threads: 1, contextLength: 512 });
const { vocabulary, tokenizer } = model.info;
const never = Object.fromEntries(
  Object.values(tokenizer.special)
    .slice(0, 1000)
    .map((token) => [token, -Infinity]),
);
const best = { prefill: 0, decode: 0 };
const seconds = () => Object.values(process.cpuUsage()).reduce((a, b) => a + b) / 1e6;

for (let round = 0; round < ROUNDS; round++) {
  const tokens = Array.from({ length: PROMPT + 1 }, (_, i) => (i * 31 + 7 + round) % vocabulary);
  let begun = seconds();
  const measure = (name, count) => {
    best[name] = Math.max(best[name], count / (seconds() - begun));
    begun = seconds();
  };
  let first = true;
  for await (const _ of model.complete(tokens, { maxTokens: SAID + 1, temperature: 0, logitBias: never })) {
    if (first) measure("prefill", PROMPT + 1);
    first = false;
  }
  measure("decode", SAID);
}
const memory = process.resourceUsage().maxRSS / 1024;
console.log(
  `Node ${process.versions.node} ${build}: prefill ${best.prefill.toFixed(1)}, decode ${best.decode.toFixed(1)} tokens/s, ${memory.toFixed(0)} MiB`,
);
