// Push parser for the GGUF header (layout/gguf.ts draws it). Bytes are staged where the weights will go later and parsed as
// far as they reach; nothing is allocated on the word of a length field, only for bytes that have arrived.

import {
  GGUF_DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION_MAX,
  GGUF_VERSION_MIN,
  MAX_ALIGNMENT,
  MAX_DIMENSIONS,
  MAX_HEADER_BYTES,
  MAX_KEY_BYTES,
  MAX_METADATA,
  MAX_STRING_BYTES,
  MAX_TENSOR_NAME_BYTES,
  MAX_TENSORS,
  MAX_TOKEN_BYTES,
  VALUE_ARRAY,
  VALUE_F64,
  VALUE_STRING,
} from "../layout/gguf";
import {
  BAD_ALIGNMENT,
  BAD_ARRAY_LENGTH,
  BAD_COUNT,
  BAD_ELEMENT_TYPE,
  BAD_MAGIC,
  BAD_RANK,
  BAD_STRING_LENGTH,
  BAD_VALUE_TYPE,
  DUPLICATE_KEY,
  HEADER_READY,
  HEADER_TOO_LARGE,
  NEED_BYTES,
  OK,
  OUT_OF_MEMORY,
  TRUNCATED,
  UNSUPPORTED_VERSION,
} from "../layout/status";
import { fail, failAt } from "../runtime/failure";
import { hashBytes } from "../runtime/keyed_hash";
import { arenaBase, ensure, metadataIndex } from "../runtime/memory";
import { startsWith } from "../runtime/text";
import { aligned, header } from "./header";
import { integer, metadataRecord, readingStatus, resetReading, scalarBytes } from "./metadata";
import { readTensors } from "./tensors";

const PREAMBLE_BYTES: usize = 24;

const AT_PREAMBLE = 0;
const AT_METADATA = 1;
const AT_ELEMENTS = 2; // inside an array of strings
const AT_TENSORS = 3;
const AT_END = 4;

/** Starts over with an empty header at the beginning of the arena. */
export function resetHeader(): void {
  header.part = AT_PREAMBLE;
  header.cursor = arenaBase();
  header.staged = header.cursor;
  header.metadataTotal = 0;
  header.metadataParsed = 0;
  header.elementsLeft = 0;
  header.tensorTotal = 0;
  header.tensorsParsed = 0;
  header.records = 0;
  header.alignment = GGUF_DEFAULT_ALIGNMENT;
  header.dataOffset = 0;
}

/** Stages `length` bytes at `chunk` and parses what can be parsed. NEED_BYTES | HEADER_READY | error */
export function feedHeader(chunk: usize, length: u32): i32 {
  const end = <u64>header.staged + length;
  if (!ensure(end)) return failAt(OUT_OF_MEMORY, "header", <f64>end, <f64>u32.MAX_VALUE);
  memory.copy(header.staged, chunk, length);
  header.staged += length;
  let status = OK;
  while (header.part != AT_END && status == OK) status = parsePart();
  return status == OK ? finishHeader() : status;
}

/** The next piece that is checked as a whole: OK | NEED_BYTES | error */
function parsePart(): i32 {
  switch (header.part) {
    case AT_PREAMBLE:
      return parsePreamble();
    case AT_METADATA:
      return parseMetadata();
    case AT_ELEMENTS:
      return parseElements();
    default:
      return skipTensorInfo();
  }
}

/** Bytes of the header that have been staged. */
export function stagedBytes(): u64 {
  return header.staged - arenaBase();
}

/** The source ended inside the header: says where. */
export function truncatedHeader(): i32 {
  const bytes = <f64>stagedBytes();
  if (header.part == AT_PREAMBLE) return failAt(TRUNCATED, "GGUF preamble", bytes, <f64>PREAMBLE_BYTES);
  if (header.part == AT_TENSORS || header.part == AT_END) return failAt(TRUNCATED, "tensor infos", bytes, bytes + 1);
  return failAt(TRUNCATED, "metadata", bytes, bytes + 1);
}

