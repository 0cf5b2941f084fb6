// The header of a GGUF file (assembly/layout/gguf.ts draws it), for whoever does not load it into the core.

import {
  GGUF_DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION_MAX,
  GGUF_VERSION_MIN,
  MAX_ALIGNMENT,
  MAX_DIMENSIONS,
  MAX_HEADER_BYTES,
  MAX_METADATA,
  MAX_STRING_BYTES,
  MAX_TENSORS,
  VALUE_ARRAY,
  VALUE_STRING,
} from "../../../assembly/layout/gguf.js";
import { type ErrorCode, ZagreusError } from "../api/errors.js";
import { LOADABLE, valueTypeName } from "../api/names.js";
import { NUMBERS, type Scalar } from "./numbers.js";
import { partAlone, SPLIT_COUNT, SPLIT_NUMBER } from "./parts.js";

/** A metadata entry, by places in the header's bytes. */
export interface GgufEntry {
  start: number;
  end: number;
  /** VALUE_* */
  type: number;
  /** Of an array. */
  elementType: number | undefined;
  /** Where the value, or an array's first element, begins. */
  value: number;
  /** Of an array. */
  count: number;
}

export interface GgufTensor {
  name: string;
  /** Columns first. */
  dimensions: number[];
  /** TYPE_* */
  type: number;
  /** From where tensor data begins. */
  offset: number;
  /** Where its info stands in the header's bytes; the offset is the last 8 of them. */
  start: number;
  end: number;
}

export interface GgufHeader {
  /** Of the file, for messages. */
  name: string;
  bytes: Uint8Array;
  version: number;
  /** By key, in the file's order. */
  entries: Map<string, GgufEntry>;
  tensors: GgufTensor[];
  alignment: number;
  /** Where tensor data begins in the file. */
  dataStart: number;
}

/** A file from its first byte on. */
export interface HeaderSource {
  name: string;
  /** The first `length` bytes, or all where the file has fewer. */
  read(length: number): Promise<Uint8Array>;
}

const FIRST_READ = 1 << 20;

/**
 * Reads a header. Its length is known only at its end: reads twice as much until it is there.
 * @throws ZagreusError BAD_MAGIC, UNSUPPORTED_VERSION, TRUNCATED, HEADER_TOO_LARGE, BAD_COUNT, BAD_STRING_LENGTH, BAD_VALUE,
 * BAD_VALUE_TYPE, BAD_ELEMENT_TYPE, BAD_RANK, BAD_ALIGNMENT, DUPLICATE_KEY, DUPLICATE_TENSOR
 */
export async function readGgufHeader(source: HeaderSource): Promise<GgufHeader> {
  const { name } = source;
  for (let length = FIRST_READ; ; length = Math.min(2 * length, MAX_HEADER_BYTES)) {
    const bytes = await source.read(length);
    try {
      return parseGgufHeader(bytes, name);
    } catch (error) {
      if (!(error instanceof OutOfBytes)) throw error;
      const { needed } = error;
      if (needed > MAX_HEADER_BYTES) {
        throw fault("HEADER_TOO_LARGE", name, "header", `needs ${needed} bytes`, needed, MAX_HEADER_BYTES);
      }
      if (bytes.length < length) {
        const reason = `ends the file early: ${bytes.length} bytes, needs ${needed}`;
        throw fault("TRUNCATED", name, "header", reason, bytes.length, needed);
      }
    }
  }
}

/** @throws OutOfBytes when there are too few */
function parseGgufHeader(bytes: Uint8Array, name: string): GgufHeader {
  const cursor = new Cursor(bytes, name);
  const magic = cursor.u32();
  if (magic !== GGUF_MAGIC) {
    const reason = `is 0x${magic.toString(16)}: this is not a GGUF file`;
    throw fault("BAD_MAGIC", name, "magic", reason, magic, GGUF_MAGIC);
  }
  const version = cursor.u32();
  if (version < GGUF_VERSION_MIN || version > GGUF_VERSION_MAX) {
    const expected = `${GGUF_VERSION_MIN} to ${GGUF_VERSION_MAX}`;
    throw fault("UNSUPPORTED_VERSION", name, "version", `is ${version}, must be ${expected}`, version, expected);
  }
  const tensorCount = cursor.count("tensor_count", MAX_TENSORS);
  const entryCount = cursor.count("metadata_kv_count", MAX_METADATA);
  const header: GgufHeader = { name, bytes, version, entries: new Map(), tensors: [], alignment: 0, dataStart: 0 };
  for (let i = 0; i < entryCount; i++) parseEntry(cursor, header);
  const stated = header.entries.get("general.alignment");
  const alignment = stated ? Number(entryValue(header, "general.alignment")) : GGUF_DEFAULT_ALIGNMENT;
  if (!Number.isInteger(Math.log2(alignment)) || alignment > MAX_ALIGNMENT) {
    const reason = `is ${alignment}, must be a power of two`;
    throw fault("BAD_ALIGNMENT", name, "general.alignment", reason, alignment);
  }
  for (let i = 0; i < tensorCount; i++) header.tensors.push(parseTensor(cursor));
  const names = new Set<string>();
  for (const tensor of header.tensors) {
    if (names.has(tensor.name)) throw fault("DUPLICATE_TENSOR", name, tensor.name, "is there twice");
    names.add(tensor.name);
  }
  return { ...header, alignment, dataStart: aligned(cursor.at, alignment) };
}

