// Small checkpoints with some damage, for what quantize() does with them.

import { readFileSync } from "node:fs";
import { isObject } from "../../host/core/api/json.js";
import { openCheckpoint } from "../../quant/read/open.js";
import { Quantizer } from "../../quant/round/quantizer.js";
import { plainRounding } from "../../quant/round/rounding.js";
import { encodeGguf } from "../../quant/write/encode.js";
import { byteAlphabet } from "../support/models/gguf_writer.js";
import { memoryDirectory } from "../support/models/memory_directory.js";
import {
  type HuggingFaceModel,
  nanotronFiles,
  safetensors,
  type TestTensor,
} from "../support/models/nanotron_writer.js";

type Random = () => number;
type Files = Map<string, Uint8Array>;

/** Where the fixtures are, and what rounds: this module is bundled elsewhere. */
export interface Places {
  nano: URL;
  quantizer: URL;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const below = (n: number, random: Random) => Math.floor(random() * n);
const one = <T>(list: readonly T[], random: Random) => list[below(list.length, random)]!;
const NUMBERS = [
  0,
  1,
  2,
  3,
  31,
  32,
  33,
  63,
  64,
  255,
  256,
  259,
  65535,
  2 ** 21,
  2 ** 31 - 1,
  2 ** 32,
  2 ** 53,
  -1,
  0.5,
  1e300,
];
const TEXTS = [
  "",
  "a",
  "<|end_of_text|>",
  "yarn",
  "llama3",
  "linear",
  "F32",
  "BF16",
  "../x",
  "x".repeat(5000),
  "\0",
  "è",
  "\ud800",
];

export class Checkpoints {
  readonly #quantizer: Quantizer;
  readonly #bases: Files[];

  constructor({ nano, quantizer }: Places) {
    this.#quantizer = new Quantizer(new WebAssembly.Module(readFileSync(quantizer)));
    this.#bases = bases(JSON.parse(readFileSync(new URL("tokenizer.json", nano), "utf8")));
  }

