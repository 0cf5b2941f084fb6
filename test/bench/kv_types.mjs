// What the types of the KV cache cost: bytes of a position, and how far the last 128 tokens of windows of real text are from those that
// the same model has with f32 keys and values (perplexity, mean KL divergence x 1000), Italian / English.
//
//     node test/bench/kv_types.mjs MODEL [--lengths 512,2048,8192] [--types int8,int4,f16] [--windows 2]

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { load } from "../../dist/index.js";

const LANGUAGES = ["ita", "eng"];
const MEASURED = 128;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lengths: { type: "string", default: "512,2048,8192" },
    types: { type: "string", default: "int8,int4,f16" },
    windows: { type: "string", default: "2" },
  },
});
const [file] = positionals;
if (file === undefined) throw new Error("node test/bench/kv_types.mjs MODEL");
const lengths = values.lengths.split(",").map(Number);
const contextLength = Math.max(...lengths);

function logSoftmax(row) {
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const log = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
  return row.map((x) => x - log);
}
const divergence = (p, q) => p.reduce((sum, x, i) => sum + Math.exp(x) * (x - q[i]), 0);

/** Windows of a text that ends where the next begins; as many as there are. */
function windowsOf(model, language, length) {
  const text = readFileSync(new URL(`../fixtures/text/held-${language}.txt`, import.meta.url), "utf8");
  const tokens = model.tokenize(text);
  const count = Math.min(Number(values.windows), Math.floor(tokens.length / length));
  return Array.from({ length: count }, (_, i) => tokens.slice(i * length, (i + 1) * length));
}

/** Log-probabilities of the last MEASURED tokens' rows. */
async function lastRows(model, tokens) {
  const rows = [];
  let at = 0;
  for await (const row of model.logits(tokens, { all: true })) {
    if (at >= tokens.length - MEASURED - 1 && at < tokens.length - 1) rows.push(logSoftmax(Float32Array.from(row)));
    at++;
  }
  return rows;
}

const kept = new Map(); // rows of f32, by window
console.log("| cache | bytes a position | perplexity, KL x 1000 behind", lengths.join(", "), "|");
for (const kvType of ["f32", ...values.types.split(",")]) {
  const model = await load(file, { kvType, contextLength });
  const cells = [];
  for (const length of lengths) {
    const results = [];
    for (const language of LANGUAGES) {
      let [nll, kl, count] = [0, 0, 0];
      for (const [place, tokens] of windowsOf(model, language, length).entries()) {
        const rows = await lastRows(model, tokens);
        const key = `${length} ${language} ${place}`;
        if (kvType === "f32") kept.set(key, rows);
        for (const [i, row] of rows.entries()) {
          nll -= row[tokens[tokens.length - MEASURED + i]];
          kl += divergence(kept.get(key)[i], row);
          count++;
        }
      }
      results.push({ perplexity: Math.exp(nll / count).toFixed(2), kl: ((1000 * kl) / count).toFixed(1) });
    }
    const both = (name) => results.map((result) => result[name]).join(" / ");
    cells.push(`${both("perplexity")}, ${both("kl")}`);
  }
  const { plan } = model.info;
  console.log(`| ${kvType} | ${Math.round(plan.kvCache / model.info.cacheLength)} | ${cells.join(" | ")} |`);
  model.close();
}