function parseEntry(cursor: Cursor, { name, entries }: GgufHeader): void {
  const start = cursor.at;
  const key = cursor.text("metadata key");
  if (entries.has(key)) throw fault("DUPLICATE_KEY", name, key, "stands in the metadata twice");
  const type = cursor.u32();
  let elementType: number | undefined;
  let count = 1;
  if (type === VALUE_ARRAY) {
    elementType = cursor.u32();
    count = Number(cursor.u64());
    cursor.need(count); // an element has a byte at least
  }
  const value = cursor.at;
  const scalar = elementType ?? type;
  if (scalar === VALUE_STRING) {
    for (let i = 0; i < count; i++) cursor.string(key);
  } else {
    const number = NUMBERS[scalar];
    const code = elementType === undefined ? "BAD_VALUE_TYPE" : "BAD_ELEMENT_TYPE";
    if (!number) throw fault(code, name, key, `has the type ${valueTypeName(scalar)}`, scalar);
    cursor.advance(count * number.bytes);
  }
  entries.set(key, { start, end: cursor.at, type, elementType, value, count });
}

function parseTensor(cursor: Cursor): GgufTensor {
  const start = cursor.at;
  const name = cursor.text("tensor name");
  const rank = cursor.u32();
  if (rank < 1 || rank > MAX_DIMENSIONS) {
    const reason = `has ${rank} dimensions, must have 1 to ${MAX_DIMENSIONS}`;
    throw fault("BAD_RANK", cursor.name, name, reason, rank, MAX_DIMENSIONS);
  }
  const dimensions = Array.from({ length: rank }, () => Number(cursor.u64()));
  const type = cursor.u32();
  const offset = Number(cursor.u64());
  return { name, dimensions, type, offset, start, end: cursor.at };
}

/** What stands under a key; undefined when it does not. @throws ZagreusError BAD_VALUE for text that is not UTF-8 */
export function entryValue({ name, bytes, entries }: GgufHeader, key: string): Scalar | Scalar[] | undefined {
  const entry = entries.get(key);
  if (!entry) return undefined;
  const cursor = new Cursor(bytes, name, entry.value);
  const { type, elementType, count } = entry;
  if (elementType === undefined) return cursor.scalar(type, key);
  return Array.from({ length: count }, () => cursor.scalar(elementType, key));
}

/** How many parts the file has that this header begins; 1 for a whole one. */
export function partCount(header: GgufHeader): number {
  return Math.max(1, Number(entryValue(header, SPLIT_COUNT) ?? 1));
}

/** @throws ZagreusError SOURCE_FAILED unless this is part `index` (from 0) of `count` */
export function checkPart(header: GgufHeader, index: number, count: number): void {
  const said = partCount(header);
  const number = Number(entryValue(header, SPLIT_NUMBER) ?? 0);
  if (said === count && (number === index || count === 1)) return;
  throw partAlone(number, said, `${header.name}: `);
}

/** File bytes of a tensor; undefined for a type that cannot be loaded. */
export function tensorBytes({ dimensions, type }: Pick<GgufTensor, "dimensions" | "type">): number | undefined {
  const block = LOADABLE.find((loadable) => loadable.type === type);
  return block && (dimensions.reduce((product, size) => product * size, 1) / block.elements) * block.bytes;
}

/** Rounds up to a multiple of `alignment`. */
export function aligned(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What is wrong with `field` of the file `name`. */
export function fault(
  code: ErrorCode,
  name: string,
  field: string,
  reason: string,
  value?: unknown,
  expected?: unknown,
): ZagreusError {
  return new ZagreusError(code, `${name}: "${field}" ${reason}`, { field, value, expected });
}

/** More of the file is needed. */
class OutOfBytes extends Error {
  constructor(readonly needed: number) {
    super();
  }
}

/** Reads on from a place in the bytes. All throw OutOfBytes. */
class Cursor {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(
    bytes: Uint8Array,
    readonly name: string,
    public at = 0,
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  need(bytes: number): void {
    if (this.at + bytes > this.#bytes.length) throw new OutOfBytes(this.at + bytes);
  }

  /** Moves on, and returns where it was. */
  advance(bytes: number): number {
    this.need(bytes);
    this.at += bytes;
    return this.at - bytes;
  }

  u32(): number {
    return this.#view.getUint32(this.advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.advance(8), true);
  }

  count(field: string, max: number): number {
    const value = this.u64();
    if (value <= BigInt(max)) return Number(value);
    throw fault("BAD_COUNT", this.name, field, `is ${value}, must be at most ${max}`, value, max);
  }

  /** Passes over a string; the bytes that it has. */
  string(field: string): Uint8Array {
    const length = this.u64();
    if (length > BigInt(MAX_STRING_BYTES)) {
      const reason = `is a string of ${length} bytes, must be at most ${MAX_STRING_BYTES}`;
      throw fault("BAD_STRING_LENGTH", this.name, field, reason, length, MAX_STRING_BYTES);
    }
    const at = this.advance(Number(length));
    return this.#bytes.subarray(at, this.at);
  }

  text(field: string): string {
    const bytes = this.string(field);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw fault("BAD_VALUE", this.name, field, "is not UTF-8 text");
    }
  }

  scalar(type: number, field: string): Scalar {
    if (type === VALUE_STRING) return this.text(field);
    const { bytes, read } = NUMBERS[type]!;
    return read(this.#view, this.advance(bytes));
  }
}