/** Whether `bytes` have arrived from the cursor on: OK | NEED_BYTES | HEADER_TOO_LARGE */
function need(bytes: u64): i32 {
  const total = <u64>(header.cursor - arenaBase()) + bytes;
  if (total > <u64>MAX_HEADER_BYTES) return failAt(HEADER_TOO_LARGE, "header", <f64>total, MAX_HEADER_BYTES);
  return <u64>(header.staged - header.cursor) < bytes ? NEED_BYTES : OK;
}

function parsePreamble(): i32 {
  const at = header.cursor;
  const seen = header.staged - at;
  if (seen >= 4 && load<u32>(at) != GGUF_MAGIC) return failAt(BAD_MAGIC, "magic", load<u32>(at), GGUF_MAGIC);
  if (seen >= 8) {
    const version = load<u32>(at, 4);
    if (version < <u32>GGUF_VERSION_MIN || version > <u32>GGUF_VERSION_MAX)
      return failAt(UNSUPPORTED_VERSION, "version", version, GGUF_VERSION_MAX);
  }
  if (seen < PREAMBLE_BYTES) return NEED_BYTES;
  const tensors = load<u64>(at, 8);
  const entries = load<u64>(at, 16);
  if (tensors > <u64>MAX_TENSORS) return failAt(BAD_COUNT, "tensor_count", <f64>tensors, MAX_TENSORS);
  if (entries > <u64>MAX_METADATA) return failAt(BAD_COUNT, "metadata_kv_count", <f64>entries, MAX_METADATA);
  header.tensorTotal = <i32>tensors;
  header.metadataTotal = <i32>entries;
  header.cursor += PREAMBLE_BYTES;
  nextEntry();
  return OK;
}

/** Goes on with the next metadata entry, or what follows the last. */
function nextEntry(): void {
  header.part = AT_METADATA;
  if (header.metadataParsed < header.metadataTotal) return;
  header.part = header.tensorTotal > 0 ? AT_TENSORS : AT_END;
  header.infos = header.cursor;
}

/** `key | type | value`; the strings of an array are left to parseElements(). */
function parseMetadata(): i32 {
  const entry = header.cursor;
  let status = parseKey(entry);
  if (status != OK) return status;
  const value = entry + 8 + <usize>load<u64>(entry) + 4;
  const type = load<u32>(value - 4);
  let end = value + scalarBytes(type);
  header.elementsLeft = 0;
  if (type == VALUE_STRING) {
    status = checkString(entry, value);
    end = value + 8;
    if (status == OK) end += <usize>load<u64>(value);
  } else if (type == VALUE_ARRAY) {
    status = checkArray(entry, value);
    end = value + 12;
    if (status == OK) end += <usize>load<u64>(value, 4) * scalarBytes(load<u32>(value));
  } else if (end == value) {
    status = failEntry(BAD_VALUE_TYPE, entry, type, VALUE_F64);
  }
  if (status == OK) status = need(end - entry);
  if (status != OK) return status;
  header.cursor = end;
  header.metadataParsed++;
  if (header.elementsLeft > 0) header.part = AT_ELEMENTS;
  else nextEntry();
  return OK;
}

/** The key of an entry, and its type: that they are here, and the key is new. */
function parseKey(entry: usize): i32 {
  let status = need(8);
  if (status != OK) return status;
  const length = load<u64>(entry);
  if (length == 0 || length > <u64>MAX_KEY_BYTES)
    return failAt(BAD_STRING_LENGTH, "metadata key", <f64>length, MAX_KEY_BYTES);
  status = need(8 + length + 4);
  if (status != OK) return status;
  return findDuplicate(entry, <u32>length);
}

/**
 * Enters the key into the index: OK | DUPLICATE_KEY. Keys are compared only where their hashes are equal, and MAX_METADATA hashes with
 * each other take 10 ms.
 */
function findDuplicate(entry: usize, length: u32): i32 {
  const hash = <u32>(hashBytes(entry + 8, length) >>> 32);
  for (let i = 0; i < header.metadataParsed; i++) {
    if (load<u32>(metadataIndex() + 8 * i, 4) != hash) continue;
    const other = metadataRecord(i);
    if (load<u32>(other) == length && memory.compare(other + 8, entry + 8, length) == 0)
      return failEntry(DUPLICATE_KEY, entry, header.metadataParsed, i);
  }
  store<u32>(metadataIndex() + 8 * header.metadataParsed, <u32>entry);
  store<u32>(metadataIndex() + 8 * header.metadataParsed, hash, 4);
  return OK;
}

