// Token ids of zagreus-edge beside those of llama.cpp and of the libraries that vocabularies are made with: 1,000 seeded texts each.
//
//     npm ci --prefix test/oracle && node test/oracle/tokenizers.mjs [SEED] [--only PART] [--texts N]
//
// repository   llama.cpp's vocabularies (models/ggml-vocab-*.gguf, out of the git bundle that node-llama-cpp's package carries) with the
//              texts and ids beside them, and llama.cpp itself
// names        every value of tokenizer.ggml.pre that is known here, over one of these vocabularies, and llama.cpp itself
// trained      vocabularies that tokenizers and sentencepiece train on the spot, through `zagreus quantize`: their own ids and llama.cpp's
//
// Prints a table: name, splitter, oracle, texts, differences; exits 1 when there are any. PYTHON names a Python that has the packages of
// trained; without it one is made in a temporary folder.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { getLlama } from "node-llama-cpp";
import { load } from "../../dist/index.js";
import { quantize } from "../../dist/quantize.js";

const PACKAGES = ["tokenizers==0.23.3", "sentencepiece==0.2.3"];
const here = path.dirname(fileURLToPath(import.meta.url));
const bundle = path.join(here, "node_modules/node-llama-cpp/llama/gitRelease.bundle");
const work = mkdtempSync(path.join(os.tmpdir(), "tokenizers-"));
const run = (program, args, input = "") => execFileSync(program, args, { maxBuffer: 2 ** 28, input });

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, texts: { type: "string", default: "1000" } },
});
const seed = Number(positionals[0] ?? 16);
const COUNT = Number(flags.texts);

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", progressLogs: false, maxThreads: 2 });

/** Our sources that this needs. */
async function sources() {
  const outfile = path.join(work, "sources.mjs");
  const contents = [
    'export * from "../support/models/gguf_writer.ts";',
    'export { safetensors } from "../support/models/nanotron_writer.ts";',
    'export { entryValue, readGgufHeader } from "../../host/core/gguf/header.ts";',
    'export { PRE_TOKENIZERS } from "../../quant/read/pre_tokenizer.ts";',
  ].join("\n");
  const stdin = { contents, resolveDir: here, loader: "ts" };
  await build({ stdin, bundle: true, format: "esm", platform: "node", outfile, logLevel: "error" });
  return import(pathToFileURL(outfile).href);
}
const { entryValue, PRE_TOKENIZERS, readGgufHeader, safetensors, tinyModel, uniform, writeGguf } = await sources();

// Texts

/** Characters of all classes, assigned before Unicode 15: llama.cpp's tables are older than ours. */
const CHARACTERS = [
  ..."aaabeijklmnrstTvxyzABRSZéèßøŁñΩλжбЯשעربनि中文字日ひカ가ﬁªʰ𝒜",
  ..."00123456789½²Ⅷ٣५௧①𝟙",
  ...'....,,!?;:-_()[]{}<>@#$%^&*+=|~`"/\\€§…«»“”、。😀👩‍💻🇮🇹\u0301\u20e3\u200b\u200d\ufeff\ufffd\u00ad\u2581',
  ...[..."          "],
  ..."\n\n\r\t\u000b\u000c\u0085\u00a0\u2003\u2028\u3000",
  ..."\u0000\u0004\u001f\u007f\u0080\ue000\u{40000}\u{10fffd}",
];
const WORDS = [
  ..."the and che della perché l'acqua it's don't I'LL we've they're 'S 'Re d'Italia naïve straße мир שלום".split(" "),
  ...[
    "  ",
    "    ",
    "\n\n",
    "\r\n",
    " \n ",
    "...",
    "!!\n",
    "1234567",
    " 3.14",
    "0x1F",
    "\u2581\u2581",
    "<0x0A>",
    "</s>",
    "<unk>",
  ],
];

/** Texts of characters, words, and passages of prose. */
function texts(random, count, prose) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const piece = () => (random() < 0.5 ? pick(CHARACTERS) : pick(WORDS) + (random() < 0.6 ? " " : ""));
  return Array.from({ length: count }, (_, i) => {
    if (i % 4 === 3) {
      const at = Math.floor(random() * (prose.length - 400));
      return prose.slice(at, at + 20 + Math.floor(random() * 380)).toWellFormed();
    }
    return Array.from({ length: 1 + Math.floor(random() * 24) }, piece)
      .join("")
      .toWellFormed();
  });
}
const prose = ["ita", "eng"]
  .map((name) => readFileSync(path.join(here, `../fixtures/text/held-${name}.txt`), "utf8"))
  .join("");