  /** Files of a checkpoint, nearly always with damage. */
  files(random: Random): Files {
    const files = new Map(one(this.#bases, random));
    for (let i = below(4, random); i > 0; i--) {
      const name = one([...files.keys()], random);
      const change = random();
      if (change < 0.05) files.delete(name);
      else if (change < 0.1) files.set(name, files.get(one([...files.keys()], random))!);
      else files.set(name, damaged(name, files.get(name)!, random));
    }
    return files;
  }

  /** The GGUF file of a checkpoint. @throws ZagreusError */
  async quantize(files: Files, type: "q8_0" | "q4_0"): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    const sink = async (bytes: Uint8Array) => void chunks.push(bytes.slice());
    const checkpoint = await openCheckpoint(memoryDirectory("fuzz", files));
    try {
      const rounding = plainRounding(this.#quantizer);
      await encodeGguf(checkpoint, sink, { type, rounding, quantizer: this.#quantizer });
    } finally {
      await checkpoint.close();
    }
    return new Uint8Array(Buffer.concat(chunks));
  }
}

/** One file, shards with an index, and nanotron's layouts, of the same model. */
function bases(nano: { model: object }): Files[] {
  const vocab = Object.fromEntries([...byteAlphabet(), "Ġa", "in"].map((token, id) => [token, id]));
  const tokens = Object.keys(vocab).length;
  const added_tokens = ["<|begin_of_text|>", "<|end_of_text|>"].map((content, i) => {
    return { id: tokens + i, content, special: true };
  });
  const config = {
    architectures: ["LlamaForCausalLM"],
    ...{ bos_token_id: tokens, eos_token_id: [tokens + 1], vocab_size: tokens + 4, tie_word_embeddings: true },
    ...{ hidden_size: 64, intermediate_size: 96, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 2 },
    ...{
      hidden_act: "silu",
      max_position_embeddings: 128,
      rms_norm_eps: 1e-5,
      rope_theta: 1e4,
      torch_dtype: "bfloat16",
    },
    rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32 },
  };
  const json = (value: unknown) => encoder.encode(JSON.stringify(value));
  const template = "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}";
  const described: Files = new Map([
    ["tokenizer.json", json({ ...nano, added_tokens, model: { ...nano.model, vocab, merges: [["Ġ", "a"], "i n"] } })],
    [
      "tokenizer_config.json",
      json({
        bos_token: "<|begin_of_text|>",
        eos_token: { content: "<|end_of_text|>" },
        chat_template: [{ name: "default", template }],
      }),
    ],
  ]);
  const templates: Files = new Map([
    ["chat_template.jinja", encoder.encode(template)],
    ["additional_chat_templates/tool_use.jinja", encoder.encode(`{{ tools }}${template}`)],
  ]);
  const own: Files = new Map([
    ...described,
    ["config.json", json(config)],
    ["generation_config.json", json({ eos_token_id: [tokens + 1, 65] })],
  ]);
  const model = { config: { ...config, rope_scaling: null }, tensors: tensors(config) };
  const halves = [...model.tensors].map((entry, i) => [i % 2, entry] as const);
  const shard = (half: number) => safetensors(new Map(halves.filter(([i]) => i === half).map(([, entry]) => entry)));
  const weight_map = Object.fromEntries(halves.map(([i, [name]]) => [name, `model-${i}.safetensors`]));
  return [
    new Map([...own, ...templates, ["model.safetensors", safetensors(model.tensors)]]),
    new Map([
      ...own,
      ["model.safetensors.index.json", json({ metadata: {}, weight_map })],
      ...[0, 1].map((half): [string, Uint8Array] => [`model-${half}.safetensors`, shard(half)]),
    ]),
    ...[1, 2].map((tp): Files => new Map([...described, ...nanotronFiles(model as HuggingFaceModel, { tp })])),
  ];
}

/** BF16 numbers of about 0.01. */
function tensors(config: {
  hidden_size: number;
  intermediate_size: number;
  vocab_size: number;
}): Map<string, TestTensor> {
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocabulary } = config;
  const shapes: Record<string, number[]> = {
    "model.embed_tokens": [vocabulary, hidden],
    "model.norm": [hidden],
    ...Object.fromEntries(
      ["q", "k", "v", "o"].map((name) => [`model.layers.0.self_attn.${name}_proj`, [hidden, hidden]]),
    ),
    "model.layers.0.input_layernorm": [hidden],
    "model.layers.0.post_attention_layernorm": [hidden],
    "model.layers.0.mlp.gate_proj": [inner, hidden],
    "model.layers.0.mlp.up_proj": [inner, hidden],
    "model.layers.0.mlp.down_proj": [hidden, inner],
  };
  return new Map(
    Object.entries(shapes).map(([name, shape]) => {
      const values = Uint16Array.from(
        { length: shape.reduce((a, b) => a * b) },
        (_, i) => 0x3c00 + ((i * 37) & 0x80ff),
      );
      return [`${name}.weight`, { dtype: "BF16", shape, bytes: new Uint8Array(values.buffer) }];
    }),
  );
}

function damaged(name: string, bytes: Uint8Array, random: Random): Uint8Array {
  if (random() < 0.15) return damagedBytes(bytes, random);
  const isText = !name.endsWith(".json") && !name.endsWith(".safetensors");
  if (!isText) {
    try {
      return name.endsWith(".json") ? otherJson(bytes, random) : otherHeader(bytes, random);
    } catch {
      return damagedBytes(bytes, random); // once more
    }
  }
  const words = decoder.decode(bytes).split(/\b/);
  words[below(words.length, random)] =
    random() < 0.5 ? one(words, random) : String(one([...NUMBERS, ...TEXTS], random));
  return encoder.encode(words.join(""));
}

function damagedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const damaged = bytes.slice();
  for (let i = below(4, random); i >= 0; i--) damaged[below(damaged.length, random)] = below(256, random);
  return random() < 0.3 ? damaged.subarray(0, below(damaged.length, random)) : damaged;
}

function otherJson(bytes: Uint8Array, random: Random): Uint8Array {
  return encoder.encode(JSON.stringify(otherValue(JSON.parse(decoder.decode(bytes)), random)));
}

/** One value, anywhere, is another, or there a thousand times. */
function otherValue(root: unknown, random: Random): unknown {
  let place = root;
  while (isObject(place) || Array.isArray(place)) {
    const holder = place as Record<string, unknown>;
    const key = one(Object.keys(holder), random);
    if (key === undefined) break;
    const value = holder[key];
    if (typeof value === "object" && value !== null && random() < 0.75) {
      place = value;
      continue;
    }
    const change = random();
    if (change < 0.1) delete holder[key];
    else if (change < 0.2) for (let i = 0; i < 1000; i++) holder[Array.isArray(place) ? i : `${key}${i}`] = value;
    else if (change < 0.3) holder[key] = deep(below(3000, random));
    else holder[key] = one([null, true, {}, [], [1, [2]], { a: 1 }, ...NUMBERS, ...TEXTS], random);
    break;
  }
  return root;
}

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { a: value };
  return value;
}

function otherHeader(bytes: Uint8Array, random: Random): Uint8Array {
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const text = otherJson(bytes.subarray(8, end), random);
  const changed = new Uint8Array(8 + text.length + bytes.length - end);
  new DataView(changed.buffer).setBigUint64(0, BigInt(text.length), true);
  changed.set(text, 8);
  changed.set(bytes.subarray(end), 8 + text.length);
  return changed;
}
