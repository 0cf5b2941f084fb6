// The model's hyperparameters, as its file states them. One struct in linear memory, so that every thread sees it.

import {
  findValue,
  float,
  integer,
  isText,
  layerInteger,
  readingStatus,
  requiredInteger,
  resetReading,
  text,
} from "../gguf/metadata";
import { log64 } from "../kernels/math";
import { blocks } from "../kernels/attention";
import { ALL_LAYERS, DEFAULT_CONTEXT, KV_INT4, MAX_SEQUENCES } from "../layout/abi";
import { GROUP } from "../layout/blocks";
import { MAX_CONTEXT, MAX_DIMENSION, MAX_HEAD_SIZE, MAX_HEADS, MAX_LAYERS } from "../layout/gguf";
import {
  BAD_OPTION,
  BAD_VALUE,
  MISSING_KEY,
  OK,
  UNSUPPORTED_ARCHITECTURE,
  UNSUPPORTED_ROPE_SCALING,
} from "../layout/status";
import { fail, failAt } from "../runtime/failure";
import { configAddress, STRUCT_BYTES } from "../runtime/memory";

let wantsEdge: bool = true;
let wantedFirst: i32 = 0;
let wantedEnd: i32 = ALL_LAYERS;

/** Which part of a model the plans that follow have; `end` ALL_LAYERS: to the last. */
export function wantPart(edge: bool, first: i32, end: i32): void {
  wantsEdge = edge;
  wantedFirst = first;
  wantedEnd = end;
}

/** Above it is what is at most 0. */
const NEGATIVE: f64 = -f64.MIN_VALUE;

@unmanaged
export class Config {
  layers: i32; // that are here: all, or those of a part
  hidden: i32; // width of the residual stream
  intermediate: i32; // width of the SwiGLU
  heads: i32; // query heads
  kvHeads: i32; // key and value heads, each shared by heads / kvHeads query heads
  headSize: i32;
  vocabulary: i32;
  trainedContext: i32; // positions the model was trained for
  context: i32; // positions the KV cache holds
  kvType: i32; // KV_*
  sequences: i32; // that can be run at once
  pages: i32; // of the KV cache, at least those of a whole context
  ropeTheta: f64;
  ropeScale: f64; // positions are multiplied by this, 1 without scaling
  normEpsilon: f32;
  ropeMagnitude: f32; // of what is turned, 1 without YaRN
  yarnContext: i32; // positions before YaRN stretched them, 0 without
  tied: bool; // the LM head is the embedding
  bos: i32; // token id, -1 when the file names none
  eos: i32;
  addBos: bool;
  edge: bool; // embedding, LM head, tokenizer and sampler are here
  firstLayer: i32; // which of the model's the first layer is
  modelLayers: i32; // of the whole model
}

// @ts-ignore: decorator
@lazy
export const config = changetype<Config>(configAddress());
if (offsetof<Config>() > STRUCT_BYTES) ERROR("Config is larger than STRUCT_BYTES");

/** Width of all query heads together. */
// @ts-ignore: decorator
@inline
export function queryWidth(): i32 {
  return config.heads * config.headSize;
}
/** Width of all key (or value) heads together. */
// @ts-ignore: decorator
@inline
export function kvWidth(): i32 {
  return config.kvHeads * config.headSize;
}

/** Positions with room in the cache: the context, padded to whole blocks of attention. */
// @ts-ignore: decorator
@inline
export function kvCapacity(): usize {
  return <usize>blocks(config.context);
}

/**
 * Reads the hyperparameters from the parsed header.
 * @param contextLength positions wanted, 0 for the model's own up to DEFAULT_CONTEXT
 * @returns OK | MISSING_KEY | BAD_VALUE | BAD_VALUE_TYPE | UNSUPPORTED_ARCHITECTURE | UNSUPPORTED_ROPE_SCALING | BAD_OPTION
 */
