// Every shape a Llama file may have, against the plain double-precision forward pass of test/support/models/reference.ts.

import { describe, expect, it } from "vitest";
import { INFO_BOS, INFO_TIED, KV_F32, KV_INT4, KV_INT8 } from "../../assembly/layout/abi";
import {
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q4_1,
  TYPE_Q5_0,
  TYPE_Q5_1,
  TYPE_Q8_0,
} from "../../assembly/layout/blocks";
import { VALUE_I32, VALUE_U16, VALUE_U64 } from "../../assembly/layout/gguf";
import { Core, NANO, type NanoType } from "../support/core";
import {
  array,
  f32,
  type GgufFile,
  scalar,
  string,
  type TinyOptions,
  tinyModel,
  u32,
  writeGguf,
} from "../support/models/gguf_writer";
import { cosine, divergence, readGguf, referenceLogits, roundMatrices } from "../support/models/reference";
import { VARIANTS } from "../support/variants";

const SHAPES: [string, TinyOptions][] = [
  ["all F32", { types: TYPE_F32 }],
  ["all F16", { types: TYPE_F16 }],
  ["all BF16", { types: TYPE_BF16 }],
  ["all Q8_0", { types: TYPE_Q8_0 }],
  ["all Q4_0", { types: TYPE_Q4_0 }],
  ["all Q4_1", { types: TYPE_Q4_1 }],
  ["all Q5_0", { types: TYPE_Q5_0 }],
  ["all Q5_1", { types: TYPE_Q5_1 }],
  [
    "a type of its own for each matrix",
    {
      types: {
        token_embd: TYPE_F16,
        attn_q: TYPE_Q4_0,
        attn_k: TYPE_Q8_0,
        attn_v: TYPE_F32,
        attn_output: TYPE_BF16,
        ffn_gate: TYPE_Q8_0,
        ffn_up: TYPE_Q4_0,
        ffn_down: TYPE_F16,
      },
    },
  ],
  ["an LM head of its own", { tied: false }],
  ["an LM head of its own, embedding of another type", { tied: false, types: { output: TYPE_Q4_0 } }],
  ["multi-head attention", { heads: 2, kvHeads: 2 }],
  ["grouped queries 3:1", { heads: 3, kvHeads: 1 }],
  ["grouped queries 4:1", { heads: 4, kvHeads: 1 }],
  ["grouped queries 6:2", { heads: 6, kvHeads: 2 }],
  ["heads of 64", { heads: 2, headSize: 64 }],
  ["heads of 128", { heads: 1, headSize: 128 }],
  ["heads of 16", { heads: 4, kvHeads: 2, headSize: 16 }],
  ["heads wider than the residual stream", { heads: 2, headSize: 64, hidden: 96 }],
  ["one head", { heads: 1 }],
  ["theta 1,000,000", { theta: 1e6 }],
  ["theta 500", { theta: 500 }],
  ["linear scaling 4", { linearScaling: 4 }],
  ...ropeShapes(),
  ["RoPE factors", { ropeFreqs: Array.from({ length: 16 }, (_, i) => 1 + i / 2) }],
  ["a vocabulary of 266", { extraTokens: 1 }],
  ["a vocabulary of 267", { extraTokens: 2 }],
  ["a vocabulary of 268, Q4_0, untied", { extraTokens: 3, tied: false, types: TYPE_Q4_0 }],
  ["one layer, smallest feed-forward", { layers: 1, ffn: 32 }],
  ["six layers", { layers: 6 }],
  ["a wide feed-forward", { ffn: 416 }],
  ["tensors in any order", { shuffleTensors: true }],
  ["merges before tokens", { metadataOrder: "merges-first" }],
  ["keys in reverse order, unknown ones among them", { metadataOrder: "reversed", unknownKeys: true }],
  ["GGUF version 2", { version: 2 }],
  ["alignment 64", { alignment: 64 }],
  ["alignment 8", { alignment: 8 }],
  ["alignment 4096", { alignment: 4096, shuffleTensors: true }],
];

