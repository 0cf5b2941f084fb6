// Names of GGUF's numbers, for people, and of what ends a text.

export const TENSOR_TYPES: Record<number, string> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  6: "Q5_0",
  7: "Q5_1",
  8: "Q8_0",
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  15: "Q8_K",
  20: "IQ4_NL",
  23: "IQ4_XS",
  28: "F64",
  30: "BF16",
};

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
const MIXES: Record<number, string> = { 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M" };

export function mixName(fileType: unknown): string | undefined {
  return typeof fileType === "number" ? MIXES[fileType] : undefined;
}

export function tensorTypeName(type: number): string {
  return TENSOR_TYPES[type] ?? `ggml type ${type}`;
}

/** How the families of models mark the end of a text or of a turn. */
export const END_TOKENS = [
  "<|end_of_text|>",
  "<|endoftext|>",
  "<|eot_id|>",
  "<|eom_id|>",
  "<|im_end|>",
  "<|end|>",
  "</s>",
];

/** Metadata keys of tokens that end a text: the first is the usual one, llama.cpp stops at all of them. */
export const END_KEYS = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/** The metadata key of further ones, an array of u32; ours alone, because GGUF has none for it. */
export const MORE_ENDS_KEY = "zagreus.end_token_ids";
export const MAX_MORE_ENDS = 32;

export function valueTypeName(type: number): string {
  return VALUE_TYPES[type] ?? `unknown type ${type}`;
}
