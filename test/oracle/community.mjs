// Makes test/fixtures/community/: what llama.cpp makes of its own types (DECODED_TYPES of test/support/models/reference.ts).
//
//     npm ci --prefix test/oracle     # llama.cpp 0.5.0, the binaries of node-llama-cpp 3.22.1; Linux x64
//     node test/oracle/community.mjs  # python3 with numpy
//
// blocks/TYPE.bin       blocks (rows that llama.cpp quantized, then random bytes), then the float32 that llama.cpp decodes from them
// nano-Q4_K_M.bin       the K-quant tensors of zagreus-nano quantized as Q4_K_M, in the order of the file; the tests encode the rest
// tiny-Q5_K_M.gguf      a random model whose rows are whole superblocks (tinyModel of test/support/models/gguf_writer.ts), and tiny-Q5_K_M.f32,
//                       llama.cpp's logits of its prompt, float32 [tokens][vocabulary]
// community.json        the types and a SHA-256 of the tensors of each nano file, and llama.cpp's log-probabilities of two texts

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const LIBRARIES = here("node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
const NANO = here("../fixtures/models/zagreus-nano-F16.gguf");
const OUT = here("../fixtures/community/");

const COLUMNS = 256;
const RANDOM_ROWS = 6;

/** llama.h's enum llama_ftype. */
const FILE_TYPES = { F32: 0, Q4_1: 3, Q5_0: 8, Q5_1: 9, Q4_K_M: 15, Q5_K_M: 17 };
const NANO_FILES = /** @type {const} */ (["Q4_1", "Q5_0", "Q5_1", "Q4_K_M"]);
const TEXTS = ["held-ita.txt", "held-eng.txt"];
const TEXT_TOKENS = 256;
const TINY = { layers: 1, heads: 4, kvHeads: 1, headSize: 64, ffn: 512, context: 256, types: 0, seed: 7 };
const TINY_TOKENS = 48;

const work = mkdtempSync(join(tmpdir(), "zagreus-oracle-"));
process.on("exit", () => rmSync(work, { recursive: true }));

/** Runs jobs of llama.py. */
function llama(/** @type {object[]} */ ...jobs) {
  const child = spawnSync("python3", [here("llama.py"), LIBRARIES], {
    input: JSON.stringify(jobs),
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 1 << 28,
  });
  if (child.status !== 0) throw new Error(`llama.py: exit ${child.status}`);
  return JSON.parse(child.stdout.toString());
}

/** Modules of the tests, which are TypeScript. */
async function module(/** @type {string} */ name) {
  const outfile = join(work, `${name}.mjs`);
  await build({
    entryPoints: [here(`../support/models/${name}.ts`)],
    bundle: true,
    format: "esm",
    outfile,
    logLevel: "error",
  });
  return import(outfile);
}
const { tinyModel, uniform, writeGguf } = await module("gguf_writer");
const { DECODED_TYPES, readRawGguf } = await module("reference");

const sha256 = (/** @type {Uint8Array} */ bytes) => createHash("sha256").update(bytes).digest("hex");

/** Rows of 256 that a quantizer may meet. */
function rows(/** @type {() => number} */ random) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const kinds = [
    () => 0.03 * normal(),
    () => 0.03 * normal() + 0.05,
    () => normal() ** 3,
    () => random(),
    () => -1 - random(),
    () => 1e-5 * normal(),
    () => 1e-8 * normal(),
    () => 900 * normal(),
    () => 0,
    () => 0.25,
    (/** @type {number} */ i) => (i % 3) - 1,
    (/** @type {number} */ i) => (i % 40 === 0 ? 5 : 0.01 * normal()),
    (/** @type {number} */ i) => Math.floor(i / 32) * 0.1 * normal(),
  ];
  return Float32Array.from({ length: COLUMNS * kinds.length }, (_, i) => kinds[Math.floor(i / COLUMNS)](i % COLUMNS));
}

function makeBlocks() {
  const random = uniform(4);
  writeFileSync(join(work, "rows"), rows(random));
  for (const { name, type, elements, bytes, halves } of DECODED_TYPES) {
    llama({
      do: "quantize_rows",
      type,
      columns: COLUMNS,
      values: join(work, "rows"),
      blocks: join(work, "blocks"),
    });
    const noise = Uint8Array.from({ length: ((RANDOM_ROWS * COLUMNS) / elements) * bytes }, () => 256 * random());
    for (let at = 0; at < noise.length; at += bytes) {
      for (const half of halves) if ((noise[at + half + 1] & 0x7c) === 0x7c) noise[at + half + 1] ^= 0x40; // a finite one
    }
    const blocks = Buffer.concat([readFileSync(join(work, "blocks")), noise]);
    writeFileSync(join(work, "blocks"), blocks);
    llama({ do: "dequantize", type, blocks: join(work, "blocks"), values: join(work, "values") });
    writeFileSync(join(OUT, "blocks", `${name}.bin`), Buffer.concat([blocks, readFileSync(join(work, "values"))]));
  }
}

function makeNano() {
  const kQuants = DECODED_TYPES.filter(({ elements }) => elements === COLUMNS).map(({ type }) => type);
  return NANO_FILES.map((name) => {
    const model = join(work, "nano.gguf");
    llama({ do: "quantize", source: NANO, target: model, ftype: FILE_TYPES[name], pure: !name.endsWith("_M") });
    const file = readFileSync(model);
    const { tensors } = readRawGguf(file);
    const quants = tensors.filter(({ type }) => kQuants.includes(type));
    if (quants.length > 0) writeFileSync(join(OUT, `nano-${name}.bin`), Buffer.concat(quants.map(({ data }) => data)));
    const texts = TEXTS.map((text) => ({
      do: "scores",
      model,
      text: here(`../fixtures/text/${text}`),
      count: TEXT_TOKENS,
    }));
    return {
      name,
      types: Object.fromEntries(tensors.map(({ name, type }) => [name, type])),
      sha256: sha256(Buffer.concat(tensors.map(({ data }) => data))),
      texts: llama(...texts).map(({ tokens, logprobs }) => ({
        tokens,
        logprobs: logprobs.map((x) => Number(x.toFixed(5))),
      })),
    };
  });
}

function makeTiny() {
  const source = join(work, "tiny.gguf");
  const model = join(OUT, "tiny-Q5_K_M.gguf");
  writeFileSync(source, writeGguf(tinyModel(TINY)).bytes);
  llama({ do: "quantize", source, target: model, ftype: FILE_TYPES.Q5_K_M });
  const tokens = Array.from({ length: TINY_TOKENS }, (_, i) => (i * 97 + 31 * (i >> 2)) % 256);
  llama({ do: "logits", model, tokens, out: join(OUT, "tiny-Q5_K_M.f32") });
  return { tokens };
}

mkdirSync(join(OUT, "blocks"), { recursive: true });
const [version] = llama({ do: "version" });
makeBlocks();
const community = {
  engine: `llama.cpp ${version}, CPU, f32 KV cache, no flash attention`,
  nano: makeNano(),
  tiny: makeTiny(),
};
writeFileSync(join(OUT, "community.json"), `${JSON.stringify(community)}\n`);