/** Keys of RoPE scaling by their last part. */
function rope(keys: Record<string, string | number>): GgufFile["metadata"] {
  return Object.entries(keys).map(([name, value]) => ({
    key: name === "scale_linear" ? "llama.rope.scale_linear" : `llama.rope.scaling.${name}`,
    value: typeof value === "string" ? string(value) : name.endsWith("length") ? u32(value) : f32(value),
  }));
}

/** Scalings that are whole, and such as lack something. */
function ropeShapes(): [string, TinyOptions][] {
  const cases: [string, Record<string, string | number>][] = [
    ["a factor without a type is linear", { factor: 4 }],
    ["the old key of the factor", { scale_linear: 3 }],
    ["the new key before the old one", { type: "linear", factor: 2, scale_linear: 3 }],
    ["a type without a factor, but the old key", { type: "linear", scale_linear: 3 }],
    ["YaRN", { type: "yarn", factor: 4, original_context_length: 32 }],
    ["YaRN without its context", { type: "yarn", factor: 8 }],
    ["YaRN without a factor", { type: "yarn" }],
    ["YaRN with the old key, and attention of its own", { type: "yarn", scale_linear: 2, attn_factor: 0.75 }],
    ["attention's factor without YaRN", { attn_factor: 1.25 }],
  ];
  return cases.map(([name, keys]) => [`RoPE scaling: ${name}`, { more: rope(keys), theta: 500 }]);
}

/** What stands for the same model in other words. */
const SPELLINGS: [string, (file: GgufFile) => void][] = [
  ["numbers of other integer types", (file) => rewrite(file, "llama.block_count", scalar(VALUE_U64, 2))],
  ["signed numbers", (file) => rewrite(file, "llama.attention.head_count", scalar(VALUE_I32, 2))],
  ["short numbers", (file) => rewrite(file, "llama.embedding_length", scalar(VALUE_U16, 64))],
  ["no base, for it is 10,000", (file) => drop(file, "llama.rope.freq_base")],
  ["no rope.dimension_count", (file) => drop(file, "llama.rope.dimension_count")],
  ["no vocab_size", (file) => drop(file, "llama.vocab_size")],
  ["no padding at the end", (file) => Object.assign(file, { unpadded: true })],
  ...[1, 31, 5000].map((size): [string, (file: GgufFile) => void] => [
    `${size} bytes behind the last tensor`,
    (file) => Object.assign(file, { trailing: new Uint8Array(size).fill(1) }),
  ]),
  ["numbers for each layer", (file) => perLayer(file)],
  ...["llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"].map(
    (name): [string, (file: GgufFile) => void] => [
      `pre-tokenizer ${name}, which is Llama 3's`,
      (file) => rewrite(file, "tokenizer.ggml.pre", string(name)),
    ],
  ),
  ["linear scaling by 0, and without a factor", (file) => file.metadata.push(...rope({ type: "linear", factor: 0 }))],
  ["a scaling that is none", (file) => file.metadata.push(...rope({ type: "none", factor: 4, scale_linear: 3 }))],
];
function perLayer(file: GgufFile): void {
  for (const [key, n] of LAYER_KEYS) rewrite(file, key, array(VALUE_I32, [n, n]));
}
const LAYER_KEYS: [string, number][] = [
  ["llama.attention.head_count", 2],
  ["llama.attention.head_count_kv", 1],
  ["llama.feed_forward_length", 96],
];
const rewrite = (file: GgufFile, key: string, value: GgufFile["metadata"][number]["value"]) => {
  file.metadata.find((entry) => entry.key === key)!.value = value;
};
const drop = (file: GgufFile, key: string) => {
  file.metadata = file.metadata.filter((entry) => entry.key !== key);
};