export function readConfig(contextLength: u32, kvType: i32, sequences: i32): i32 {
  resetReading();
  const architecture = text("general.architecture");
  if (readingStatus() != OK) return readingStatus();
  if (!architecture) return failAt(MISSING_KEY, "general.architecture", 0, 0);
  if (!isText(architecture, "llama"))
    return fail(UNSUPPORTED_ARCHITECTURE, architecture + 8, load<u32>(architecture), 0, 0);

  const layers = <i32>requiredInteger("llama.block_count", 1, MAX_LAYERS);
  config.hidden = <i32>requiredInteger("llama.embedding_length", GROUP, MAX_DIMENSION);
  config.intermediate = <i32>requiredLayerInteger("llama.feed_forward_length", layers, GROUP, MAX_DIMENSION);
  config.heads = <i32>requiredLayerInteger("llama.attention.head_count", layers, 1, MAX_HEADS);
  config.kvHeads = <i32>layerInteger("llama.attention.head_count_kv", layers, 1, MAX_HEADS, config.heads);
  config.trainedContext = <i32>requiredInteger("llama.context_length", 1, MAX_CONTEXT);
  config.headSize = <i32>integer("llama.attention.key_length", 1, MAX_HEAD_SIZE, config.hidden / config.heads);
  integer("llama.expert_count", 0, 0, 0);
  config.normEpsilon = <f32>float("llama.attention.layer_norm_rms_epsilon", 0, NaN);
  const scaling = readRope();
  if (scaling) return fail(UNSUPPORTED_ROPE_SCALING, scaling + 8, load<u32>(scaling), 0, 0);
  if (readingStatus() != OK) return readingStatus();

  if (config.hidden % GROUP != 0) return badMultiple("llama.embedding_length", config.hidden, GROUP);
  if (config.intermediate % GROUP != 0) return badMultiple("llama.feed_forward_length", config.intermediate, GROUP);
  // Not only what the file states: hidden / heads has no limit of its own.
  if (config.headSize > MAX_HEAD_SIZE)
    return failAt(BAD_VALUE, "llama.attention.key_length", config.headSize, MAX_HEAD_SIZE);
  if (config.headSize == 0 || config.headSize % 16 != 0)
    return badMultiple("llama.attention.key_length", config.headSize, 16);
  integer("llama.attention.value_length", config.headSize, config.headSize, config.headSize);
  integer("llama.rope.dimension_count", config.headSize, config.headSize, config.headSize);
  if (readingStatus() != OK) return readingStatus();
  if (queryWidth() % GROUP != 0) return badMultiple("llama.attention.head_count", config.heads, 2);
  if (config.heads % config.kvHeads != 0)
    return failAt(BAD_VALUE, "llama.attention.head_count_kv", config.kvHeads, config.heads);

  if (kvType < 0 || kvType > KV_INT4) return failAt(BAD_OPTION, "kvType", kvType, KV_INT4);
  if (contextLength > <u32>config.trainedContext)
    return failAt(BAD_OPTION, "contextLength", contextLength, config.trainedContext);
  if (sequences < 1 || sequences > MAX_SEQUENCES) return failAt(BAD_OPTION, "sequences", sequences, MAX_SEQUENCES);
  const end = wantedEnd == ALL_LAYERS ? layers : wantedEnd;
  if (end > layers) return failAt(BAD_OPTION, "layers", end, layers);
  config.modelLayers = layers;
  config.firstLayer = wantedFirst;
  config.layers = end - wantedFirst;
  config.edge = wantsEdge;
  config.kvType = kvType;
  config.sequences = sequences;
  config.context = contextLength ? contextLength : min(config.trainedContext, DEFAULT_CONTEXT);
  return OK;
}

/**
 * Rotary embedding, as llama.cpp reads it (src/llama-model.cpp, llama-context.cpp): without a type the scaling is linear, without a factor
 * or with 0 there is none, and the factor's old key counts where the new one is absent.
 * @returns the type (`length u64 | bytes`) if it is not supported, else 0
 */
function readRope(): usize {
  config.ropeTheta = float("llama.rope.freq_base", 0, 10000);
  const stated = findValue("llama.rope.scaling.factor") != 0;
  const factor = float(stated ? "llama.rope.scaling.factor" : "llama.rope.scale_linear", NEGATIVE, 0);
  config.ropeScale = factor == 0 ? 1 : 1 / factor;
  config.ropeMagnitude = <f32>float("llama.rope.scaling.attn_factor", 0, 1);
  config.yarnContext = 0;
  const type = text("llama.rope.scaling.type");
  if (!type || isText(type, "linear")) return 0;
  if (isText(type, "none")) {
    config.ropeScale = 1;
    return 0;
  }
  if (!isText(type, "yarn")) return type;
  const original = "llama.rope.scaling.original_context_length";
  config.yarnContext = <i32>integer(original, 1, MAX_CONTEXT, config.trainedContext);
  config.ropeMagnitude *= <f32>(1 + 0.1 * log64(max(factor, 1)));
  return 0;
}

function requiredLayerInteger(key: string, layers: i32, minimum: i64, maximum: i64): i64 {
  return findValue(key) ? layerInteger(key, layers, minimum, maximum, minimum) : requiredInteger(key, minimum, maximum);
}

function badMultiple(key: string, value: i32, step: i32): i32 {
  return failAt(BAD_VALUE, key, value, <f64>(((max(value, 1) + step - 1) / step) * step));
}
