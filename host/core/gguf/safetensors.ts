// Reads safetensors (https://github.com/huggingface/safetensors):
//
//     | header length u64 | header: JSON | data |
//     {"__metadata__": {...}, "name": {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [begin, end]}, ...}
//
// Offsets count from the first byte of data; the tensors fill it without gaps or overlaps. All little-endian.

import { TYPE_BF16, TYPE_F16, TYPE_F32 } from "../../../assembly/layout/blocks.js";
import { MAX_TENSORS } from "../../../assembly/layout/gguf.js";
import { ZagreusError } from "../api/errors.js";
import { badValue, decode, isObject, parseObject } from "../api/json.js";

/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;
const METADATA = "__metadata__";

const ELEMENT_BYTES: Record<string, number> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  BF16: 2,
  F16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Types of weights, as ggml numbers them. */
const WEIGHT_TYPES: Record<string, number> = { F32: TYPE_F32, F16: TYPE_F16, BF16: TYPE_BF16 };

/** A file to read from. */
export interface StoredFile {
  /** What messages call it. */
  readonly name: string;
  /** Size in bytes. */
  readonly byteLength: number;
  /** Exactly `length` bytes from `offset` on. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface StoredTensor {
  name: string;
  dtype: string;
  shape: number[];
  /** In the file. */
  offset: number;
  byteLength: number;
  file: StoredFile;
}

/**
 * The tensors of a file, by name.
 * @throws ZagreusError TRUNCATED, TRAILING_BYTES, HEADER_TOO_LARGE, BAD_JSON, BAD_COUNT, BAD_VALUE, UNSUPPORTED_TENSOR_TYPE,
 * BAD_OFFSET, DUPLICATE_TENSOR
 */
