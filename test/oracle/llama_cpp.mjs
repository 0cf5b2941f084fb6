// What `zagreus quantize` makes, in llama.cpp (through node-llama-cpp's binary) and in our core: the same logits, within the bounds of
// test/assembly/golden.test.ts. One JSON object for each file on stdout; exits 1 when a bound does not hold.
//
//     npm ci --prefix test/oracle && node test/oracle/llama_cpp.mjs [MODEL.gguf ...]
//
// Without arguments: zagreus-nano's Hugging Face directory converted in several ways, and the files that test/checks/quantize.mjs has
// left, where there are any.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { getLlama } from "node-llama-cpp";
import { load } from "../../dist/index.js";
import { quantize } from "../../dist/quantize.js";

/** Of the golden tests: mean divergence of a prompt, and the gap below which two logits may change places. */
const MEAN_KL = 1e-3;
const CLOSE = 0.15;
const FULLSIZE_TOKENS = 24;
/** Strong enough that a wrong one would show. */
const SCALINGS = {
  linear: { rope_type: "linear", factor: 2 },
  llama3: {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 16,
  },
};

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const NANO = path("../fixtures/zagreus-nano-hf");
const { cases } = JSON.parse(readFileSync(path("../fixtures/golden/nano-Q8_0.json"), "utf8"));

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", progressLogs: false, maxThreads: 2 });

/** llama.cpp's logits after each token of a prompt. */
async function theirLogits(context, tokens, vocabulary) {
  const sequence = context.getSequence();
  const input = tokens.map((token) => [token, { generateNext: { logits: true } }]);
  const results = await sequence.controlledEvaluate(input);
  sequence.dispose();
  return results.map(({ next }) => {
    const row = new Float64Array(vocabulary).fill(Number.NaN);
    for (const [token, logit] of next.logits) row[token] = logit;
    return row;
  });
}

function logSoftmax(row) {
  const most = row.reduce((a, b) => Math.max(a, b));
  const sum = Math.log(row.reduce((total, x) => total + Math.exp(x - most), 0)) + most;
  return Float64Array.from(row, (x) => x - sum);
}

/** Kullback-Leibler divergence of our distribution from theirs. */
function divergence(theirs, ours) {
  const [p, q] = [logSoftmax(theirs), logSoftmax(ours)];
  return p.reduce((sum, logP, i) => sum + Math.exp(logP) * (logP - q[i]), 0);
}

function largest(row) {
  let [first, second] = [-1, -1];
  row.forEach((x, i) => {
    if (first < 0 || x > row[first]) [first, second] = [i, first];
    else if (second < 0 || x > row[second]) second = i;
  });
  return { first, gap: row[first] - row[second] };
}

async function compare(name, file, prompts) {
  const ours = await load(file, { kvType: "f32", contextLength: 512 });
  const theirs = await llama.loadModel({ modelPath: file });
  const context = await theirs.createContext({
    contextSize: 512,
    batchSize: 512,
    threads: 2,
    flashAttention: false,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
  });
  let worst = 0;
  let flipped = 0;
  for (const tokens of prompts) {
    const expected = await theirLogits(context, tokens, ours.info.vocabulary);
    let total = 0;
    let position = 0;
    for await (const row of ours.logits(tokens, { all: true })) {
      const their = expected[position++];
      total += divergence(their, row);
      const { first, gap } = largest(their);
      if (gap > CLOSE && largest(row).first !== first) flipped++;
    }
    worst = Math.max(worst, total / tokens.length);
  }
  const text = "Nel mezzo del cammin di nostra vita, it's 1234 — così! 日本語 🙂\n\n  fine";
  const sameTokens = theirs.tokenize(text).join() === ours.tokenize(text, { bos: false }).join();
  const sameSpecials = theirs.tokens.bos === ours.info.tokenizer.bos && theirs.tokens.eos === ours.info.tokenizer.eos;
  ours.close();
  await context.dispose();
  await theirs.dispose();
  const passed = worst <= MEAN_KL && flipped === 0 && sameTokens && sameSpecials;
  console.log(JSON.stringify({ name, worstMeanKl: worst, flipped, sameTokens, sameSpecials, passed }));
  if (!passed) process.exitCode = 1;
}

const nanoPrompts = cases.map(({ tokens }) => tokens);
const fullsizePrompts = [
  [128000, ...Array.from({ length: FULLSIZE_TOKENS - 1 }, (_, i) => (i * i * 977 + 31 * i) % 128000)],
];

const given = process.argv.slice(2);
for (const file of given) await compare(file, file, nanoPrompts);
if (given.length === 0) {
  const directory = mkdtempSync(join(tmpdir(), "zagreus-oracle-"));
  try {
    for (const options of [{ type: "q8_0" }, { type: "q4_0" }, { type: "q4_0", embedding: "q8_0" }]) {
      const name = `zagreus-nano ${Object.values(options).join(", embedding ")}`;
      const out = join(directory, `${Object.values(options).join("-")}.gguf`);
      await quantize(NANO, out, options);
      await compare(name, out, nanoPrompts);
    }
    for (const [name, rope_scaling] of Object.entries(SCALINGS)) {
      const model = join(directory, name);
      const out = `${model}.gguf`;
      cpSync(NANO, model, { recursive: true });
      const config = JSON.parse(readFileSync(join(model, "config.json"), "utf8"));
      writeFileSync(join(model, "config.json"), JSON.stringify({ ...config, rope_scaling }));
      await quantize(model, out, { type: "q8_0" });
      await compare(`zagreus-nano, rope scaling ${name}`, out, nanoPrompts);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  for (const type of ["q8_0", "q4_0"]) {
    const file = path(`../.cache/fullsize-quantized-${type}.gguf`);
    if (existsSync(file)) await compare(`full size ${type}`, file, fullsizePrompts);
  }
}
await llama.dispose();
