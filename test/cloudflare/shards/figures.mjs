// node test/cloudflare/shards/figures.mjs [MODEL] [ROUNDS]: what a pipeline costs. The model in four shards and whole, in one workerd each,
// take turns at the same text; best of the rounds, because others use the machine. workerd has one thread for all of its isolates, so
// that several at once gain by sharing passes only: test/cloudflare/shards/faults.test.mjs shows that shards work at the same time.

import { once } from "node:events";
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { Miniflare } from "miniflare";
import { writeFullsize } from "../../support/models/fullsize.mjs";
import { bundle, here } from "../workerd.mjs";
import { cluster } from "./cluster.mjs";

const FULL = here("../.cache/fullsize-q4_0-4096-1.gguf");
const [model = FULL, rounds = "5"] = process.argv.slice(2);
if (model === FULL && !existsSync(FULL)) writeFullsize({ type: "q4_0", out: FULL });
const TOKENS = 64;

const file = createServer((_, response) => createReadStream(model).pipe(response)).listen(0, "127.0.0.1");
await once(file, "listening");
const whole = new Miniflare({
  compatibilityDate: "2026-01-01",
  modules: await bundle(here("shards/whole_worker.mjs")),
  durableObjects: { WHOLE: "Whole" },
  bindings: { URL: `http://127.0.0.1:${file.address().port}/model.gguf` },
});
const sharded = await cluster(model);
const addresses = { whole: await whole.ready, sharded: sharded.url };

async function ask(address, prompt) {
  const body = JSON.stringify({ prompt, max_tokens: TOKENS, temperature: 0, ignore_eos: true });
  const headers = { "content-type": "application/json", authorization: "Bearer local" };
  const response = await fetch(new URL("/v1/completions", address), { method: "POST", headers, body });
  const { choices, usage, error } = await response.json();
  if (error || usage.completion_tokens !== TOKENS) throw new Error(JSON.stringify(error ?? usage));
  return choices[0].text;
}

/** Milliseconds a token, of all texts together. */
async function timed(address, prompts) {
  const begun = performance.now();
  const texts = await Promise.all(prompts.map((prompt) => ask(address, prompt)));
  return { ms: (performance.now() - begun) / (TOKENS * prompts.length), texts };
}

const best = {};
for (let round = 0; round <= Number(rounds); round++) {
  for (const prompts of [["Il re"], ["Il re", "La luna", "The sea", "Un uomo"]]) {
    const texts = {};
    for (const [name, address] of Object.entries(addresses)) {
      const { ms, texts: said } = await timed(address, prompts);
      texts[name] = said.join("\n");
      const key = `${name}, ${prompts.length} at once`;
      if (round > 0) best[key] = Math.min(best[key] ?? Number.POSITIVE_INFINITY, ms); // the first one loads
    }
    if (texts.whole !== texts.sharded) throw new Error("another text");
  }
}
for (const [name, ms] of Object.entries(best)) console.log(`${name}: ${ms.toFixed(2)} ms a token`);
console.log(`overhead for one: ${((best["sharded, 1 at once"] / best["whole, 1 at once"] - 1) * 100).toFixed(1)} %`);
await whole.dispose();
await sharded.dispose();
file.close();
