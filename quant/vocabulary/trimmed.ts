// A checkpoint with some of its tokens: their rows are copied as they are, and ids become places among those that stay.

import { TOKEN_NORMAL } from "../../assembly/layout/gguf.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import type { Checkpoint, MetadataValue, SourceTensor } from "../checkpoint/checkpoint.js";
import type { Metadata } from "../checkpoint/metadata.js";
import { typeBytes } from "../checkpoint/types.js";

const TOKENS = "tokenizer.ggml.tokens";
const MERGES = "tokenizer.ggml.merges";
/** A tokenizer.json within the file: of the whole vocabulary. */
const COPY = "tokenizer.huggingface.json";
const VOCABULARY_SIZE = /^[^.]+\.vocab_size$/;
const ID_KEY = /_token_ids?$/;
const MATRICES = ["token_embd.weight", "output.weight"];

/** Ids that metadata hold, by their keys: of special tokens. What is no id of this vocabulary stands for none. */
export function idsInMetadata(metadata: Metadata): number[] {
  const size = sizeOf(metadata);
  return [...metadata]
    .filter(([key]) => ID_KEY.test(key))
    .flatMap(([, { value }]) => [value].flat().map(Number))
    .filter((id) => Number.isInteger(id) && id >= 0 && id < size);
}

/**
 * @param ids of the tokens that stay, ascending; all that metadata hold (idsInMetadata()) and all that tokens are made of must be among them
 * @throws ZagreusError BAD_DIMENSION when embedding and vocabulary have different sizes
 */
export function trimCheckpoint({ metadata, tensors, close }: Checkpoint, ids: Uint32Array): Checkpoint {
  const size = sizeOf(metadata);
  return {
    metadata: trimMetadata(metadata, ids),
    tensors: tensors.map((tensor) => (MATRICES.includes(tensor.name) ? trimMatrix(tensor, ids, size) : tensor)),
    close,
  };
}

function sizeOf(metadata: Metadata): number {
  return (metadata.get(TOKENS)!.value as readonly string[]).length;
}

/** What a file with these tokens says of them. */
export function trimMetadata(metadata: Metadata, ids: Uint32Array): Metadata {
  const size = sizeOf(metadata);
  const places = new Map<number, number>();
  ids.forEach((id, place) => void places.set(id, place));
  const trimmed: Metadata = new Map();
  for (const [key, entry] of metadata) {
    if (key === COPY) continue;
    if (VOCABULARY_SIZE.test(key)) trimmed.set(key, { ...entry, value: renumbered(entry.value as number, ids.length) });
    else if (key === MERGES) trimmed.set(key, { ...entry, value: keptMerges(metadata, ids) });
    else if (ID_KEY.test(key)) trimmed.set(key, { ...entry, value: renumberedAll(entry, places) });
    else if (isPerToken(key, entry, size)) trimmed.set(key, { ...entry, value: pick(entry.value as string[], ids) });
    else trimmed.set(key, entry);
  }
  return trimmed;
}

/** Whether it is an array with an element for each token: the tokens themselves, their types, their scores. */
function isPerToken(key: string, { value }: MetadataValue, size: number): boolean {
  return key.startsWith("tokenizer.") && Array.isArray(value) && value.length === size;
}

function pick<T>(values: readonly T[], ids: Uint32Array): T[] {
  return Array.from(ids, (id) => values[id]!);
}

/** The ids of an entry as places; what is no id stays. */
function renumberedAll({ value }: MetadataValue, places: ReadonlyMap<number, number>): MetadataValue["value"] {
  const place = (id: MetadataValue["value"]) => renumbered(id as number, places.get(Number(id)) ?? Number(id));
  return Array.isArray(value) ? value.map(place) : place(value);
}

/** A number of the kind that stood there. */
function renumbered<T extends number | bigint>(before: T, now: number): T {
  return (typeof before === "bigint" ? BigInt(now) : now) as T;
}

/** The merges of which both parts and the result stay, in their order. */
function keptMerges(metadata: Metadata, ids: Uint32Array): string[] {
  const tokens = metadata.get(TOKENS)!.value as readonly string[];
  const types = metadata.get("tokenizer.ggml.token_type")?.value as readonly number[] | undefined;
  const normal = ids.filter((id) => !types || types[id] === TOKEN_NORMAL);
  const kept = new Set(pick(tokens, normal));
  return (metadata.get(MERGES)!.value as readonly string[]).filter((merge) => {
    const [left, right] = merge.split(" ") as [string, string];
    return kept.has(left) && kept.has(right) && kept.has(left + right);
  });
}

function trimMatrix(tensor: SourceTensor, ids: Uint32Array, size: number): SourceTensor {
  const { name, rows, columns, type } = tensor;
  if (rows !== size) {
    const message = `tensor "${name}" has ${rows} rows, expected the vocabulary's ${size}`;
    throw new ZagreusError("BAD_DIMENSION", message, { field: name, value: rows, expected: size });
  }
  const rowBytes = typeBytes(type, columns)!;
  return {
    ...tensor,
    rows: ids.length,
    read: (row, count) => readRows(tensor, ids.subarray(row, row + count), rowBytes),
  };
}

/** Rows by their ids, ascending: read in stretches, of which a small part may be of rows that are gone. */
async function readRows(tensor: SourceTensor, ids: Uint32Array, rowBytes: number): Promise<Uint8Array> {
  const out = new Uint8Array(ids.length * rowBytes);
  for (let from = 0; from < ids.length; ) {
    let to = from + 1;
    while (to < ids.length && ids[to]! - ids[to - 1]! <= MAX_GAP && ids[to]! - ids[from]! < MAX_STRETCH) to++;
    const first = ids[from]!;
    const bytes = await tensor.read(first, ids[to - 1]! - first + 1);
    for (; from < to; from++) {
      const at = (ids[from]! - first) * rowBytes;
      out.set(bytes.subarray(at, at + rowBytes), from * rowBytes);
    }
  }
  return out;
}

/** Rows that are read for nothing rather than with two reads. */
const MAX_GAP = 16;
const MAX_STRETCH = 1024;
