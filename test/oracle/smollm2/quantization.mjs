// What int8 and int4 leave of a model that others trained: SmolLM2's Q4_1 file is read as its F32 function (by llama.cpp, which also computes
// that function), and what `zagreus quantize --requantize` makes of the file runs here. Prints the table of docs/quantization.md. Plain
// rounding has to give llama-quantize's bytes; exits 1 when it does not, or when calibrated int4 is no closer than plain.
//
//     npm ci --prefix test/oracle && node test/oracle/smollm2/quantization.mjs [PYTHON]      a Python with pip and numpy; Linux x64
//
// Files stay in test/.cache/smollm2 and are used again; calibrating takes some 10 minutes of one core each.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "../../../dist/index.js";
import { openCheckpoint } from "../../../dist/quantize.js";
import { smollm2 } from "../../smollm2/model.mjs";
import { llama as run } from "./llama.mjs";

const WINDOW = 512;
const WINDOWS = 2;
const LANGUAGES = ["ita", "eng"];
/** Characters of the calibration texts: 7,504 tokens. */
const CALIBRATION = { ita: 10_000, eng: 16_000 };
/** llama.h's enum llama_ftype. */
const FILE_TYPES = { f32: 0, q8_0: 7, q4_0: 2 };

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const text = (name) => readFileSync(path(`../../fixtures/text/${name}.txt`), "utf8");
const python = process.argv[2] ?? "python3";
const original = await smollm2(python);
const FOLDER = dirname(original);
const work = mkdtempSync(join(tmpdir(), "zagreus-oracle-"));
process.on("exit", () => rmSync(work, { recursive: true }));

const llama = (...jobs) => run(python, ...jobs);

/** A file that `zagreus quantize` makes of the model. */
function quantized(name, ...args) {
  const out = join(FOLDER, `${name}.gguf`);
  if (existsSync(out)) return out;
  const cli = path("../../../dist/cli.js");
  execFileSync(process.execPath, [cli, "quantize", original, "--requantize", "-o", out, ...args], { stdio: "inherit" });
  return out;
}

/** SHA-256 of the tensors' bytes, by name. */
async function tensors(file) {
  const checkpoint = await openCheckpoint(file);
  const hashes = {};
  for (const { name, rows, read } of checkpoint.tensors) {
    hashes[name] = createHash("sha256")
      .update(await read(0, rows))
      .digest("hex");
  }
  await checkpoint.close();
  return JSON.stringify(hashes, Object.keys(hashes).sort());
}

function logSoftmax(row) {
  let most = Number.NEGATIVE_INFINITY;
  for (const x of row) if (x > most) most = x;
  let sum = 0;
  for (const x of row) sum += Math.exp(x - most);
  const log = most + Math.log(sum);
  return row.map((x) => x - log);
}

/** Kullback-Leibler divergence from log-probabilities p. */
function divergence(p, q) {
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += Math.exp(p[i]) * (p[i] - q[i]);
  return sum;
}

/** Second halves of windows: perplexity, and divergence from the function in F32, by language; rows(tokens, place) gives their logits. */
async function measured(rows, reference) {
  const results = [];
  for (const language of LANGUAGES) {
    let [nll, kl, count] = [0, 0, 0];
    for (const [place, tokens] of windows[language].entries()) {
      for await (const [at, logits] of rows(tokens, `${language}-${place}`)) {
        if (at < WINDOW / 2 || at === WINDOW - 1) continue;
        const q = logSoftmax(logits);
        if (reference) kl += divergence(logSoftmax(reference(`${language}-${place}`, at)), q);
        nll -= q[tokens[at + 1]];
        count++;
      }
    }
    results.push({ perplexity: Math.exp(nll / count), kl: kl / count });
  }
  return results;
}

const text7500 = join(work, "calibration.txt");
writeFileSync(text7500, LANGUAGES.map((name) => text(`calibration-${name}`).slice(0, CALIBRATION[name])).join(""));
const files = {
  "Q4_1, the file itself": original,
  Q8_0: quantized("q8_0", "-t", "q8_0"),
  "Q4_0, plain": quantized("q4_0", "-t", "q4_0"),
  "**Q4_0, calibrated**": quantized("q4_0-calibrated", "-t", "q4_0", "--calibrate", text7500),
  "Q4_0, plain, `--embedding q8_0`": quantized("q4_0-q8_0", "-t", "q4_0", "--embedding", "q8_0"),
};

for (const type of ["q8_0", "q4_0"]) {
  const target = join(work, `${type}.gguf`);
  llama({ do: "quantize", source: original, target, ftype: FILE_TYPES[type], pure: true, requantize: true });
  const same = (await tensors(target)) === (await tensors(join(FOLDER, `${type}.gguf`)));
  console.log(`${type}: ${same ? "llama-quantize's bytes" : "NOT llama-quantize's bytes"}`);
  if (!same) process.exitCode = 1;
}

const tokenizing = await load(original);
const windows = Object.fromEntries(
  LANGUAGES.map((language) => {
    const tokens = tokenizing.tokenize(text(`held-${language}`));
    return [language, Array.from({ length: WINDOWS }, (_, i) => tokens.slice(i * WINDOW, (i + 1) * WINDOW))];
  }),
);
const { vocabulary, parameters } = tokenizing.info;
tokenizing.close();
const floats = (place) => join(FOLDER, `f32-${place}.bin`);
const missing = LANGUAGES.flatMap((language) =>
  windows[language].map((tokens, i) => ({ tokens, out: floats(`${language}-${i}`) })),
).filter(({ out }) => !existsSync(out));
if (missing.length > 0) {
  const model = join(work, "f32.gguf");
  llama(
    { do: "quantize", source: original, target: model, ftype: FILE_TYPES.f32, requantize: true },
    ...missing.map((window) => ({ do: "logits", model, ...window })),
  );
}
const cached = {};
/** Logits of the function in F32. */
function reference(place, at) {
  if (cached.place !== place) Object.assign(cached, { place, bytes: readFileSync(floats(place)) });
  const { buffer, byteOffset } = cached.bytes;
  return new Float32Array(buffer, byteOffset + 4 * at * vocabulary, vocabulary);
}

async function* referenceRows(_, place) {
  for (let at = 0; at < WINDOW; at++) yield [at, reference(place, at)];
}

const shown = (results, name, size) => {
  const perplexities = results.map(({ perplexity }) => perplexity.toFixed(2)).join(" / ");
  const divergences = results.map(({ kl }) => (1000 * kl).toFixed(1)).join(" / ");
  console.log(`| ${name} | ${perplexities} | ${divergences} | ${size} |`);
};
console.log("| file | perplexity | KL x 1000 | size, MB |\n| --- | --: | --: | --: |");
shown(await measured(referenceRows), "F32 (llama.cpp)", ((4 * parameters) / 1e6).toFixed(0));
const divergences = {};
for (const [name, file] of Object.entries(files)) {
  const model = await load(file, { kvType: "f32", contextLength: WINDOW, threads: 1 });
  const rows = async function* (tokens) {
    let at = 0;
    for await (const row of model.logits(tokens, { all: true })) yield [at++, row];
  };
  const results = await measured(rows, reference);
  model.close();
  divergences[name] = results.map(({ kl }) => kl);
  shown(results, name, (statSync(file).size / 1e6).toFixed(1));
}
const closer = (calibrated, plain) => divergences[calibrated].every((kl, i) => kl < divergences[plain][i]);
if (!closer("**Q4_0, calibrated**", "Q4_0, plain")) process.exitCode = 1;
