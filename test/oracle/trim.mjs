// What `zagreus trim` makes, in llama.cpp (through node-llama-cpp's binary) and in our core: the same tokens, logits that are the whole model's
// at the rows that stay, and the same greedy text. One JSON object for each file on stdout; exits 1 when something differs.
//
//     npm ci --prefix test/oracle && node test/oracle/trim.mjs [MODEL.gguf ...]
//
// Without arguments: zagreus-nano, and two layers of the full size with the true Llama 3 vocabulary.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { getLlama } from "node-llama-cpp";
import { load } from "../../dist/index.js";
import { openCheckpoint, trim } from "../../dist/quantize.js";
import { writeFullsize } from "../support/models/fullsize.mjs";

/** Between the two best logits: below it engines may part. */
const CLOSE = 0.15;
const GREEDY = 16;
const CONTEXT = 256;
const PROMPTS = [
  "Nel mezzo del cammin di nostra vita, it's 1234 — così! “Sì”, disse. 日本語 🙂\n\n  fine",
  "Once upon a time there was a king who had three daughters, and the youngest",
  'function main() {\n  return { "a": [1, 2.5, null] };\n}\n',
];

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", progressLogs: false, maxThreads: 2 });

async function theirs(file, work) {
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({
    contextSize: CONTEXT,
    batchSize: CONTEXT,
    threads: 2,
    flashAttention: false,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
  });
  try {
    return await work(model, context, async (sequence, tokens) => {
      const input = tokens.map((token, i) => [
        token,
        i === tokens.length - 1 ? { generateNext: { logits: true } } : {},
      ]);
      const results = await sequence.controlledEvaluate(input);
      return results.at(-1).next.logits;
    });
  } finally {
    await context.dispose();
    await model.dispose();
  }
}

function largest(logits) {
  let token = -1;
  let [first, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [id, logit] of logits) {
    if (logit > first) [token, first, second] = [id, logit, first];
    else if (logit > second) second = logit;
  }
  return { token, gap: first - second };
}

/** Greedy tokens of llama.cpp after a prompt, each with the gap to the second; and the logits after the prompt. */
async function theirGreedy(context, logitsAfter, prompt) {
  const sequence = context.getSequence();
  const tokens = [];
  const gaps = [];
  let first;
  for (let next = prompt; tokens.length < GREEDY; next = tokens.slice(-1)) {
    const logits = await logitsAfter(sequence, next);
    first ??= new Map(logits);
    const { token, gap } = largest(logits);
    tokens.push(token);
    gaps.push(gap);
  }
  sequence.dispose();
  return { tokens, gaps, first };
}

async function ourGreedy(model, prompt) {
  const tokens = [];
  while (tokens.length < GREEDY) {
    const last = await model.logits([...prompt, ...tokens]);
    tokens.push(last.indexOf(last.reduce((a, b) => Math.max(a, b))));
  }
  return tokens;
}

/** Whether two texts are equal up to where the best logits were close. */
const sameUntilClose = (ours, { tokens, gaps }) => {
  const at = tokens.findIndex((token, i) => token !== ours[i]);
  return at < 0 || gaps[at] < CLOSE;
};

async function idsBefore(whole, trimmed) {
  const tokens = async (file) => {
    const checkpoint = await openCheckpoint(file);
    await checkpoint.close();
    return checkpoint.metadata.get("tokenizer.ggml.tokens").value;
  };
  const ids = new Map((await tokens(whole)).map((token, id) => [token, id]));
  return (await tokens(trimmed)).map((token) => ids.get(token));
}

async function compare(name, whole, trimmed) {
  const { tokens: counts, bytes } = await trim(whole, trimmed, { languages: ["it", "en"] });
  const before = await idsBefore(whole, trimmed);
  const options = { kvType: "f32", contextLength: CONTEXT };
  const ours = await load(trimmed, options);
  const prompts = PROMPTS.map((text) => ours.tokenize(text));
  const wholePrompts = prompts.map((tokens) => tokens.map((id) => before[id]));
  const greedy = [];
  const logits = [];
  for (const prompt of prompts) {
    greedy.push(await ourGreedy(ours, prompt));
    logits.push((await ours.logits(prompt)).slice());
  }
  const { bos, eos } = ours.info.tokenizer;
  const texts = PROMPTS.map((text) => ours.tokenize(text, { bos: false }).join());
  ours.close();

  const model = await load(whole, options);
  let sameLogits = true;
  for (const [i, prompt] of wholePrompts.entries()) {
    const row = await model.logits(prompt);
    sameLogits &&= before.every((id, place) => Object.is(row[id], logits[i][place]));
  }
  model.close();

  const found = await theirs(trimmed, async (model, context, logitsAfter) => {
    const sameTokens = PROMPTS.every((text, i) => model.tokenize(text).join() === texts[i]);
    const sameSpecials = (model.tokens.bos ?? undefined) === bos && (model.tokens.eos ?? undefined) === eos;
    const runs = [];
    for (const prompt of prompts) runs.push(await theirGreedy(context, logitsAfter, prompt));
    return { sameTokens, sameSpecials, runs };
  });
  const sameText = found.runs.every((run, i) => sameUntilClose(greedy[i], run));
  let largestDifference = 0;
  let sameAsWhole = true;
  await theirs(whole, async (_, context, logitsAfter) => {
    const places = new Map(before.map((id, place) => [id, place]));
    for (const [i, prompt] of wholePrompts.entries()) {
      const { tokens, gaps, first } = await theirGreedy(context, logitsAfter, prompt);
      before.forEach((id, place) => {
        largestDifference = Math.max(largestDifference, Math.abs(first.get(id) - found.runs[i].first.get(place)));
      });
      const gone = tokens.findIndex((id) => !places.has(id)); // from there on the texts are others
      const end = gone < 0 ? tokens.length : gone;
      const known = tokens.slice(0, end).map((id) => places.get(id));
      sameAsWhole &&= sameUntilClose(found.runs[i].tokens, { tokens: known, gaps });
    }
  });
  const { sameTokens, sameSpecials } = found;
  const passed = sameTokens && sameSpecials && sameLogits && sameText && sameAsWhole && largestDifference < 1e-3;
  console.log(
    JSON.stringify({
      name,
      ...counts,
      bytes,
      sameTokens,
      sameSpecials,
      sameLogits,
      sameText,
      sameAsWhole,
      largestDifference,
      passed,
    }),
  );
  if (!passed) process.exitCode = 1;
}

const directory = mkdtempSync(join(tmpdir(), "zagreus-oracle-"));
try {
  const given = process.argv.slice(2);
  for (const file of given) await compare(file, file, join(directory, "trimmed.gguf"));
  if (given.length === 0) {
    const nano = fileURLToPath(new URL("../../host/models/zagreus-nano-Q8_0.gguf", import.meta.url));
    await compare("zagreus-nano", nano, join(directory, "trimmed.gguf"));
    const layers = join(directory, "layers.gguf");
    writeFullsize({ type: "q4_0", out: layers, layers: 2 });
    await compare("full size, two layers", layers, join(directory, "trimmed.gguf"));
  }
} finally {
  rmSync(directory, { recursive: true });
}
await llama.dispose();
