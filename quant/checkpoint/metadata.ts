// GGUF metadata values by their types.

import { VALUE_ARRAY, VALUE_BOOL, VALUE_F32, VALUE_I32, VALUE_STRING, VALUE_U32 } from "../../assembly/layout/gguf.js";
import type { MetadataValue } from "./checkpoint.js";

export type Metadata = Map<string, MetadataValue>;

export const u32 = (value: number): MetadataValue => ({ type: VALUE_U32, value });
export const f32 = (value: number): MetadataValue => ({ type: VALUE_F32, value });
export const bool = (value: boolean): MetadataValue => ({ type: VALUE_BOOL, value });
export const text = (value: string): MetadataValue => ({ type: VALUE_STRING, value });
export const texts = (value: readonly string[]): MetadataValue => ({
  type: VALUE_ARRAY,
  elementType: VALUE_STRING,
  value,
});
export const u32s = (value: readonly number[]): MetadataValue => ({ type: VALUE_ARRAY, elementType: VALUE_U32, value });
export const f32s = (value: readonly number[]): MetadataValue => ({ type: VALUE_ARRAY, elementType: VALUE_F32, value });
export const i32s = (value: readonly number[]): MetadataValue => ({ type: VALUE_ARRAY, elementType: VALUE_I32, value });