export async function readSafetensors(file: StoredFile): Promise<Map<string, StoredTensor>> {
  const { header, dataStart } = await readHeader(file);
  const source = file.name;
  const entries = Object.entries(header).filter(([name]) => name !== METADATA);
  if (entries.length > MAX_TENSORS) {
    throw new ZagreusError("BAD_COUNT", `${source}: ${entries.length} tensors, must be at most ${MAX_TENSORS}`, {
      field: "header",
      value: entries.length,
      expected: MAX_TENSORS,
    });
  }
  const tensors = entries.map(([name, entry]) => storedTensor(file, dataStart, name, entry));
  checkRanges(file, dataStart, tensors);
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

/** What the file's makers say about it: "__metadata__", texts by key. @throws ZagreusError as readSafetensors() */
export async function readSafetensorsMetadata(file: StoredFile): Promise<Map<string, string>> {
  const { header } = await readHeader(file);
  const metadata = header[METADATA] ?? {};
  if (!isObject(metadata) || Object.values(metadata).some((value) => typeof value !== "string")) {
    throw badValue(file.name, METADATA, metadata, "an object of strings");
  }
  return new Map(Object.entries(metadata as Record<string, string>));
}

async function readHeader(file: StoredFile): Promise<{ header: Record<string, unknown>; dataStart: number }> {
  const { name: source, byteLength } = file;
  if (byteLength < LENGTH_BYTES) throw truncated(source, "header length", byteLength, LENGTH_BYTES);
  const lengthBytes = await file.read(0, LENGTH_BYTES);
  const length = Number(new DataView(lengthBytes.buffer, lengthBytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw new ZagreusError(
      "HEADER_TOO_LARGE",
      `${source}: the header has ${length} bytes, must have at most ${MAX_HEADER_BYTES}`,
      { field: "header", value: length, expected: MAX_HEADER_BYTES },
    );
  }
  const dataStart = LENGTH_BYTES + length;
  if (dataStart > byteLength) throw truncated(source, "header", byteLength, dataStart);
  const json = decode(await file.read(LENGTH_BYTES, length), `${source}: header`);
  const header = parseObject(json, `${source}: header`);
  const duplicate = firstDuplicate(json);
  if (duplicate !== undefined) throw duplicateTensor(source, duplicate);
  return { header, dataStart };
}

/** The ggml type of a tensor of weights. @throws ZagreusError UNSUPPORTED_TENSOR_TYPE */
export function weightType({ name, dtype, file }: StoredTensor): number {
  const type = WEIGHT_TYPES[dtype];
  if (type === undefined) throw unsupportedType(file.name, name, dtype, Object.keys(WEIGHT_TYPES));
  return type;
}

export function duplicateTensor(source: string, name: string): ZagreusError {
  return new ZagreusError("DUPLICATE_TENSOR", `${source}: tensor "${name}" is there twice`, { field: name });
}

function storedTensor(file: StoredFile, dataStart: number, name: string, entry: unknown): StoredTensor {
  const source = file.name;
  if (!isObject(entry)) throw badValue(source, name, entry, "an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    throw unsupportedType(source, name, dtype, Object.keys(ELEMENT_BYTES));
  }
  if (!isSizes(shape)) throw badValue(source, `${name}.shape`, shape, "an array of sizes");
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw badValue(source, `${name}.data_offsets`, offsets, "the first byte and the end");
  }
  const [begin, end] = offsets as [number, number];
  const bytes = shape.reduce((product, size) => product * size, ELEMENT_BYTES[dtype]!);
  if (end - begin !== bytes) {
    throw badValue(source, `${name}.data_offsets`, offsets, `${bytes} bytes apart, as dtype and shape need`);
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength: bytes, file };
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

/** The tensors lie side by side and end where the file does. */
function checkRanges(file: StoredFile, dataStart: number, tensors: readonly StoredTensor[]): void {
  let expected = dataStart;
  let last = "header";
  for (const { name, offset, byteLength } of [...tensors].sort(
    (a, b) => a.offset - b.offset || a.byteLength - b.byteLength,
  )) {
    if (offset !== expected) {
      const fault = offset < expected ? "overlaps the one before" : "leaves a gap before it";
      const [value, right] = [offset - dataStart, expected - dataStart];
      const message = `${file.name}: tensor "${name}" ${fault}: its offset is ${value}, expected ${right}`;
      throw new ZagreusError("BAD_OFFSET", message, { field: name, value, expected: right });
    }
    expected += byteLength;
    last = name;
  }
  if (expected > file.byteLength) throw truncated(file.name, last, file.byteLength, expected);
  if (expected < file.byteLength) {
    const value = file.byteLength - expected;
    const message = `${file.name}: ${value} bytes follow the last tensor "${last}", must be none`;
    throw new ZagreusError("TRAILING_BYTES", message, { field: last, value, expected: 0 });
  }
}

/** The first key that stands in valid JSON's outermost object twice: JSON.parse() keeps the last one in silence. */
function firstDuplicate(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let text = "";
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case '"': {
        const start = at++;
        while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
        if (depth === 1) text = json.slice(start, at + 1);
        break;
      }
      case "{":
      case "[":
        depth++;
        break;
      case "}":
      case "]":
        depth--;
        break;
      case ":": {
        if (depth !== 1) break;
        const key = JSON.parse(text);
        if (seen.has(key)) return key;
        seen.add(key);
      }
    }
  }
  return undefined;
}

function unsupportedType(source: string, name: string, dtype: unknown, known: readonly string[]): ZagreusError {
  const expected = known.join(", ");
  return new ZagreusError(
    "UNSUPPORTED_TENSOR_TYPE",
    `${source}: tensor "${name}": dtype is ${JSON.stringify(dtype)}, must be one of ${expected}`,
    { field: name, value: dtype, expected },
  );
}

function truncated(source: string, field: string, value: number, expected: number): ZagreusError {
  const message = `${source} ends early: "${field}" needs ${expected} bytes of file, there are ${value}`;
  return new ZagreusError("TRUNCATED", message, { field, value, expected });
}
