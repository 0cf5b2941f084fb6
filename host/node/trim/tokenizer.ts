// The tokenizer of a vocabulary: the core's own, of a model that has nothing else.

import { GROUP, TYPE_F32, TYPE_Q8_0 } from "../../../assembly/layout/blocks.js";
import type { MetadataValue } from "../../../quant/checkpoint/checkpoint.js";
import { f32, type Metadata, text, u32 } from "../../../quant/checkpoint/metadata.js";
import { typeBytes } from "../../../quant/checkpoint/types.js";
import { llamaTensors } from "../../../quant/read/llama.js";
import { aligned, encodeHeader } from "../../../quant/write/gguf_writer.js";

/** What is wanted of a model. */
export interface Tokenizer {
  tokenize(text: string | Uint8Array, options: { bos: false; continues?: boolean }): number[];
  detokenize(tokens: ArrayLike<number>, options: { special: true }): string;
  close(): void;
}

/** Loads a GGUF file. */
export type LoadTokenizer = (
  bytes: Uint8Array,
  options: { contextLength: number; threads: number },
) => Promise<Tokenizer>;

/** @param metadata of any model; its tokenizer.* are taken */
export function openTokenizer(metadata: Metadata, load: LoadTokenizer): Promise<Tokenizer> {
  return load(tokenizerModel(metadata), { contextLength: 1, threads: 1 });
}

const SIZE = GROUP;

/** The smallest model with a tokenizer, all weights zero. */
function tokenizerModel(metadata: Metadata): Uint8Array {
  const vocabulary = (metadata.get("tokenizer.ggml.tokens")!.value as readonly string[]).length;
  const dimensions = { layers: 1, hidden: SIZE, intermediate: SIZE, heads: 1, kvHeads: 1, headSize: SIZE, tied: true };
  const tensors = llamaTensors({ ...dimensions, vocabulary }).map(({ name, rows, columns, vector }) => {
    const type = vector ? TYPE_F32 : TYPE_Q8_0;
    return {
      name,
      type,
      dimensions: vector ? [columns] : [columns, rows],
      byteLength: typeBytes(type, rows * columns)!,
    };
  });
  const all: [string, MetadataValue][] = [
    ["general.architecture", text("llama")],
    ["llama.context_length", u32(1)],
    ["llama.embedding_length", u32(SIZE)],
    ["llama.block_count", u32(1)],
    ["llama.feed_forward_length", u32(SIZE)],
    ["llama.attention.head_count", u32(1)],
    ["llama.attention.layer_norm_rms_epsilon", f32(1e-5)],
    ["llama.rope.dimension_count", u32(SIZE)],
    ...[...metadata].filter(([key]) => key.startsWith("tokenizer.")),
  ];
  const header = encodeHeader(new Map(all), tensors);
  const bytes = new Uint8Array(tensors.reduce((sum, { byteLength }) => sum + aligned(byteLength), header.length));
  bytes.set(header);
  return bytes;
}
