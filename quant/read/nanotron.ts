// Checkpoints of huggingface/nanotron: model_config.json, config.yaml, and for every parameter and tensor-parallel rank one
// safetensors file (quant/read/nanotron_parameter.ts). Read as nanotron's examples/llama/convert_nanotron_to_hf.py does. Its Llama is
// ours, its Qwen 2 is too when it is dense and has no biases. Rows of merged matrices:
//
//     qkv_proj      q of all heads | k of all heads | v of all heads
//     gate_up_proj  gate | up

import { load } from "js-yaml";
import { ZagreusError } from "../../host/core/api/errors.js";
import { badValue, Fields, isObject } from "../../host/core/api/json.js";
import type { Checkpoint, Directory, SourceTensor } from "../checkpoint/checkpoint.js";
import { llamaConfig, specialIds } from "./huggingface.js";
import { readFields, readText } from "./json_file.js";
import {
  interleavedRows,
  type LlamaConfig,
  llamaMetadata,
  llamaTensors,
  type ReadRows,
  ropeFactorsTensor,
  type TensorShape,
} from "./llama.js";
import {
  checkVersion,
  openParameter,
  type Parameter,
  partsByParameter,
  type Shard,
  unexpectedPart,
  WEIGHTS,
} from "./nanotron_parameter.js";
import { readTokenizer } from "./tokenizer_json.js";

const MODEL_CONFIG = "model_config.json";
const CONFIG = "config.yaml";
const CHECKPOINT_METADATA = "checkpoint_metadata.json";
const TOKENIZER = "tokenizer.json";
/** nanotron writes none; many could make a small file mean a huge value. */
const MAX_ALIASES = 16;
const LM_HEAD = "lm_head.pp_block";

/** Options of openNanotron(). */
export interface NanotronOptions {
  /** Name of the model; the directory's by default. */
  name?: string | undefined;
  /** Where tokenizer.json and its neighbours are, if not in the same directory: nanotron stores none. */
  tokenizer?: Directory | undefined;
}

/** Whether a folder of these files is a nanotron checkpoint. */
export function isNanotron(paths: readonly string[]): boolean {
  return paths.some((path) => path === MODEL_CONFIG || path === CONFIG || path.startsWith(WEIGHTS));
}

/**
 * Opens a nanotron checkpoint; reads everything but the weights. Files are open only while they are read: there may be thousands.
 * @throws ZagreusError INVALID_OPTION without a tokenizer; BAD_JSON, BAD_YAML, MISSING_KEY, BAD_VALUE, UNSUPPORTED_VERSION,
 * UNSUPPORTED_ARCHITECTURE, UNSUPPORTED_ROPE_SCALING for the configuration; MISSING_TENSOR for a parameter or one of its ranks,
 * UNEXPECTED_TENSOR, BAD_DIMENSION; those of readSafetensors() and readTokenizer()
 */
export async function openNanotron(directory: Directory, options: NanotronOptions = {}): Promise<Checkpoint> {
  const paths = await directory.list();
  const present = new Set(paths);
  const training = present.has(CONFIG) ? await readYaml(directory, CONFIG) : undefined;
  const fields = await modelConfig(directory, present, training);
  const interleaved = checkModel(fields, training);
  if (present.has(CHECKPOINT_METADATA)) {
    const metadata = await readFields(directory, CHECKPOINT_METADATA);
    checkVersion(CHECKPOINT_METADATA, metadata.get("version"));
  }
  const config = llamaConfig(fields);
  const metadata = llamaMetadata(config, options.name ?? directory.name);

  const tokenizer = options.tokenizer ?? (present.has(TOKENIZER) ? directory : undefined);
  if (!tokenizer) throw noTokenizer(training);
  const ids = specialIds(fields, config.vocabulary);
  for (const [key, value] of await readTokenizer(tokenizer, config.vocabulary, ids)) metadata.set(key, value);

  const tensors = await bind(config, interleaved, directory, partsByParameter(paths));
  return { metadata, tensors, close: async () => {} };
}

// Configuration

async function readYaml(directory: Directory, path: string): Promise<Fields> {
  const text = await readText(directory, path);
  let value: unknown;
  try {
    value = load(text, { maxAliases: MAX_ALIASES });
  } catch (cause) {
    const [reason] = String(cause instanceof Error ? cause.message : cause).split("\n");
    throw new ZagreusError("BAD_YAML", `${path} is not YAML: ${reason}`, { field: path, cause });
  }
  if (!isObject(value)) throw new ZagreusError("BAD_YAML", `${path} is not a YAML mapping`, { field: path });
  return new Fields(path, value);
}

/** model_config.json is a copy of what config.yaml has, but nanotron's own converters write no config.yaml. */
async function modelConfig(
  directory: Directory,
  present: ReadonlySet<string>,
  training: Fields | undefined,
): Promise<Fields> {
  if (training && !present.has(MODEL_CONFIG)) return training.object("model").object("model_config");
  return readFields(directory, MODEL_CONFIG);
}

