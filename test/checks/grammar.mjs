// 10,000 random schemas: what the bundled model writes for each at temperature 2 parses and is valid. Usage: node test/checks/grammar.mjs
// [count [seed]]

import fc from "fast-check";
import { bundledModel, load } from "zagreus-edge";
import { mistake, randomSchema, writeFor } from "../support/random_schemas.mjs";

const count = Number(process.argv[2] ?? 10_000);
const seed = Number(process.argv[3] ?? 1);
const model = await load(bundledModel, { threads: 1 });
const begun = performance.now();
const refused = new Map();
let judged = 0;
let characters = 0;
for (const [index, schema] of fc.sample(randomSchema, { seed, numRuns: Math.ceil(count * 1.25) }).entries()) {
  if (judged === count) break;
  const options = { temperature: 2, repetitionPenalty: 1, seed: index, maxTokens: 8 + (index % 40) };
  const result = await writeFor(model, schema, options).catch((error) => ({ thrown: error }));
  const { text, finishReason, refused: reason, thrown } = result;
  if (reason) {
    const kind = reason
      .replace(/^schema [\s\S]*: /, "")
      .replace(/\d+/g, "n")
      .replace(/".*"/, "…");
    refused.set(kind, (refused.get(kind) ?? 0) + 1);
    continue;
  }
  judged++;
  characters += text?.length ?? 0;
  const wrong = thrown
    ? (thrown.stack ?? String(thrown))
    : finishReason === "stop"
      ? mistake(schema, text)
      : `finished by ${finishReason}`;
  if (!wrong) continue;
  console.error(`schema ${index} of seed ${seed}: ${wrong}\n${JSON.stringify(schema)}\n${text}`);
  process.exitCode = 1;
  break;
}
const seconds = ((performance.now() - begun) / 1000).toFixed(0);
console.log(
  `${judged} schemas written and judged in ${seconds} s, ${(characters / judged).toFixed(0)} characters on average`,
);
for (const [reason, times] of refused) console.log(`refused ${times} times: ${reason}`);
if (judged < count) process.exitCode = 1;
model.close();
