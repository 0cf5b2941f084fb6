// A Hugging Face model directory: config.json, safetensors in one file or in shards with an index, tokenizer.json.

import { GROUP } from "../../assembly/layout/blocks.js";
import {
  MAX_CONTEXT,
  MAX_DIMENSION,
  MAX_HEAD_SIZE,
  MAX_HEADS,
  MAX_LAYERS,
  MAX_VOCABULARY,
} from "../../assembly/layout/gguf.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import { badValue, type Fields } from "../../host/core/api/json.js";
import { duplicateTensor, readSafetensors, type StoredTensor, weightType } from "../../host/core/gguf/safetensors.js";
import { checkObject } from "../checkpoint/arguments.js";
import type { Checkpoint, Directory, RandomAccess, SourceTensor } from "../checkpoint/checkpoint.js";
import { readFields } from "./json_file.js";
import {
  interleavedRows,
  type Llama3Scaling,
  type LlamaConfig,
  llamaMetadata,
  llamaTensors,
  type ReadRows,
  ropeFactorsTensor,
  type TensorShape,
  type YarnScaling,
} from "./llama.js";
import { readTokenizer, type SpecialIds } from "./tokenizer_json.js";

const CONFIG = "config.json";
const GENERATION_CONFIG = "generation_config.json";
const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** Hugging Face's names, by the part of a GGUF name that says what the tensor is. */
const NAMES: Record<string, string> = {
  token_embd: "model.embed_tokens",
  output_norm: "model.norm",
  output: "lm_head",
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** Options of openHuggingface(). */
export interface HuggingfaceOptions {
  /** Name of the model; the directory's by default. */
  name?: string | undefined;
  /** The safetensors file to take instead of model.safetensors. */
  weights?: string | undefined;
  /** Where tokenizer.json and its neighbours are, if not in the same directory. */
  tokenizer?: Directory | undefined;
}

/**
 * Opens a model directory; reads everything but the weights.
 * @throws ZagreusError those of checkHuggingface(); SOURCE_FAILED for a file that is not there; those of readSafetensors();
 * MISSING_TENSOR, UNEXPECTED_TENSOR, BAD_DIMENSION
 */
export async function openHuggingface(directory: Directory, options: HuggingfaceOptions = {}): Promise<Checkpoint> {
  checkObject("directory", directory, ["open", "has"]);
  checkObject("options", options);
  const { config, metadata } = await readDescription(directory, options);
  const files: RandomAccess[] = [];
  const close = async () => {
    for (const file of files) await file.close();
  };
  try {
    const stored = await openWeights(directory, options.weights, files);
    return { metadata, tensors: bind(config, stored), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Checks what can be checked of a model directory whose weights are not here yet.
 * @throws ZagreusError SOURCE_FAILED for a file that is not there; BAD_JSON, MISSING_KEY, BAD_VALUE, UNSUPPORTED_ARCHITECTURE,
 * UNSUPPORTED_ROPE_SCALING for config.json; those of readTokenizer()
 */
export async function checkHuggingface(directory: Directory): Promise<void> {
  await readDescription(directory, {});
}

/** All that is said beside the weights. */
async function readDescription(directory: Directory, options: HuggingfaceOptions) {
  const fields = await readFields(directory, CONFIG);
  checkArchitecture(fields);
  const config = llamaConfig(fields);
  const metadata = llamaMetadata(config, options.name ?? directory.name);
  const generation = (await directory.has(GENERATION_CONFIG))
    ? await readFields(directory, GENERATION_CONFIG)
    : undefined;
  const ids = specialIds(fields, config.vocabulary, generation);
  const tokenizer = await readTokenizer(options.tokenizer ?? directory, config.vocabulary, ids);
  for (const [key, value] of tokenizer) metadata.set(key, value);
  return { config, metadata };
}

function checkArchitecture(fields: Fields): void {
  const architectures = fields.get("architectures");
  const architecture = Array.isArray(architectures) ? architectures[0] : fields.get("model_type");
  if (architecture !== "LlamaForCausalLM" && architecture !== "llama") {
    const field = Array.isArray(architectures) ? "architectures" : "model_type";
    const message = `${fields.file}: "${field}" is ${JSON.stringify(architecture)}, must be "LlamaForCausalLM"`;
    throw new ZagreusError("UNSUPPORTED_ARCHITECTURE", message, {
      field,
      value: architecture,
      expected: "LlamaForCausalLM",
    });
  }
}

/**
 * The fields of config.json that say what the model computes.
 * @throws ZagreusError MISSING_KEY, BAD_VALUE, UNSUPPORTED_ROPE_SCALING
 */
export function llamaConfig(fields: Fields): LlamaConfig {
  for (const bias of ["attention_bias", "mlp_bias"]) {
    if (fields.boolean(bias, false)) throw fields.bad(bias, true, false);
  }
  const activation = fields.text("hidden_act", "silu");
  if (activation !== "silu") throw fields.bad("hidden_act", activation, '"silu"');
  if (fields.has("quantization_config")) {
    throw fields.bad("quantization_config", fields.get("quantization_config"), "absent: the weights must be floats");
  }

  const hidden = fields.integer("hidden_size", GROUP, MAX_DIMENSION);
  const heads = fields.integer("num_attention_heads", 1, MAX_HEADS);
  const kvHeads = fields.integer("num_key_value_heads", 1, MAX_HEADS, heads);
  const headSize = fields.integer("head_dim", 2, MAX_HEAD_SIZE, Math.floor(hidden / heads));
  if (headSize % 2 !== 0) throw fields.bad("head_dim", headSize, "even");
  if (heads % kvHeads !== 0) throw fields.bad("num_key_value_heads", kvHeads, `a divisor of ${heads}`);
  return {
    layers: fields.integer("num_hidden_layers", 1, MAX_LAYERS),
    hidden,
    intermediate: fields.integer("intermediate_size", GROUP, MAX_DIMENSION),
    heads,
    kvHeads,
    headSize,
    vocabulary: fields.integer("vocab_size", 1, MAX_VOCABULARY),
    context: fields.integer("max_position_embeddings", 1, MAX_CONTEXT),
    normEpsilon: fields.positive("rms_norm_eps"),
    ...readRope(fields),
    tied: fields.boolean("tie_word_embeddings", false),
  };
}

/** Transformers 5 writes rope_parameters, with the base inside; before, there were rope_theta and rope_scaling. */
function readRope(fields: Fields): Pick<LlamaConfig, "ropeTheta" | "ropeScaling"> {
  const key = fields.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const rope = fields.has(key) ? fields.object(key) : undefined;
  const ropeTheta = rope?.has("rope_theta") ? rope.positive("rope_theta") : fields.positive("rope_theta", 10000);
  const type = rope?.text("rope_type", rope.text("type", "default")) ?? "default";
  switch (type) {
    case "default":
      return { ropeTheta };
    case "linear":
      return { ropeTheta, ropeScaling: { type, factor: rope!.positive("factor") } };
    case "yarn":
      return { ropeTheta, ropeScaling: yarn(fields, rope!) };
    case "llama3":
      return { ropeTheta, ropeScaling: llama3(rope!) };
    default: {
      const field = `${key}.rope_type`;
      const message = `${fields.file}: "${field}" is ${JSON.stringify(type)}, must be default, linear, yarn or llama3`;
      const expected = "default, linear, yarn or llama3";
      throw new ZagreusError("UNSUPPORTED_ROPE_SCALING", message, { field, value: type, expected });
    }
  }
}

/** What is absent is what llama.cpp's conversion takes it for. */
function llama3(rope: Fields): Llama3Scaling {
  const lowFrequencyFactor = rope.positive("low_freq_factor", 1);
  const highFrequencyFactor = rope.positive("high_freq_factor", 4);
  if (highFrequencyFactor <= lowFrequencyFactor) {
    throw rope.bad("high_freq_factor", highFrequencyFactor, `above low_freq_factor, ${lowFrequencyFactor}`);
  }
  const originalContext = rope.integer("original_max_position_embeddings", 1, MAX_CONTEXT, 8192);
  const factor = rope.positive("factor", 8);
  return { type: "llama3", factor, lowFrequencyFactor, highFrequencyFactor, originalContext };
}

/** Neither the file nor llama.cpp has a place for other betas, in a model of this architecture. */
function yarn(fields: Fields, rope: Fields): YarnScaling {
  for (const [key, expected] of [
    ["beta_fast", 32],
    ["beta_slow", 1],
  ] as const) {
    const value = rope.positive(key, expected);
    if (value !== expected) throw rope.bad(key, value, expected);
  }
  for (const key of ["mscale", "mscale_all_dim"]) if (rope.has(key)) throw rope.bad(key, rope.get(key), "absent");
  const factor = rope.positive("factor");
  const original = "original_max_position_embeddings";
  const trained = fields.integer(original, 1, MAX_CONTEXT, fields.integer("max_position_embeddings", 1, MAX_CONTEXT));
  const defaultFactor = factor > 1 ? 1 + 0.1 * Math.log(factor) : 1;
  const attentionFactor = rope.positive("attention_factor", defaultFactor) / defaultFactor;
  return { type: "yarn", factor, originalContext: rope.integer(original, 1, MAX_CONTEXT, trained), attentionFactor };
}

/** The special tokens that config.json names, and the ends that generation_config.json adds. @throws ZagreusError BAD_VALUE */
export function specialIds(fields: Fields, vocabulary: number, generation?: Fields): SpecialIds {
  const ends = [fields, ...(generation ? [generation] : [])].flatMap((file) =>
    tokenIds(file, "eos_token_id", vocabulary),
  );
  return {
    bos: tokenIds(fields, "bos_token_id", vocabulary)[0],
    ends,
    pad: tokenIds(fields, "pad_token_id", vocabulary)[0],
  };
}

/** One id or a list of ids. */
function tokenIds(fields: Fields, key: string, vocabulary: number): number[] {
  const value = fields.get(key);
  const list: unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  for (const id of list) {
    if (!Number.isInteger(id) || (id as number) >= vocabulary) throw fields.bad(key, value, `0 to ${vocabulary - 1}`);
  }
  return (list as number[]).filter((id) => id >= 0); // -1: none
}

/** The stored tensors by name; every opened file goes into `files`. */
async function openWeights(
  directory: Directory,
  weights: string | undefined,
  files: RandomAccess[],
): Promise<Map<string, StoredTensor>> {
  const open = async (path: string) => {
    const file = await directory.open(path);
    files.push(file);
    return readSafetensors(file);
  };
  const index = (await directory.has(INDEX)) ? await readIndex(directory) : new Map<string, string>();
  const shards = new Set(index.values());
  const single = weights ?? ((await directory.has(WEIGHTS)) || index.size === 0 ? WEIGHTS : undefined);
  // One shard alone is no model: it stands for all of them.
  if (single !== undefined && !shards.has(single)) return open(single);

  const tensors = new Map<string, StoredTensor>();
  const places = new Map<string, string>();
  for (const shard of shards) {
    for (const [name, tensor] of await open(shard)) {
      if (tensors.has(name)) throw duplicateTensor(shard, name);
      tensors.set(name, tensor);
      places.set(name, shard);
    }
  }
  for (const [name, shard] of index) {
    if (places.get(name) === shard) continue;
    const message = `${INDEX} puts tensor "${name}" into ${shard}, where it is not`;
    throw new ZagreusError("MISSING_TENSOR", message, { field: name, value: shard });
  }
  return tensors;
}

/** File names by tensor. */
async function readIndex(directory: Directory): Promise<Map<string, string>> {
  const { values } = (await readFields(directory, INDEX)).object("weight_map");
  const entries = Object.entries(values);
  if (entries.length === 0) throw badValue(INDEX, "weight_map", values, "not empty");
  for (const [name, file] of entries) {
    if (typeof file !== "string" || !/^[^/\\]+\.safetensors$/.test(file)) {
      throw badValue(INDEX, `weight_map.${name}`, file, "the name of a safetensors file beside the index");
    }
  }
  return new Map(entries as [string, string][]);
}

/** The tensors that the architecture needs, under their GGUF names. */
function bind(config: LlamaConfig, stored: Map<string, StoredTensor>): SourceTensor[] {
  const tensors = llamaTensors(config).map((shape) => {
    const name = storedName(shape.name);
    const tensor = stored.get(name);
    if (!tensor) throw new ZagreusError("MISSING_TENSOR", `tensor "${name}" is missing`, { field: name });
    stored.delete(name);
    return sourceTensor(shape, tensor, config.headSize);
  });
  const [name] = [...stored.keys()].filter((name) => !isSpare(name, config));
  if (name !== undefined) {
    const message = `tensor "${name}" has no place in this architecture`;
    throw new ZagreusError("UNEXPECTED_TENSOR", message, { field: name });
  }
  return [...tensors, ...ropeFactorsTensor(config)];
}

/** Tensors that carry nothing: rotary frequencies, and a copy of tied weights. */
function isSpare(name: string, { tied }: LlamaConfig): boolean {
  return name.endsWith(".rotary_emb.inv_freq") || (tied && name === "lm_head.weight");
}

function storedName(name: string): string {
  const [, layer, part] = /^(?:blk\.(\d+)\.)?(\w+)\.weight$/.exec(name)!;
  return `${layer === undefined ? "" : `model.layers.${layer}.`}${NAMES[part!]}.weight`;
}

function sourceTensor(shape: TensorShape, stored: StoredTensor, headSize: number): SourceTensor {
  const type = weightType(stored);
  const expected = shape.vector ? [shape.columns] : [shape.rows, shape.columns];
  if (stored.shape.join() !== expected.join()) {
    const message = `${stored.file.name}: tensor "${stored.name}" has the shape ${stored.shape.join(" x ")}, expected ${expected.join(" x ")}`;
    throw new ZagreusError("BAD_DIMENSION", message, { field: stored.name, value: stored.shape, expected });
  }
  const rowBytes = stored.byteLength / shape.rows;
  const read: ReadRows = (row, count) => stored.file.read(stored.offset + row * rowBytes, count * rowBytes);
  const rotary = /\.attn_[qk]\.weight$/.test(shape.name);
  return { ...shape, type, read: rotary ? interleavedRows(read, rowBytes, headSize) : read };
}
