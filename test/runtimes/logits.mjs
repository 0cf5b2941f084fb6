// Prints the SHA-256 of the logits that every build gives in this runtime, as JSON: test/builds.test.ts compares them.
// Runs in Node and, with its Node modules, in Deno.

import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { load } from "../../dist/index.js";

const MODELS = {
  Q8_0: "../../host/models/zagreus-nano-Q8_0.gguf",
  Q4_0: "../fixtures/models/zagreus-nano-Q4_0.gguf",
  F16: "../fixtures/models/zagreus-nano-F16.gguf",
  Q5_K_M: "../fixtures/community/tiny-Q5_K_M.gguf",
};
const RUNS = [
  { build: "simd", threads: 1 },
  { build: "relaxed", threads: 1 },
  ...["simd-mt", "relaxed-mt"].flatMap((build) => [1, 2, 3].map((threads) => ({ build, threads }))),
];
/** Tokens that are in the KV cache before the rest of the prompt comes in batches of 64. */
const SPLITS = [1, 5, 64, 131];
const TOKENS = Array.from({ length: 200 }, (_, i) => (i === 0 ? 8176 : (i * i * 31 + i * 7) % 8000));

const sha256 = (floats) => createHash("sha256").update(new Uint8Array(floats.buffer)).digest("hex");

/** Hashes of one model, and how a prompt split elsewhere compares. */
async function measure(file, options) {
  const model = await load(fileURLToPath(new URL(file, import.meta.url)), options);
  const tokens = TOKENS.map((token) => token % model.info.vocabulary);
  const rows = createHash("sha256");
  for await (const row of model.logits(tokens, { all: true })) rows.update(new Uint8Array(row.buffer));
  const last = sha256(await model.logits(tokens));
  for (const split of SPLITS) {
    await model.logits([...tokens.slice(0, split), 0]); // the cache agrees up to `split`
    if (sha256(await model.logits(tokens)) !== last)
      throw new Error(`${options.build}: other bits when split at ${split}`);
  }
  const completion = model.complete(tokens.slice(0, 20), { maxTokens: 16, seed: 7 });
  await completion.text();
  model.close();
  return `${rows.digest("hex")} ${completion.tokens}`;
}

const hashes = [];
const missing = {};
for (const run of RUNS) {
  try {
    for (const [model, file] of Object.entries(MODELS)) {
      for (const kvType of ["int8", "int4", "f16", "f32"])
        hashes.push({ ...run, model, kvType, hash: await measure(file, { ...run, kvType }) });
    }
  } catch (error) {
    if (error.code !== "UNSUPPORTED_RUNTIME") throw error;
    missing[run.build] = error.message;
  }
}
console.log(JSON.stringify({ hashes, missing }));
