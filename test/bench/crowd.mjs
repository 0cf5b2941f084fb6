// Many at once beside one after the other:
//
//     node test/bench/crowd.mjs [MODEL] [--build B] [--threads N] [--tokens N] [--prompt N]
//
// `ratio`: the time that N clients take at once, over that in turn; both in one run, the shorter of two. `first`: milliseconds to the first
// token of a prompt alone, and while eight others write long answers.

import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { bundledModel, load } from "../../dist/index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string" },
    threads: { type: "string", default: "1" },
    tokens: { type: "string", default: "32" },
    prompt: { type: "string", default: "200" },
  },
});
const [tokens, length] = [Number(values.tokens), Number(values.prompt)];
const model = await load(positionals[0] ?? bundledModel, {
  build: values.build,
  threads: Number(values.threads),
  contextLength: 512,
  cacheBudget: 512 * 2 ** 20,
});
const logitBias = Object.fromEntries(model.info.tokenizer.end.map((token) => [token, Number.NEGATIVE_INFINITY]));
let seed = 0;
const prompt = (count) => Array.from({ length: count }, (_, i) => (++seed * 977 + i * i * 31) % 8000);
const ask = (maxTokens, count = 4) => model.complete(prompt(count), { temperature: 0, maxTokens, logitBias });

async function timed(run) {
  const begun = performance.now();
  await run();
  return performance.now() - begun;
}
/** Milliseconds to the first token of a prompt. */
const first = () =>
  timed(async () => {
    for await (const _ of ask(1, length)) break;
  });

console.log(
  `${cpus()[0].model}, Node ${process.versions.node}, build ${model.info.build}, ${values.threads} thread(s)`,
);
await ask(tokens).text();
for (const clients of [2, 4, 8, 16]) {
  let [turns, once] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < 2; i++) {
    turns = Math.min(
      turns,
      await timed(async () => {
        for (let j = 0; j < clients; j++) await ask(tokens).text();
      }),
    );
    once = Math.min(once, await timed(() => Promise.all(Array.from({ length: clients }, () => ask(tokens).text()))));
  }
  console.log(
    JSON.stringify({
      clients,
      turnsMs: Math.round(turns),
      onceMs: Math.round(once),
      ratio: Number((once / turns).toFixed(3)),
    }),
  );
}
const alone = Math.min(await first(), await first());
const leaving = new AbortController();
const others = Array.from({ length: 8 }, () => {
  const completion = model.complete(prompt(4), { maxTokens: 400, logitBias, signal: leaving.signal });
  return completion.text().catch(() => {});
});
await new Promise((resolve) => setTimeout(resolve, 2000));
const crowded = Math.min(await first(), await first());
leaving.abort();
await Promise.all(others);
console.log(
  JSON.stringify({
    first: { aloneMs: Math.round(alone), crowdedMs: Math.round(crowded), ratio: Number((crowded / alone).toFixed(2)) },
  }),
);
model.close();
