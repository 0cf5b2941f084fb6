// Encodes the header of a GGUF file (assembly/layout/gguf.ts draws it).

import {
  GGUF_DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION_MAX,
  VALUE_ARRAY,
  VALUE_STRING,
  VALUE_U32,
  VALUE_U64,
} from "../../assembly/layout/gguf.js";
import { NUMBERS, type Scalar } from "../../host/core/gguf/numbers.js";
import type { MetadataValue } from "../checkpoint/checkpoint.js";
import type { Metadata } from "../checkpoint/metadata.js";

export interface TensorEntry {
  name: string;
  type: number;
  /** Columns first. */
  dimensions: readonly number[];
  byteLength: number;
}

/** Rounds up to where the next tensor may begin. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / GGUF_DEFAULT_ALIGNMENT) * GGUF_DEFAULT_ALIGNMENT;
}

/** Everything before the first tensor's data, padding included; the tensors follow in order, each padded to aligned(). */
export function encodeHeader(metadata: Metadata, tensors: readonly TensorEntry[]): Uint8Array {
  const out = new ByteWriter();
  out.u32(GGUF_MAGIC);
  out.u32(GGUF_VERSION_MAX);
  out.u64(tensors.length);
  out.u64(metadata.size);
  for (const [key, value] of metadata) {
    out.string(key);
    out.u32(value.type);
    if (value.type === VALUE_ARRAY) out.array(value);
    else out.scalar(value.type, value.value as Scalar);
  }
  let offset = 0;
  for (const { name, type, dimensions, byteLength } of tensors) {
    out.string(name);
    out.u32(dimensions.length);
    for (const size of dimensions) out.u64(size);
    out.u32(type);
    out.u64(offset);
    offset += aligned(byteLength);
  }
  return out.finish();
}

/** A growing little-endian byte string. */
class ByteWriter {
  private bytes = new Uint8Array(1 << 16);
  private view = new DataView(this.bytes.buffer);
  private length = 0;
  private readonly encoder = new TextEncoder();

  u32(value: number): void {
    this.scalar(VALUE_U32, value);
  }

  u64(value: number): void {
    this.scalar(VALUE_U64, value);
  }

  string(value: string): void {
    this.reserve(8 + 3 * value.length);
    const { written } = this.encoder.encodeInto(value, this.bytes.subarray(this.length + 8));
    this.u64(written);
    this.length += written;
  }

  array({ elementType, value }: MetadataValue): void {
    const elements = value as readonly Scalar[];
    this.u32(elementType!);
    this.u64(elements.length);
    for (const element of elements) this.scalar(elementType!, element);
  }

  scalar(type: number, value: Scalar): void {
    if (type === VALUE_STRING) this.string(value as string);
    else {
      const { bytes, write } = NUMBERS[type]!;
      this.reserve(bytes);
      write(this.view, this.length, value);
      this.length += bytes;
    }
  }

  /** The bytes, padded to aligned(). */
  finish(): Uint8Array {
    const length = aligned(this.length);
    this.reserve(length - this.length);
    return this.bytes.subarray(0, length);
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + bytes, 2 * this.bytes.length));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