/** Mean KL(reference || core), mean cosine and lowest cosine over all positions. */
function compare(core: Core, reference: (tokens: number[]) => Float64Array[], length: number) {
  const tokens = [core.info(INFO_BOS)];
  for (let i = 1; i < length; i++) tokens.push((i * 97 + 31 * (i >> 2)) % 256);
  const expected = reference(tokens);
  const rows = core.logits(tokens);
  const cosines = rows.map((row, i) => cosine(row, expected[i]!));
  const nats = rows.map((row, i) => divergence(expected[i]!, row));
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { kl: mean(nats), cosine: mean(cosines), lowest: Math.min(...cosines) };
}

describe.each(VARIANTS)("double-precision reference: $name", (variant) => {
  // With the core's own roundings in the reference nothing is left but f32 sums, and the rare activation that they round the
  // other way; the caches of integers are not imitated, so they show their whole error: on random weights, whose attention depends on the last
  // bit of a score, some ten times that of a trained model (golden.test.ts).
  it.each(SHAPES)("%s", (name, options) => {
    const { bytes } = writeGguf(tinyModel(options));
    const file = roundMatrices(readGguf(bytes));
    const reference = (tokens: number[]) => referenceLogits(file, tokens, true);
    const exact = compare(new Core(variant).open(bytes, { kvType: KV_F32 }), reference, 70);
    expect(exact.kl, `${name}: ${JSON.stringify(exact)}`).toBeLessThan(2e-4);
    expect(exact.lowest, `${name}: ${JSON.stringify(exact)}`).toBeGreaterThan(0.9995);

    const core = new Core(variant).open(bytes, { kvType: KV_INT8 });
    const int8 = compare(core, reference, 70);
    const deep = options.layers === 6;
    expect(int8.kl, `${name}, int8 KV: ${JSON.stringify(int8)}`).toBeLessThan(deep ? 4e-2 : 1.2e-2);
    expect(int8.cosine, `${name}, int8 KV: ${JSON.stringify(int8)}`).toBeGreaterThan(deep ? 0.99 : 0.997);
    const int4 = compare(new Core(variant).open(bytes, { kvType: KV_INT4 }), reference, 70);
    expect(int4.cosine, `${name}, int4 KV: ${JSON.stringify(int4)}`).toBeGreaterThan(0.8);
    expect(core.info(INFO_TIED)).toBe(options.tied === false ? 0 : 1);
  });

  it("activations near their limit meet minimums", () => {
    const file = tinyModel({ types: TYPE_Q4_1 });
    const norm = file.tensors.find(({ name }) => name === "output_norm.weight")!;
    norm.data = new Uint8Array(new Float32Array(norm.data.slice().buffer).map((x) => 1.7e6 * x).buffer); // 1.9e6 is an overflow
    const { bytes } = writeGguf(file);
    const core = new Core(variant).open(bytes);
    const { lowest } = compare(core, (tokens) => referenceLogits(readGguf(bytes), tokens, true), 20);
    expect(lowest).toBeGreaterThan(0.9995);
  });

  it.each(SPELLINGS)("%s", (_, respell) => {
    const file = tinyModel();
    const usual = new Core(variant).open(writeGguf(file).bytes).fingerprint();
    respell(file);
    expect(new Core(variant).open(writeGguf(file).bytes).fingerprint()).toBe(usual);
  });

  it("the order of tensors and keys changes nothing", () => {
    const usual = new Core(variant).open(writeGguf(tinyModel()).bytes).fingerprint();
    const orders: TinyOptions[] = [{ shuffleTensors: true }, { metadataOrder: "reversed" }, { alignment: 4096 }];
    for (const options of orders) {
      expect(new Core(variant).open(writeGguf(tinyModel(options)).bytes).fingerprint()).toBe(usual);
    }
  });

  it.each(Object.keys(NANO) as NanoType[])("zagreus-nano %s, nothing rounded in the reference", (type) => {
    const bytes = NANO[type]();
    const file = readGguf(bytes);
    const measured = compare(new Core(variant).open(bytes), (tokens) => referenceLogits(file, tokens), 24);
    console.log(`${variant.name} ${type} against double precision: ${JSON.stringify(measured)}`);
    expect(measured.cosine).toBeGreaterThan(0.999);
    expect(measured.kl).toBeLessThan(4e-3);
  });
});
