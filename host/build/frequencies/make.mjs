// Makes a frequency list of the package (quant/vocabulary/frequency_list.ts) of texts:
//
//     node host/build/frequencies/make.mjs NAME SHARE=PLACE ... [--words 20000] --tokenizer MODEL.gguf
//
// A place is a directory of texts (UTF-8), or a file of lines "count<tab>word"; it has its share of the list, however much there is in it. Words beyond the most frequent ones come in as the
// tokens that MODEL has for them. quant/vocabulary/frequencies/README.md says what the lists of the package were made of.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";
import { load } from "../../../dist/index.js";

/** Llama 3's. */
const WORDS =
  /'(?:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/giu;
const LEAST = 3e-7; // of all words: what is rarer decides nothing
const LONGEST = 64; // characters of what is a word to somebody
const root = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    words: { type: "string", default: "20000" },
    tokenizer: { type: "string" },
    least: { type: "string", default: "2" },
  },
});
const [name, ...sources] = positionals;

const { outputFiles } = await build({
  entryPoints: [root("quant/vocabulary/frequency_list.ts")],
  format: "esm",
  write: false,
});
const { encodeFrequencies } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
);

const all = new Map();
const least = Number(values.least);
for (const source of sources) {
  const [share, place] = source.split("=");
  const counts = place.endsWith(".tsv") ? counted(place) : count(place);
  const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
  console.log(`${place}: ${total} words, ${counts.size} different`);
  for (const [word, n] of counts) if (n >= least) all.set(word, (all.get(word) ?? 0) + (n / total) * Number(share));
}
const list = await withPieces(all, Number(values.words));
const text = Buffer.from(encodeFrequencies(list));
const file = root(`quant/vocabulary/frequencies/${name}.br`);
const bytes = brotliCompressSync(text, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
  },
});
writeFileSync(file, bytes);
console.log(`${file}: ${list.size} entries, ${text.length} -> ${bytes.length} bytes`);

function counted(file) {
  const counts = new Map();
  for (const line of readFileSync(file, "utf8").trimEnd().split("\n")) {
    const [n, word] = line.split("\t");
    counts.set(word, (counts.get(word) ?? 0) + Number(n));
  }
  return counts;
}

function count(directory) {
  const counts = new Map();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const content = readFileSync(join(entry.parentPath, entry.name), "utf8");
    for (const [word] of content.matchAll(WORDS)) {
      if (word.length > LONGEST || word.includes("\0")) continue;
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

/** The most frequent words, and of the others their tokens. */
async function withPieces(words, most) {
  const sorted = [...words].sort((a, b) => b[1] - a[1]);
  const kept = new Map(sorted.slice(0, most));
  const model = await load(values.tokenizer, { contextLength: 1, threads: 1 });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (const [word, n] of sorted.slice(most)) {
    for (const token of model.tokenize(word, { bos: false })) {
      const piece = pieceOf(model, decoder, token);
      if (piece) kept.set(piece, (kept.get(piece) ?? 0) + n);
    }
  }
  model.close();
  const total = [...kept.values()].reduce((sum, n) => sum + n, 0);
  for (const [word, n] of kept) if (n / total < LEAST) kept.delete(word);
  return kept;
}

function pieceOf(model, _decoder, token) {
  const piece = model.detokenize([token]);
  return piece.includes("\ufffd") ? undefined : piece;
}
