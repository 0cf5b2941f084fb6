// A GGUF file (assembly/layout/gguf.ts draws it) as a checkpoint: to quantize what is GGUF already.

import { MAX_DIMENSION } from "../../assembly/layout/gguf.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import { tensorTypeName } from "../../host/core/api/names.js";
import {
  aligned,
  checkPart,
  entryValue,
  fault,
  type GgufHeader,
  type GgufTensor,
  readGgufHeader,
} from "../../host/core/gguf/header.js";
import { SPLIT_KEYS } from "../../host/core/gguf/parts.js";
import { checkObject } from "../checkpoint/arguments.js";
import type { Checkpoint, RandomAccess, SourceTensor } from "../checkpoint/checkpoint.js";
import type { Metadata } from "../checkpoint/metadata.js";
import { tensorType, typeBytes, typeNames } from "../checkpoint/types.js";
import { llamaTensors } from "./llama.js";

/**
 * Opens a GGUF file of the Llama architecture; reads its header. The files are closed with the checkpoint, or when this fails.
 * @param others the other parts of a split file, in order
 * @throws ZagreusError what is wrong with the header, as the core's loader says it: BAD_MAGIC, UNSUPPORTED_VERSION, TRUNCATED, ...;
 * and MISSING_TENSOR, UNEXPECTED_TENSOR, BAD_DIMENSION
 */
export async function openGguf(file: RandomAccess, ...others: RandomAccess[]): Promise<Checkpoint> {
  const files = [file, ...others];
  for (const each of files) checkObject("file", each, ["read", "close"]);
  const close = async () => {
    for (const each of files) await each.close();
  };
  try {
    const { metadata, tensors } = await openParts(files);
    requireArchitecture(metadata);
    requireTensors(metadata, tensors);
    return { metadata, tensors, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The parts of a split file, or the one file. */
async function openParts(files: readonly RandomAccess[]): Promise<{ metadata: Metadata; tensors: SourceTensor[] }> {
  let metadata: Metadata = new Map();
  const tensors: SourceTensor[] = [];
  for (const [index, file] of files.entries()) {
    const header = await readGgufHeader({
      name: file.name,
      read: (length) => file.read(0, Math.min(length, file.byteLength)),
    });
    checkPart(header, index, files.length);
    if (index === 0) metadata = readMetadata(header);
    const infos = header.tensors.map((tensor) => readInfo(tensor, file));
    checkOffsets(infos, header, file);
    tensors.push(...infos.map((info) => sourceTensor(info, header.dataStart, file)));
  }
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw fault("DUPLICATE_TENSOR", files[0]!.name, name, "is in two parts");
    names.add(name);
  }
  return { metadata, tensors };
}

function readMetadata(header: GgufHeader): Metadata {
  const metadata: Metadata = new Map();
  for (const [key, { type, elementType }] of header.entries) {
    if (SPLIT_KEYS.includes(key)) continue;
    metadata.set(key, { type, ...(elementType !== undefined && { elementType }), value: entryValue(header, key)! });
  }
  return metadata;
}

interface Info extends Omit<SourceTensor, "read"> {
  offset: number;
  byteLength: number;
}

function readInfo({ name, dimensions, type, offset }: GgufTensor, file: RandomAccess): Info {
  const rank = dimensions.length;
  if (rank > 2) throw fault("BAD_RANK", file.name, name, `has ${rank} dimensions, must have 1 or 2`, rank, 2);
  for (const size of dimensions) {
    if (size < 1 || size > MAX_DIMENSION) {
      const reason = `has a dimension of ${size}, must be 1 to ${MAX_DIMENSION}`;
      throw fault("BAD_DIMENSION", file.name, name, reason, size, MAX_DIMENSION);
    }
  }
  const [columns, rows = 1] = dimensions as [number, number?];
  const row = tensorType(type);
  if (row === undefined) {
    const reason = `is ${tensorTypeName(type)}, must be one of ${typeNames().join(", ")}`;
    throw fault("UNSUPPORTED_TENSOR_TYPE", file.name, name, reason, type);
  }
  if (columns % row.elements !== 0) {
    const reason = `has ${columns} columns, must be a multiple of ${row.elements}`;
    throw fault("BAD_DIMENSION", file.name, name, reason, columns, row.elements);
  }
  return { name, type, rows, columns, vector: rank === 1, offset, byteLength: typeBytes(type, rows * columns)! };
}

/** Each tensor begins where the one before it ends, rounded up to the alignment, as in every file the core loads. */
function checkOffsets(infos: readonly Info[], { alignment, dataStart }: GgufHeader, file: RandomAccess): void {
  let expected = 0;
  for (const { name, offset, byteLength } of [...infos].sort((a, b) => a.offset - b.offset)) {
    if (offset !== expected) {
      throw fault("BAD_OFFSET", file.name, name, `has the offset ${offset}, expected ${expected}`, offset, expected);
    }
    const end = dataStart + offset + byteLength;
    if (end > file.byteLength) {
      const reason = `ends at byte ${end} of a file of ${file.byteLength}`;
      throw fault("TRUNCATED", file.name, name, reason, file.byteLength, end);
    }
    expected = aligned(offset + byteLength, alignment);
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
