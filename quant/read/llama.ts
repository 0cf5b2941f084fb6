// The Llama architecture as GGUF describes it: metadata keys, tensors and their shapes. What every reader comes down to.

import { TYPE_F32 } from "../../assembly/layout/blocks.js";
import type { MetadataValue, SourceTensor } from "../checkpoint/checkpoint.js";
import { f32, type Metadata, text, u32 } from "../checkpoint/metadata.js";

/** What the shapes of the tensors follow from. */
export interface LlamaDimensions {
  layers: number;
  hidden: number;
  intermediate: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  vocabulary: number;
  /** The LM head is the embedding. */
  tied: boolean;
}

export interface LlamaConfig extends LlamaDimensions {
  context: number;
  normEpsilon: number;
  ropeTheta: number;
  ropeScaling?: LinearScaling | YarnScaling | Llama3Scaling | undefined;
}

export interface LinearScaling {
  type: "linear";
  factor: number;
}

export interface YarnScaling {
  type: "yarn";
  factor: number;
  originalContext: number;
  /** Of what is turned, beside what YaRN itself says. */
  attentionFactor: number;
}

export interface Llama3Scaling {
  type: "llama3";
  factor: number;
  lowFrequencyFactor: number;
  highFrequencyFactor: number;
  originalContext: number;
}

export interface TensorShape {
  /** GGUF name. */
  name: string;
  /** 1 for a vector. */
  rows: number;
  columns: number;
  vector: boolean;
}

/** All tensors of a model, without rope_freqs.weight, which no checkpoint stores. */
export function llamaTensors(config: LlamaDimensions): TensorShape[] {
  const { hidden, intermediate, heads, kvHeads, headSize, vocabulary } = config;
  const vector = (name: string): TensorShape => ({ name: `${name}.weight`, rows: 1, columns: hidden, vector: true });
  const matrix = (name: string, rows: number, columns: number): TensorShape => ({
    name: `${name}.weight`,
    rows,
    columns,
    vector: false,
  });
  const tensors = [matrix("token_embd", vocabulary, hidden), vector("output_norm")];
  if (!config.tied) tensors.push(matrix("output", vocabulary, hidden));
  for (let layer = 0; layer < config.layers; layer++) {
    tensors.push(
      vector(`blk.${layer}.attn_norm`),
      matrix(`blk.${layer}.attn_q`, heads * headSize, hidden),
      matrix(`blk.${layer}.attn_k`, kvHeads * headSize, hidden),
      matrix(`blk.${layer}.attn_v`, kvHeads * headSize, hidden),
      matrix(`blk.${layer}.attn_output`, hidden, heads * headSize),
      vector(`blk.${layer}.ffn_norm`),
      matrix(`blk.${layer}.ffn_gate`, intermediate, hidden),
      matrix(`blk.${layer}.ffn_up`, intermediate, hidden),
      matrix(`blk.${layer}.ffn_down`, hidden, intermediate),
    );
  }
  return tensors;
}

/** The keys of general.* and llama.*. */
export function llamaMetadata(config: LlamaConfig, name: string): Metadata {
  const metadata = new Map<string, MetadataValue>([
    ["general.architecture", text("llama")],
    ["general.name", text(name)],
    ["llama.context_length", u32(config.context)],
    ["llama.embedding_length", u32(config.hidden)],
    ["llama.block_count", u32(config.layers)],
    ["llama.feed_forward_length", u32(config.intermediate)],
    ["llama.attention.head_count", u32(config.heads)],
    ["llama.attention.head_count_kv", u32(config.kvHeads)],
    ["llama.rope.dimension_count", u32(config.headSize)],
    ["llama.rope.freq_base", f32(config.ropeTheta)],
    ["llama.attention.layer_norm_rms_epsilon", f32(config.normEpsilon)],
    ["llama.vocab_size", u32(config.vocabulary)],
  ]);
  if (config.headSize * config.heads !== config.hidden) {
    metadata.set("llama.attention.key_length", u32(config.headSize));
    metadata.set("llama.attention.value_length", u32(config.headSize));
  }
  for (const [name, value] of scalingKeys(config)) metadata.set(`llama.rope.scaling.${name}`, value);
  return metadata;
}

function scalingKeys({ ropeScaling }: LlamaConfig): [string, MetadataValue][] {
  if (ropeScaling === undefined || ropeScaling.type === "llama3") return []; // which is a tensor
  const keys: [string, MetadataValue][] = [
    ["type", text(ropeScaling.type)],
    ["factor", f32(ropeScaling.factor)],
  ];
  if (ropeScaling.type === "linear") return keys;
  keys.push(["original_context_length", u32(ropeScaling.originalContext)]);
  if (ropeScaling.attentionFactor !== 1) keys.push(["attn_factor", f32(ropeScaling.attentionFactor)]);
  return keys;
}

/**
 * What llama.cpp divides the rotary frequencies by: f32[headSize / 2]. Low frequencies, whose wavelengths the original context
 * does not hold, are stretched by `factor`, high ones are not, and those between are blended (Llama 3.1's "llama3" scaling).
 */
function ropeFactors({ headSize, ropeTheta }: LlamaConfig, scaling: Llama3Scaling): Float32Array {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling;
  return Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * ropeTheta ** ((2 * i) / headSize);
    const turns = originalContext / wavelength;
    if (turns > highFrequencyFactor) return 1;
    if (turns < lowFrequencyFactor) return factor;
    const smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

/** rope_freqs.weight, where the scaling needs it. */
export function ropeFactorsTensor(config: LlamaConfig): SourceTensor[] {
  if (config.ropeScaling?.type !== "llama3") return [];
  const factors = ropeFactors(config, config.ropeScaling);
  const bytes = new Uint8Array(4 * factors.length);
  const view = new DataView(bytes.buffer);
  factors.forEach((factor, i) => {
    view.setFloat32(4 * i, factor, true);
  });
  return [
    {
      name: "rope_freqs.weight",
      type: TYPE_F32,
      rows: 1,
      columns: factors.length,
      vector: true,
      read: async () => bytes,
    },
  ];
}

/** Rows of a matrix as a checkpoint stores them; SourceTensor.read of one that needs no reordering. */
export type ReadRows = SourceTensor["read"];

/**
 * Rotary pairs as neighbours. Hugging Face turns row j of a head with row j + headSize / 2, llama.cpp rows 2 j and 2 j + 1; so its
 * conversion reorders the rows of the query and key matrices:
 *
 *     stored  a0 a1 a2 ... b0 b1 b2 ...        GGUF  a0 b0 a1 b1 a2 b2 ...        in every head
 *
 * @param rowBytes of one row of `read`
 */
export function interleavedRows(read: ReadRows, rowBytes: number, headSize: number): ReadRows {
  return async (row, count) => {
    const first = row - (row % headSize);
    const end = Math.ceil((row + count) / headSize) * headSize;
    const heads = await read(first, end - first);
    const rows = new Uint8Array(count * rowBytes);
    for (let i = 0; i < count; i++) {
      const within = (row + i) % headSize;
      const stored = row + i - within - first + (within >> 1) + (within & 1) * (headSize / 2);
      rows.set(heads.subarray(stored * rowBytes, (stored + 1) * rowBytes), i * rowBytes);
    }
    return rows;
  };
}
