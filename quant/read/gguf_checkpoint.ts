// A GGUF file (assembly/layout/gguf.ts draws it) as a checkpoint: to quantize what is GGUF already.

import { GROUP, TYPE_Q4_0, TYPE_Q8_0 } from "../../assembly/layout/blocks.js";
import {
  GGUF_DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION_MAX,
  GGUF_VERSION_MIN,
  MAX_ALIGNMENT,
  MAX_DIMENSION,
  MAX_HEADER_BYTES,
  MAX_METADATA,
  MAX_STRING_BYTES,
  MAX_TENSORS,
  VALUE_ARRAY,
  VALUE_STRING,
} from "../../assembly/layout/gguf.js";
import { type ErrorCode, type ErrorDetails, ZagreusError } from "../../host/core/api/errors.js";
import { tensorTypeName, valueTypeName } from "../../host/core/api/names.js";
import type { Checkpoint, MetadataValue, RandomAccess, SourceTensor } from "../checkpoint/checkpoint.js";
import { NUMBERS, type Scalar } from "../checkpoint/gguf_numbers.js";
import type { Metadata } from "../checkpoint/metadata.js";
import { typeBytes } from "../round/quantizer.js";
import { llamaTensors } from "./llama.js";

const FIRST_READ = 1 << 20;

/**
 * Opens a GGUF file of the Llama architecture; reads its header. `file` is closed with the checkpoint, or when this fails.
 * @throws ZagreusError what is wrong with the header, as the core's loader says it: BAD_MAGIC, UNSUPPORTED_VERSION, TRUNCATED, ...;
 * and MISSING_TENSOR, UNEXPECTED_TENSOR, BAD_DIMENSION
 */