// Models: a vocabulary with a tiny network, so that both engines load it as they load any

/** tokenizer.* of a GGUF file, as its values. */
async function vocabularyOf(file) {
  const bytes = readFileSync(file);
  const header = await readGgufHeader({ name: file, read: async (length) => bytes.subarray(0, length) });
  return new Map(
    [...header.entries.keys()]
      .filter((key) => key.startsWith("tokenizer.ggml."))
      .map((key) => [key, { ...header.entries.get(key), value: entryValue(header, key), bytes: header.bytes }]),
  );
}

/** Writes a model with these entries; `pre` is another pre-tokenizer. */
function writeModel(entries, pre, file) {
  const count = entries.get("tokenizer.ggml.tokens").value.length;
  const tiny = tinyModel({ layers: 1, heads: 1, types: 2 });
  const metadata = tiny.metadata.filter(({ key }) => key.startsWith("llama.") || key.startsWith("general."));
  const vocabulary = new DataView(metadata.find(({ key }) => key === "llama.vocab_size").value.bytes.buffer);
  vocabulary.setUint32(0, count, true);
  for (const [key, { start, end, type, bytes }] of entries) {
    if (key === "tokenizer.ggml.pre" && pre !== undefined) continue;
    const value = start + 8 + Buffer.byteLength(key) + 4;
    metadata.push({ key, value: { type, bytes: bytes.subarray(value, end) } });
  }
  if (pre !== undefined) metadata.push({ key: "tokenizer.ggml.pre", value: text(pre) });
  const embedding = tiny.tensors.find(({ name }) => name === "token_embd.weight");
  embedding.dims = [32, count];
  embedding.data = new Uint8Array(18 * count);
  writeFileSync(file, writeGguf({ ...tiny, metadata }).bytes);
}

function text(string) {
  const bytes = Buffer.alloc(8 + Buffer.byteLength(string));
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8));
  bytes.write(string, 8);
  return { type: 8, bytes };
}

/** llama.cpp's tokens. */
async function theirs(file, all) {
  const model = await llama.loadModel({ modelPath: file, vocabOnly: true });
  const tokens = all.map((each) => [...model.tokenize(each, false)]);
  const decoded = tokens.map((ids) => model.detokenize(ids, false));
  await model.dispose();
  return { tokens, decoded };
}

// The table

const rows = [];
let bad = 0;

/** A row of the table, and the first difference in full. `listed`: how the oracle is known to differ. */
function report({ name, splitter, oracle, all, ours, expected, listed }) {
  const differing = all.map((_, i) => i).filter((i) => ours[i].join() !== expected[i].join());
  rows.push([name, splitter, oracle, all.length, `${differing.length}${listed ? `: ${listed}` : ""}`]);
  if (!listed) bad += differing.length;
  const first = differing[0];
  if (first === undefined || listed) return;
  console.log(
    `${name}, ${oracle}: ${JSON.stringify(all[first])}\n  ours   ${ours[first]}\n  theirs ${expected[first]}`,
  );
}

const splitterOf = (pre) => PRE_TOKENIZERS.find(({ names }) => names.includes(pre))?.data ?? "SentencePiece";
const plain = (model) => (each) => model.tokenize(each, { bos: false });

async function compare(name, file, pre, random, extra = []) {
  const model = await load(file, { contextLength: 64, threads: 1 });
  const all = texts(random, COUNT, prose);
  const ours = all.map(plain(model));
  const { tokens, decoded } = await theirs(file, all);
  const splitter = splitterOf(pre);
  report({ name, splitter, oracle: "llama.cpp", all, ours, expected: tokens });
  if (splitter === "SentencePiece") {
    const texts = ours.map((ids) => [model.detokenize(ids)]);
    report({
      name: `${name}, decoded`,
      splitter,
      oracle: "llama.cpp",
      all,
      ours: texts,
      expected: decoded.map((each) => [each]),
    });
  }
  for (const { oracle, all, expected, listed } of extra) {
    report({ name, splitter, oracle, all, ours: all.map(plain(model)), expected, listed });
  }
  model.close();
}