/** Settings of nanotron's own that change what the weights mean. @returns whether rotary pairs are neighbours in the weights */
function checkModel(fields: Fields, training: Fields | undefined): boolean {
  if (!fields.boolean("is_llama_config", false) && !fields.boolean("is_qwen2_config", false)) {
    const message = `${fields.file}: neither "is_llama_config" nor "is_qwen2_config" is true`;
    throw new ZagreusError("UNSUPPORTED_ARCHITECTURE", message, { field: "is_llama_config", expected: true });
  }
  for (const key of ["moe_config", "sliding_window_size", "no_rope_layer", "rope_seq_len_interpolation_factor"]) {
    if (fields.has(key)) throw fields.bad(key, fields.get(key), "null");
  }
  const init = training?.has("model") ? training.object("model").get("init_method") : undefined;
  // Attention scores are then divided by the head size, not by its root.
  if (isObject(init) && init.use_mup) throw badValue(CONFIG, "model.init_method.use_mup", init.use_mup, "absent");
  // nanotron's conversion takes this for false; its training does not.
  return fields.boolean("rope_interleaved", false);
}

function noTokenizer(training: Fields | undefined): ZagreusError {
  const section = training?.get("tokenizer");
  const name = isObject(section) ? section.tokenizer_name_or_path : undefined;
  const hint = typeof name === "string" ? ` (it was trained with ${JSON.stringify(name)})` : "";
  const expected = "the folder of its tokenizer.json";
  const message = `a nanotron checkpoint stores no tokenizer: option "tokenizer" must be ${expected}${hint}`;
  return new ZagreusError("INVALID_OPTION", message, { field: "tokenizer", expected });
}

// Weights

/** Where a tensor's rows are. */
interface RowRange {
  parameter: string;
  /** Of the whole parameter. */
  rows: number;
  firstRow: number;
}

function place({ name, rows }: TensorShape, { heads, kvHeads, headSize, intermediate }: LlamaConfig): RowRange {
  const [, layer, tensor] = /^(?:blk\.(\d+)\.)?(\w+)\.weight$/.exec(name)!;
  const block = `decoder.${layer}.pp_block.`;
  const whole = (module: string): RowRange => ({ parameter: `${module}.weight`, rows, firstRow: 0 });
  const qkv = (firstHead: number): RowRange => ({
    parameter: `${block}attn.qkv_proj.weight`,
    rows: (heads + 2 * kvHeads) * headSize,
    firstRow: firstHead * headSize,
  });
  const gateUp = (firstRow: number): RowRange => ({
    parameter: `${block}mlp.gate_up_proj.weight`,
    rows: 2 * intermediate,
    firstRow,
  });
  const places: Record<string, RowRange> = {
    token_embd: whole("token_position_embeddings.pp_block.token_embedding"),
    output_norm: whole("final_layer_norm.pp_block"),
    output: whole(LM_HEAD),
    attn_norm: whole(`${block}input_layernorm`),
    attn_q: qkv(0),
    attn_k: qkv(heads),
    attn_v: qkv(heads + kvHeads),
    attn_output: whole(`${block}attn.o_proj`),
    ffn_norm: whole(`${block}post_attention_layernorm`),
    ffn_gate: gateUp(0),
    ffn_up: gateUp(intermediate),
    ffn_down: whole(`${block}mlp.down_proj`),
  };
  return places[tensor!]!;
}

/** The tensors that the architecture needs; of `parts`, by parameter, nothing may be left. */
async function bind(
  config: LlamaConfig,
  interleaved: boolean,
  directory: Directory,
  parts: Map<string, Shard[]>,
): Promise<SourceTensor[]> {
  const opened = new Map<string, Parameter>();
  const tensors: SourceTensor[] = [];
  for (const shape of llamaTensors(config)) {
    const { parameter: name, rows, firstRow } = place(shape, config);
    const whole = shape.vector ? [shape.columns] : [rows, shape.columns];
    const parameter = opened.get(name) ?? (await openParameter(directory, name, parts.get(name) ?? [], whole));
    opened.set(name, parameter);
    parts.delete(name);
    const { type, rowBytes } = parameter;
    const read: ReadRows = (row, count) => parameter.read(firstRow + row, count);
    // GGUF has the two of a rotary pair side by side, which is what nanotron calls interleaved.
    const reorder = !interleaved && /\.attn_[qk]\.weight$/.test(shape.name);
    tensors.push({ ...shape, type, read: reorder ? interleavedRows(read, rowBytes, config.headSize) : read });
  }
  if (config.tied) parts.delete(`${LM_HEAD}.weight`); // a copy
  for (const [part] of parts.values()) throw unexpectedPart(part!.path);
  return [...tensors, ...ropeFactorsTensor(config)];
}
