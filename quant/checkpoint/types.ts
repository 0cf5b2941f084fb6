// The one table of tensor types: what quantize reads and writes. Its help, its errors and docs/quantization.md are made of it.

import { TYPE_Q4_0, TYPE_Q8_0 } from "../../assembly/layout/blocks.js";
import { LOADABLE } from "../../host/core/api/names.js";

/** Element type of the matrices of a file: blocks of 32 with a scale, 8 or 4 bits a weight. */
export type QuantizedType = "q8_0" | "q4_0";

/** What is written: ggml's tensor type and llama.cpp's general.file_type. */
export const QUANTIZED: Readonly<Record<QuantizedType, { type: number; fileType: number }>> = {
  q8_0: { type: TYPE_Q8_0, fileType: 7 },
  q4_0: { type: TYPE_Q4_0, fileType: 2 },
};
export const QUANTIZED_TYPES = Object.keys(QUANTIZED) as QuantizedType[];

export interface TensorType {
  name: string;
  /** TYPE_* of assembly/layout/blocks.ts. */
  type: number;
  /** Of a block; 1 for plain floats. */
  elements: number;
  bytes: number;
  /** Of a weight, its share of the block's scales included. */
  bits: number;
  /** Whether its values have been rounded to a few levels, so that rounding them again loses twice. */
  isRounded: boolean;
  /** Its name where it is written. */
  written: QuantizedType | undefined;
}

/** All types that can be loaded, and read; the largest first. */
export const TENSOR_TYPES: readonly TensorType[] = LOADABLE.map((row) => ({
  ...row,
  bits: (8 * row.bytes) / row.elements,
  isRounded: row.elements > 1,
  written: QUANTIZED_TYPES.find((name) => QUANTIZED[name].type === row.type),
})).sort((a, b) => b.bits - a.bits || a.type - b.type);

/** The row of a ggml type, unless it cannot be loaded. */
export function tensorType(type: number): TensorType | undefined {
  return TENSOR_TYPES.find((row) => row.type === type);
}

/** File bytes of `elements` elements of a ggml type, whole blocks where it has blocks; undefined for other types. */
export function typeBytes(type: number, elements: number): number | undefined {
  const row = tensorType(type);
  return row && (elements / row.elements) * row.bytes;
}

/** The names of the types that `is` holds for. */
export function typeNames(is: (row: TensorType) => boolean = () => true): string[] {
  return TENSOR_TYPES.filter(is).map(({ name }) => name);
}