/** The texts and ids beside a vocabulary, as tests/test-tokenizer-0.cpp reads them. */
function recorded(file) {
  if (!existsSync(`${file}.inp`)) return [];
  const all = readFileSync(`${file}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
  const lines = readFileSync(`${file}.out`, "utf8").split("\n").slice(0, all.length);
  return [
    { oracle: "llama.cpp's .out", all, expected: lines.map((line) => line.split(" ").filter(Boolean).map(Number)) },
  ];
}

function repositoryFiles() {
  run("git", ["clone", "-q", "--no-checkout", bundle, path.join(work, "llama")]);
  run("git", ["-C", path.join(work, "llama"), "checkout", "-q", "HEAD", "--", "models"]);
  return path.join(work, "llama/models");
}

/** Part 1. */
async function repository(models) {
  for (const name of readdirSync(models).filter((file) => file.endsWith(".gguf"))) {
    const file = path.join(models, name);
    const entries = await vocabularyOf(file);
    const pre = entries.get("tokenizer.ggml.pre")?.value;
    const model = entries.get("tokenizer.ggml.model").value;
    const known = model === "llama" || (model === "gpt2" && splitterOf(pre) !== "SentencePiece");
    if (!known) {
      console.log(`${name}: ${model}, ${pre ?? "no pre-tokenizer"}: not known here`);
      continue;
    }
    const target = path.join(work, name);
    writeModel(entries, undefined, target);
    await compare(name.slice(11, -5), target, pre, uniform(seed), recorded(file));
    rmSync(target);
  }
}

/** Part 2. */
async function names(models) {
  const entries = await vocabularyOf(path.join(models, "ggml-vocab-gpt-2.gguf"));
  for (const pre of PRE_TOKENIZERS.flatMap((row) => row.names)) {
    const target = path.join(work, `${pre}.gguf`);
    writeModel(entries, pre, target);
    await compare(`gpt-2's as ${pre}`, target, pre, uniform(seed + 1));
    rmSync(target);
  }
}

function python() {
  if (process.env.PYTHON) return process.env.PYTHON;
  run("python3", ["-m", "venv", path.join(work, "venv")]);
  run(path.join(work, "venv/bin/pip"), ["install", "-q", ...PACKAGES]);
  return path.join(work, "venv/bin/python");
}

/** The rest of a checkpoint: a network of zeros. */
function addNetwork(folder) {
  const [rows, hidden] = [2048, 32];
  const config = {
    architectures: ["LlamaForCausalLM"],
    hidden_size: hidden,
    intermediate_size: hidden,
    num_attention_heads: 1,
    num_hidden_layers: 1,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    vocab_size: rows,
    tie_word_embeddings: true,
    bos_token_id: 1,
    eos_token_id: 2,
  };
  const tensor = (...shape) => ({ dtype: "F32", shape, bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b)) });
  const matrices = ["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => `self_attn.${name}`);
  const all = [...matrices, ...["gate_proj", "up_proj", "down_proj"].map((name) => `mlp.${name}`)];
  const tensors = new Map([
    ["model.embed_tokens.weight", tensor(rows, hidden)],
    ["model.norm.weight", tensor(hidden)],
    ...["input_layernorm", "post_attention_layernorm"].map((name) => [`model.layers.0.${name}.weight`, tensor(hidden)]),
    ...all.map((name) => [`model.layers.0.${name}.weight`, tensor(hidden, hidden)]),
  ]);
  writeFileSync(path.join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(path.join(folder, "model.safetensors"), safetensors(tensors));
}

/** Part 3. */
async function trained() {
  const folder = path.join(work, "trained");
  mkdirSync(folder);
  const corpus = ["ita", "eng"].map((name) => path.join(here, `../fixtures/text/held-${name}.txt`));
  const all = texts(uniform(seed + 2), COUNT, prose);
  const script = path.join(here, "trained_vocabularies.py");
  const results = JSON.parse(run(python(), [script, folder], JSON.stringify({ corpus, texts: all })).toString());
  for (const { name, oracle, ids, listed } of results) {
    addNetwork(path.join(folder, name));
    const file = path.join(work, `${name}.gguf`);
    await quantize(path.join(folder, name), file, { type: "q8_0" });
    const pre = (await vocabularyOf(file)).get("tokenizer.ggml.pre").value;
    await compare(`trained: ${name}`, file, pre, uniform(seed + 3), [{ oracle, all, expected: ids, listed }]);
  }
}

const PARTS = { repository, names, trained };

try {
  if (!existsSync(bundle)) throw new Error("npm ci --prefix test/oracle comes first");
  const models = repositoryFiles();
  for (const [name, part] of Object.entries(PARTS)) if ((flags.only ?? name) === name) await part(models);
  console.log("| name | splitter | oracle | texts | differences |\n| --- | --- | --- | --- | --- |");
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
  const compared = rows.reduce((sum, row) => sum + row[3], 0);
  console.log(`seed ${seed}: ${compared} texts, ${bad} differences`);
  process.exitCode = bad === 0 && rows.length > 0 ? 0 : 1;
} finally {
  await llama.dispose();
  rmSync(work, { recursive: true, force: true });
}