function checkString(entry: usize, value: usize): i32 {
  const status = need(value - entry + 8);
  if (status != OK) return status;
  const length = load<u64>(value);
  return length > <u64>MAX_STRING_BYTES ? failEntry(BAD_STRING_LENGTH, entry, <f64>length, MAX_STRING_BYTES) : OK;
}

/** An array's element type and count; says how many strings are to be walked. */
function checkArray(entry: usize, value: usize): i32 {
  const status = need(value - entry + 12);
  if (status != OK) return status;
  const type = load<u32>(value);
  const count = load<u64>(value, 4);
  const bytes = scalarBytes(type);
  if (bytes == 0 && type != VALUE_STRING) return failEntry(BAD_ELEMENT_TYPE, entry, type, VALUE_STRING);
  const limit = <u64>(MAX_HEADER_BYTES / max<u32>(bytes, 8)); // a string takes 8 bytes at least
  if (count > limit) return failEntry(BAD_ARRAY_LENGTH, entry, <f64>count, <f64>limit);
  if (type == VALUE_STRING) header.elementsLeft = count;
  const vocabulary = startsWith(entry + 8, <usize>load<u64>(entry), "tokenizer.");
  header.elementLimit = vocabulary ? 2 * MAX_TOKEN_BYTES + 1 : MAX_STRING_BYTES;
  return OK;
}

function failEntry(code: i32, entry: usize, value: f64, expected: f64): i32 {
  return fail(code, entry + 8, load<u32>(entry), value, expected);
}

/** Walks the strings of an array; comes back to where it stopped when more bytes arrive. */
function parseElements(): i32 {
  const entry = metadataRecord(header.metadataParsed - 1);
  while (header.elementsLeft > 0) {
    let status = need(8);
    if (status != OK) return status;
    const length = load<u64>(header.cursor);
    if (length > header.elementLimit) return failEntry(BAD_STRING_LENGTH, entry, <f64>length, <f64>header.elementLimit);
    status = need(8 + length);
    if (status != OK) return status;
    header.cursor += 8 + <usize>length;
    header.elementsLeft--;
  }
  nextEntry();
  return OK;
}

/** Checks that one tensor info is here; its fields are read when all have come. */
function skipTensorInfo(): i32 {
  let status = need(8);
  if (status != OK) return status;
  const name = header.cursor + 8;
  const nameLength = load<u64>(header.cursor);
  if (nameLength == 0 || nameLength > <u64>MAX_TENSOR_NAME_BYTES)
    return failAt(BAD_STRING_LENGTH, "tensor name", <f64>nameLength, MAX_TENSOR_NAME_BYTES);
  status = need(8 + nameLength + 4);
  if (status != OK) return status;
  const rank = load<u32>(name + <usize>nameLength);
  if (rank == 0 || rank > <u32>MAX_DIMENSIONS) return fail(BAD_RANK, name, <usize>nameLength, rank, MAX_DIMENSIONS);
  const bytes = 8 + nameLength + 4 + 8 * rank + 4 + 8;
  status = need(bytes);
  if (status != OK) return status;
  header.cursor += <usize>bytes;
  header.tensorsParsed++;
  if (header.tensorsParsed == header.tensorTotal) header.part = AT_END;
  return OK;
}

/** All infos are here: aligns the data section and turns the infos into records. */
function finishHeader(): i32 {
  resetReading();
  const alignment = <u64>integer("general.alignment", 8, MAX_ALIGNMENT, GGUF_DEFAULT_ALIGNMENT);
  if (readingStatus() != OK) return readingStatus();
  if ((alignment & (alignment - 1)) != 0)
    return failAt(BAD_ALIGNMENT, "general.alignment", <f64>alignment, GGUF_DEFAULT_ALIGNMENT);
  header.alignment = alignment;
  header.dataOffset = aligned(header.cursor - arenaBase());
  const status = readTensors();
  return status == OK ? HEADER_READY : status;
}
