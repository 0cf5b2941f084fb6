// Names of GGUF's numbers, for people, of what ends a text, and of the core's builds.

import { KV_F16, KV_F32, KV_INT4, KV_INT8 } from "../../../assembly/layout/abi.js";
import * as blocks from "../../../assembly/layout/blocks.js";
import { END_TOKENS as END_NAMES } from "../../../assembly/layout/gguf.js";
import type { Build, KvType } from "./api.js";

const CONSTANTS: Record<string, number> = blocks;

interface BlockType {
  name: string;
  type: number;
  /** Of a block. */
  elements: number;
  bytes: number;
}

/** ggml's types that have a name here, by number. */
const NAMED = Object.entries(CONSTANTS)
  .flatMap(([constant, type]) => (constant.startsWith("TYPE_") ? [{ name: constant.slice(5), type }] : []))
  .sort((a, b) => a.type - b.type);

/** Those that can be loaded. */
export const LOADABLE: readonly BlockType[] = NAMED.flatMap((named) => {
  const [elements, bytes] = [CONSTANTS[`ELEMENTS_${named.name}`], CONSTANTS[`BYTES_${named.name}`]];
  return elements && bytes ? [{ ...named, elements, bytes }] : [];
});

const isPlain = ({ elements }: BlockType) => elements === 1;
const nameOf = ({ name }: BlockType) => name;

/** Names of the types of floats, and of those in blocks. */
export const PLAIN_TYPES: readonly string[] = LOADABLE.filter(isPlain).map(nameOf);
export const BLOCK_TYPES: readonly string[] = LOADABLE.filter((type) => !isPlain(type)).map(nameOf);

export const TENSOR_TYPES: Record<number, string> = Object.fromEntries(NAMED.map(({ type, name }) => [type, name]));

export const BUILDS: readonly Build[] = ["simd", "relaxed", "simd-mt", "relaxed-mt"];

export const KV_TYPES: Record<KvType, number> = { int8: KV_INT8, int4: KV_INT4, f16: KV_F16, f32: KV_F32 };

export const VALUE_TYPES = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
];

/** Values of general.file_type that name a mix of tensor types (llama.cpp's enum llama_ftype). */
export const MIXES: Record<number, string> = { 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M" };

/** The mix of types that general.file_type states, if it is one. */
export function mixName(fileType: unknown): string | undefined {
  return typeof fileType === "number" ? MIXES[fileType] : undefined;
}

/** The name of a ggml type, such as "Q4_0". */
export function tensorTypeName(type: number): string {
  return TENSOR_TYPES[type] ?? `ggml type ${type}`;
}

/** How the families of models mark the end of a text or of a turn. */
export const END_TOKENS = END_NAMES.split(" ");

/** Metadata keys of tokens that end a text: the first is the usual one, llama.cpp stops at all of them. */
export const END_KEYS = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/** The metadata key of further ones, an array of u32; ours alone, because GGUF has none for it. */
export const MORE_ENDS_KEY = "zagreus.end_token_ids";
export const MAX_MORE_ENDS = 32;

/** The KV type of a number KV_*. */
export function kvTypeName(type: number): KvType {
  return (Object.keys(KV_TYPES) as KvType[]).find((name) => KV_TYPES[name] === type)!;
}

/** The name of a type VALUE_* of GGUF's metadata. */
export function valueTypeName(type: number): string {
  return VALUE_TYPES[type] ?? `unknown type ${type}`;
}