export async function openGguf(file: RandomAccess): Promise<Checkpoint> {
  try {
    const { metadata, tensors } = await readHeader(file);
    requireArchitecture(metadata);
    requireTensors(metadata, tensors);
    return { metadata, tensors, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Header {
  metadata: Metadata;
  tensors: SourceTensor[];
}

/** The length of a header is known only at its end: reads twice as much until it is there. */
async function readHeader(file: RandomAccess): Promise<Header> {
  const most = Math.min(file.byteLength, MAX_HEADER_BYTES);
  for (let length = Math.min(FIRST_READ, most); ; length = Math.min(2 * length, most)) {
    try {
      return parseHeader(new Cursor(await file.read(0, length)), file);
    } catch (error) {
      if (!(error instanceof OutOfBytes)) throw error;
      if (error.needed > MAX_HEADER_BYTES) {
        throw fail("HEADER_TOO_LARGE", file, "header", `needs ${error.needed} bytes`, error.needed, MAX_HEADER_BYTES);
      }
      if (error.needed > file.byteLength) {
        const reason = `ends the file early: ${file.byteLength} bytes, needs ${error.needed}`;
        throw fail("TRUNCATED", file, "header", reason, file.byteLength, error.needed);
      }
    }
  }
}

function parseHeader(cursor: Cursor, file: RandomAccess): Header {
  const magic = cursor.u32();
  if (magic !== GGUF_MAGIC) {
    const reason = `is 0x${magic.toString(16)}: this is not a GGUF file`;
    throw fail("BAD_MAGIC", file, "magic", reason, magic, GGUF_MAGIC);
  }
  const version = cursor.u32();
  if (version < GGUF_VERSION_MIN || version > GGUF_VERSION_MAX) {
    const expected = `${GGUF_VERSION_MIN} to ${GGUF_VERSION_MAX}`;
    throw fail("UNSUPPORTED_VERSION", file, "version", `is ${version}, must be ${expected}`, version, expected);
  }
  const tensorCount = count(cursor, file, "tensor_count", MAX_TENSORS);
  const metadataCount = count(cursor, file, "metadata_kv_count", MAX_METADATA);

  const metadata: Metadata = new Map();
  for (let i = 0; i < metadataCount; i++) {
    const key = string(cursor, file, "metadata key");
    if (metadata.has(key)) throw fail("DUPLICATE_KEY", file, key, "stands in the metadata twice");
    metadata.set(key, readValue(cursor, file, key));
  }
  const alignment = Number(metadata.get("general.alignment")?.value ?? GGUF_DEFAULT_ALIGNMENT);
  if (!Number.isInteger(Math.log2(alignment)) || alignment > MAX_ALIGNMENT) {
    throw fail("BAD_ALIGNMENT", file, "general.alignment", `is ${alignment}, must be a power of two`, alignment);
  }
  const infos = Array.from({ length: tensorCount }, () => readInfo(cursor, file));
  const names = new Set<string>();
  for (const { name } of infos) {
    if (names.has(name)) throw fail("DUPLICATE_TENSOR", file, name, "is there twice");
    names.add(name);
  }
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  checkOffsets(infos, alignment, dataStart, file);
  return { metadata, tensors: infos.map((info) => sourceTensor(info, dataStart, file)) };
}

interface Info extends Omit<SourceTensor, "read"> {
  offset: number;
  byteLength: number;
}

function readInfo(cursor: Cursor, file: RandomAccess): Info {
  const name = string(cursor, file, "tensor name");
  const rank = cursor.u32();
  if (rank !== 1 && rank !== 2) throw fail("BAD_RANK", file, name, `has ${rank} dimensions, must have 1 or 2`, rank, 2);
  const dimensions = Array.from({ length: rank }, () => Number(cursor.u64()));
  for (const size of dimensions) {
    if (size < 1 || size > MAX_DIMENSION) {
      const reason = `has a dimension of ${size}, must be 1 to ${MAX_DIMENSION}`;
      throw fail("BAD_DIMENSION", file, name, reason, size, MAX_DIMENSION);
    }
  }
  const [columns, rows = 1] = dimensions as [number, number?];
  const type = cursor.u32();
  const byteLength = typeBytes(type, rows * columns);
  if (byteLength === undefined) {
    const reason = `is ${tensorTypeName(type)}, must be F32, F16, BF16, Q8_0 or Q4_0`;
    throw fail("UNSUPPORTED_TENSOR_TYPE", file, name, reason, type);
  }
  if ((type === TYPE_Q8_0 || type === TYPE_Q4_0) && columns % GROUP !== 0) {
    throw fail("BAD_DIMENSION", file, name, `has ${columns} columns, must be a multiple of ${GROUP}`, columns, GROUP);
  }
  return { name, type, rows, columns, vector: rank === 1, offset: Number(cursor.u64()), byteLength };
}

/** Each tensor begins where the one before it ends, rounded up to the alignment, as in every file the core loads. */
function checkOffsets(infos: readonly Info[], alignment: number, dataStart: number, file: RandomAccess): void {
  let expected = 0;
  for (const { name, offset, byteLength } of [...infos].sort((a, b) => a.offset - b.offset)) {
    if (offset !== expected) {
      throw fail("BAD_OFFSET", file, name, `has the offset ${offset}, expected ${expected}`, offset, expected);
    }
    const end = dataStart + offset + byteLength;
    if (end > file.byteLength) {
      const reason = `ends at byte ${end} of a file of ${file.byteLength}`;
      throw fail("TRUNCATED", file, name, reason, file.byteLength, end);
    }
    expected = Math.ceil((offset + byteLength) / alignment) * alignment;
  }
}

function sourceTensor({ offset, byteLength, ...tensor }: Info, dataStart: number, file: RandomAccess): SourceTensor {
  const rowBytes = byteLength / tensor.rows;
  return { ...tensor, read: (row, count) => file.read(dataStart + offset + row * rowBytes, count * rowBytes) };
}

function requireArchitecture(metadata: Metadata): void {
  const value = metadata.get("general.architecture")?.value;
  if (value === "llama") return;
  const message = `general.architecture is ${JSON.stringify(value) ?? "missing"}, must be "llama"`;
  throw new ZagreusError("UNSUPPORTED_ARCHITECTURE", message, {
    field: "general.architecture",
    value,
    expected: "llama",
  });
}

/** All tensors of the architecture, in their shapes, and no others. */
function requireTensors(metadata: Metadata, tensors: readonly SourceTensor[]): void {
  const stored = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const integer = (key: string, absent?: number) => {
    const value = metadata.get(`llama.${key}`)?.value ?? absent;
    if (Number.isInteger(value) && (value as number) > 0) return value as number;
    const [code, reason] =
      value === undefined ? (["MISSING_KEY", "missing"] as const) : (["BAD_VALUE", value] as const);
    throw new ZagreusError(code, `"llama.${key}" is ${reason}`, { field: `llama.${key}`, value });
  };
  const hidden = integer("embedding_length");
  const heads = integer("attention.head_count");
  const vocabulary = metadata.get("tokenizer.ggml.tokens")?.value;
  const expected = llamaTensors({
    layers: Math.min(integer("block_count"), tensors.length), // not more than could be there
    hidden,
    intermediate: integer("feed_forward_length"),
    heads,
    kvHeads: integer("attention.head_count_kv", heads),
    headSize: integer("attention.key_length", Math.floor(hidden / heads)),
    vocabulary: Array.isArray(vocabulary) ? vocabulary.length : (stored.get("token_embd.weight")?.rows ?? 0),
    tied: !stored.has("output.weight"),
  });
  for (const { name, rows, columns, vector } of expected) {
    const tensor = stored.get(name);
    if (!tensor) throw new ZagreusError("MISSING_TENSOR", `tensor "${name}" is missing`, { field: name });
    if (tensor.rows !== rows || tensor.columns !== columns || tensor.vector !== vector) {
      const message = `tensor "${name}" is ${tensor.columns} x ${tensor.rows}, expected ${columns} x ${rows}`;
      throw new ZagreusError("BAD_DIMENSION", message, { field: name, value: [tensor.columns, tensor.rows] });
    }
    stored.delete(name);
  }
  stored.delete("rope_freqs.weight");
  for (const name of stored.keys()) {
    const message = `tensor "${name}" has no place in this architecture`;
    throw new ZagreusError("UNEXPECTED_TENSOR", message, { field: name });
  }
}

// Values

function readValue(cursor: Cursor, file: RandomAccess, key: string): MetadataValue {
  const type = cursor.u32();
  if (type !== VALUE_ARRAY) return { type, value: readScalar(cursor, file, key, type, "BAD_VALUE_TYPE") };
  const elementType = cursor.u32();
  const length = Number(cursor.u64());
  cursor.need(length); // an element has a byte at least
  const value: Scalar[] = [];
  for (let i = 0; i < length; i++) value.push(readScalar(cursor, file, key, elementType, "BAD_ELEMENT_TYPE"));
  return { type, elementType, value };
}

function readScalar(cursor: Cursor, file: RandomAccess, key: string, type: number, otherwise: ErrorCode): Scalar {
  if (type === VALUE_STRING) return string(cursor, file, key);
  const number = NUMBERS[type];
  if (!number) throw fail(otherwise, file, key, `has the type ${valueTypeName(type)}`, type);
  return number.read(cursor.view, cursor.take(number.bytes));
}

function count(cursor: Cursor, file: RandomAccess, field: string, most: number): number {
  const value = cursor.u64();
  if (value > BigInt(most)) throw fail("BAD_COUNT", file, field, `is ${value}, must be at most ${most}`, value, most);
  return Number(value);
}

function string(cursor: Cursor, file: RandomAccess, field: string): string {
  const length = cursor.u64();
  if (length > BigInt(MAX_STRING_BYTES)) {
    const reason = `is a string of ${length} bytes, must be at most ${MAX_STRING_BYTES}`;
    throw fail("BAD_STRING_LENGTH", file, field, reason, length, MAX_STRING_BYTES);
  }
  const at = cursor.take(Number(length));
  try {
    return UTF8.decode(cursor.bytes.subarray(at, at + Number(length)));
  } catch {
    throw fail("BAD_VALUE", file, field, "is not UTF-8 text");
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function fail(
  code: ErrorCode,
  file: RandomAccess,
  field: string,
  reason: string,
  value?: unknown,
  expected?: unknown,
): ZagreusError {
  const details: ErrorDetails = { field, value, expected };
  return new ZagreusError(code, `${file.name}: "${field}" ${reason}`, details);
}

/** More of the file is needed. */
class OutOfBytes extends Error {
  constructor(readonly needed: number) {
    super();
  }
}

class Cursor {
  readonly view: DataView;
  at = 0;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws OutOfBytes */
  need(bytes: number): void {
    if (this.at + bytes > this.bytes.length) throw new OutOfBytes(this.at + bytes);
  }

  /** Moves on, and returns where it was. */
  take(bytes: number): number {
    this.need(bytes);
    this.at += bytes;
    return this.at - bytes;
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }
}
