// Names of GGUF's numbers, for people.

const TENSOR_TYPES: Record<number, string> = {
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

const VALUE_TYPES = ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"];

export function tensorTypeName(type: number): string {
  return TENSOR_TYPES[type] ?? `ggml type ${type}`;
}

export function valueTypeName(type: number): string {
  return VALUE_TYPES[type] ?? `unknown type ${type}`;
}
