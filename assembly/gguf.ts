// Push parser for the GGUF header (layout/gguf.ts draws it). Bytes are staged where the weights will go later and parsed as
// far as they reach; nothing is allocated on the word of a length field, only for bytes that have arrived.

import { failAt, fail } from "./failure";
import {
  GGUF_DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION_MAX,
  GGUF_VERSION_MIN,
  MAX_ALIGNMENT,
  MAX_DIMENSION,
  MAX_DIMENSIONS,
  MAX_HEADER_BYTES,
  MAX_KEY_BYTES,
  MAX_METADATA,
  MAX_STRING_BYTES,
  MAX_TENSOR_NAME_BYTES,
  MAX_TENSORS,
  MAX_TOKEN_BYTES,
  VALUE_ARRAY,
  VALUE_BOOL,
  VALUE_F32,
  VALUE_F64,
  VALUE_I16,
  VALUE_I32,
  VALUE_I64,
  VALUE_I8,
  VALUE_STRING,
  VALUE_U16,
  VALUE_U32,
  VALUE_U64,
  VALUE_U8,
} from "./layout/gguf";
import {
  TENSOR_BYTES,
  TENSOR_DIMENSIONS,
  TENSOR_NAME,
  TENSOR_NAME_LENGTH,
  TENSOR_OFFSET,
  TENSOR_RANK,
  TENSOR_RECORD_BYTES,
  TENSOR_TYPE,
} from "./layout/abi";
import {
  BAD_ALIGNMENT,
  BAD_ARRAY_LENGTH,
  BAD_COUNT,
  BAD_DIMENSION,
  BAD_ELEMENT_TYPE,
  BAD_MAGIC,
  BAD_OFFSET,
  BAD_RANK,
  BAD_STRING_LENGTH,
  BAD_VALUE,
  BAD_VALUE_TYPE,
  DUPLICATE_KEY,
  HEADER_READY,
  HEADER_TOO_LARGE,
  MISSING_KEY,
  NEED_BYTES,
  OK,
  OUT_OF_MEMORY,
  TRUNCATED,
  UNSUPPORTED_TENSOR_TYPE,
  UNSUPPORTED_VERSION,
} from "./layout/status";
import {
  BYTES_F16,
  BYTES_F32,
  BYTES_Q4_0,
  BYTES_Q4_1,
  BYTES_Q4_K,
  BYTES_Q5_0,
  BYTES_Q5_1,
  BYTES_Q5_K,
  BYTES_Q6_K,
  BYTES_Q8_0,
  GROUP,
  SUPERBLOCK,
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q4_1,
  TYPE_Q4_K,
  TYPE_Q5_0,
  TYPE_Q5_1,
  TYPE_Q5_K,
  TYPE_Q6_K,
  TYPE_Q8_0,
} from "./layout/blocks";
import { align64, arenaBase, ensure, metadataIndex } from "./memory";

const PREAMBLE_BYTES: usize = 24;

const AT_PREAMBLE = 0;
const AT_METADATA = 1;
const AT_ELEMENTS = 2; // inside an array of strings
const AT_TENSORS = 3;
const AT_END = 4;

let at: i32 = AT_PREAMBLE;
let cursor: usize = 0; // next byte to parse
let staged: usize = 0; // end of the bytes that have arrived
let metadataTotal: i32 = 0;
let metadataParsed: i32 = 0;
let elementsLeft: u64 = 0;
let elementLimit: u64 = 0;
let tensorTotal: i32 = 0;
let tensorsParsed: i32 = 0;
let tensorsAt: usize = 0; // first raw tensor info
let records: usize = 0; // TENSOR_RECORD_BYTES[tensorTotal], by offset
let alignment: u64 = GGUF_DEFAULT_ALIGNMENT;
let headerBytes: u64 = 0; // up to the first byte of tensor data, padding included

export function resetHeader(): void {
  at = AT_PREAMBLE;
  cursor = arenaBase();
  staged = cursor;
  metadataTotal = 0;
  metadataParsed = 0;
  elementsLeft = 0;
  tensorTotal = 0;
  tensorsParsed = 0;
  records = 0;
  alignment = GGUF_DEFAULT_ALIGNMENT;
  headerBytes = 0;
}

/** Stages `length` bytes at `chunk` and parses what can be parsed. NEED_BYTES | HEADER_READY | error */
export function feedHeader(chunk: usize, length: u32): i32 {
  if (!ensure(<u64>staged + length)) return failAt(OUT_OF_MEMORY, "header", <f64>(staged + length), <f64>u32.MAX_VALUE);
  memory.copy(staged, chunk, length);
  staged += length;
  if (at == AT_PREAMBLE) {
    const status = parsePreamble();
    if (status != OK) return status;
  }
  while (at == AT_METADATA || at == AT_ELEMENTS) {
    const status = at == AT_METADATA ? parseMetadata() : parseElements();
    if (status != OK) return status;
  }
  while (at == AT_TENSORS) {
    const status = skipTensorInfo();
    if (status != OK) return status;
  }
  return finishHeader();
}

/** Bytes of the header that have been staged. */
export function stagedBytes(): u64 {
  return staged - arenaBase();
}

/** The source ended inside the header: says where. */
export function truncatedHeader(): i32 {
  const bytes = <f64>stagedBytes();
  if (at == AT_PREAMBLE) return failAt(TRUNCATED, "GGUF preamble", bytes, <f64>PREAMBLE_BYTES);
  if (at == AT_TENSORS || at == AT_END) return failAt(TRUNCATED, "tensor infos", bytes, bytes + 1);
  return failAt(TRUNCATED, "metadata", bytes, bytes + 1);
}

function need(bytes: u64): i32 {
  const total = <u64>(cursor - arenaBase()) + bytes;
  if (total > <u64>MAX_HEADER_BYTES) return failAt(HEADER_TOO_LARGE, "header", <f64>total, MAX_HEADER_BYTES);
  return <u64>(staged - cursor) < bytes ? NEED_BYTES : OK;
}

function parsePreamble(): i32 {
  const seen = staged - cursor;
  if (seen >= 4 && load<u32>(cursor) != GGUF_MAGIC) return failAt(BAD_MAGIC, "magic", load<u32>(cursor), GGUF_MAGIC);
  if (seen >= 8) {
    const version = load<u32>(cursor, 4);
    if (version < <u32>GGUF_VERSION_MIN || version > <u32>GGUF_VERSION_MAX)
      return failAt(UNSUPPORTED_VERSION, "version", version, GGUF_VERSION_MAX);
  }
  if (seen < PREAMBLE_BYTES) return NEED_BYTES;
  const tensors = load<u64>(cursor, 8);
  const entries = load<u64>(cursor, 16);
  if (tensors > <u64>MAX_TENSORS) return failAt(BAD_COUNT, "tensor_count", <f64>tensors, MAX_TENSORS);
  if (entries > <u64>MAX_METADATA) return failAt(BAD_COUNT, "metadata_kv_count", <f64>entries, MAX_METADATA);
  tensorTotal = <i32>tensors;
  metadataTotal = <i32>entries;
  cursor += PREAMBLE_BYTES;
  at = AT_METADATA;
  nextEntry();
  return OK;
}

function nextEntry(): void {
  at = AT_METADATA;
  if (metadataParsed < metadataTotal) return;
  at = tensorTotal > 0 ? AT_TENSORS : AT_END;
  tensorsAt = cursor;
}

/** Bytes of a scalar value, 0 for strings, arrays and unknown types. */
function scalarBytes(type: u32): u32 {
  if (type == VALUE_U8 || type == VALUE_I8 || type == VALUE_BOOL) return 1;
  if (type == VALUE_U16 || type == VALUE_I16) return 2;
  if (type == VALUE_U32 || type == VALUE_I32 || type == VALUE_F32) return 4;
  if (type == VALUE_U64 || type == VALUE_I64 || type == VALUE_F64) return 8;
  return 0;
}

function parseMetadata(): i32 {
  let status = need(8);
  if (status != OK) return status;
  const keyLength = load<u64>(cursor);
  if (keyLength == 0 || keyLength > <u64>MAX_KEY_BYTES)
    return failAt(BAD_STRING_LENGTH, "metadata key", <f64>keyLength, MAX_KEY_BYTES);
  const key = cursor + 8;
  status = need(8 + keyLength + 4);
  if (status != OK) return status;
  for (let i = 0; i < metadataParsed; i++) {
    const other = metadataRecord(i);
    if (load<u64>(other) == keyLength && memory.compare(other + 8, key, <usize>keyLength) == 0)
      return fail(DUPLICATE_KEY, key, <usize>keyLength, metadataParsed, i);
  }

  const type = load<u32>(key + <usize>keyLength);
  const value = key + <usize>keyLength + 4;
  const head = <u64>(value - cursor);
  let bytes: u64 = scalarBytes(type);
  if (type == VALUE_STRING) {
    status = need(head + 8);
    if (status != OK) return status;
    const length = load<u64>(value);
    if (length > <u64>MAX_STRING_BYTES)
      return fail(BAD_STRING_LENGTH, key, <usize>keyLength, <f64>length, MAX_STRING_BYTES);
    bytes = 8 + length;
  } else if (type == VALUE_ARRAY) {
    status = need(head + 12);
    if (status != OK) return status;
    const elementType = load<u32>(value);
    const count = load<u64>(value, 4);
    const elementBytes = scalarBytes(elementType);
    if (elementBytes == 0 && elementType != VALUE_STRING)
      return fail(BAD_ELEMENT_TYPE, key, <usize>keyLength, elementType, VALUE_STRING);
    const limit = <u64>(MAX_HEADER_BYTES / max<u32>(elementBytes, 8)); // a string takes 8 bytes at least
    if (count > limit) return fail(BAD_ARRAY_LENGTH, key, <usize>keyLength, <f64>count, <f64>limit);
    bytes = 12 + count * elementBytes;
    elementsLeft = elementType == VALUE_STRING ? count : 0;
    elementLimit = startsWith(key, <usize>keyLength, "tokenizer.") ? 2 * MAX_TOKEN_BYTES + 1 : MAX_STRING_BYTES;
  } else if (bytes == 0) {
    return fail(BAD_VALUE_TYPE, key, <usize>keyLength, type, VALUE_F64);
  }
  status = need(head + bytes);
  if (status != OK) return status;
  store<u32>(metadataIndex() + 4 * metadataParsed, <u32>cursor);
  cursor = value + <usize>bytes;
  metadataParsed++;
  if (elementsLeft > 0) at = AT_ELEMENTS;
  else nextEntry();
  return OK;
}

/** Walks the strings of an array; comes back to where it stopped when more bytes arrive. */
function parseElements(): i32 {
  const entry = metadataRecord(metadataParsed - 1);
  while (elementsLeft > 0) {
    let status = need(8);
    if (status != OK) return status;
    const length = load<u64>(cursor);
    if (length > elementLimit)
      return fail(BAD_STRING_LENGTH, entry + 8, load<u32>(entry), <f64>length, <f64>elementLimit);
    status = need(8 + length);
    if (status != OK) return status;
    cursor += 8 + <usize>length;
    elementsLeft--;
  }
  nextEntry();
  return OK;
}

/** Checks that one tensor info is here; its fields are read when all have come. */
function skipTensorInfo(): i32 {
  let status = need(8);
  if (status != OK) return status;
  const nameLength = load<u64>(cursor);
  if (nameLength == 0 || nameLength > <u64>MAX_TENSOR_NAME_BYTES)
    return failAt(BAD_STRING_LENGTH, "tensor name", <f64>nameLength, MAX_TENSOR_NAME_BYTES);
  status = need(8 + nameLength + 4);
  if (status != OK) return status;
  const rank = load<u32>(cursor + 8 + <usize>nameLength);
  if (rank == 0 || rank > <u32>MAX_DIMENSIONS)
    return fail(BAD_RANK, cursor + 8, <usize>nameLength, rank, MAX_DIMENSIONS);
  const bytes = 8 + nameLength + 4 + 8 * rank + 4 + 8;
  status = need(bytes);
  if (status != OK) return status;
  cursor += <usize>bytes;
  tensorsParsed++;
  if (tensorsParsed == tensorTotal) at = AT_END;
  return OK;
}

/** All infos are here: aligns the data section and turns the infos into records. */
function finishHeader(): i32 {
  resetReading();
  alignment = <u64>integer("general.alignment", 8, MAX_ALIGNMENT, GGUF_DEFAULT_ALIGNMENT);
  if (readStatus != OK) return readStatus;
  if ((alignment & (alignment - 1)) != 0)
    return failAt(BAD_ALIGNMENT, "general.alignment", <f64>alignment, GGUF_DEFAULT_ALIGNMENT);
  headerBytes = (<u64>(cursor - arenaBase()) + alignment - 1) & ~(alignment - 1);

  records = <usize>align64(staged);
  if (!ensure(headerEnd()))
    return failAt(OUT_OF_MEMORY, "tensor records", <f64>tensorTotal * TENSOR_RECORD_BYTES, <f64>u32.MAX_VALUE);
  let info = tensorsAt;
  for (let i = 0; i < tensorTotal; i++) {
    const record = tensorRecord(i);
    info = readTensorInfo(info, record);
    const status = checkTensor(record);
    if (status != OK) return status;
  }
  sortRecords();
  return checkOffsets();
}

function readTensorInfo(info: usize, record: usize): usize {
  const nameLength = load<u32>(info);
  memory.fill(record, 0, TENSOR_RECORD_BYTES);
  memory.copy(record + TENSOR_NAME, info + 8, nameLength);
  store<u32>(record, nameLength, TENSOR_NAME_LENGTH);
  let field = info + 8 + nameLength;
  const rank = load<u32>(field);
  store<u32>(record, rank, TENSOR_RANK);
  field += 4;
  for (let d: u32 = 0; d < <u32>MAX_DIMENSIONS; d++) {
    store<u64>(record + 8 * d, d < rank ? load<u64>(field + 8 * d) : 1, TENSOR_DIMENSIONS);
  }
  field += 8 * rank;
  store<u32>(record, load<u32>(field), TENSOR_TYPE);
  store<u64>(record, load<u64>(field, 4), TENSOR_OFFSET);
  return field + 12;
}

/** Elements in a block of a ggml type, 1 for plain floats; rows are whole blocks. */
export function blockElements(type: u32): u32 {
  if (type == TYPE_F32 || type == TYPE_F16 || type == TYPE_BF16) return 1;
  return type == TYPE_Q4_K || type == TYPE_Q5_K || type == TYPE_Q6_K ? SUPERBLOCK : GROUP;
}

/** File bytes of a block of a ggml type, 0 when the type is not supported. */
export function blockBytes(type: u32): u32 {
  switch (type) {
    case TYPE_F32:
      return BYTES_F32;
    case TYPE_F16:
    case TYPE_BF16:
      return BYTES_F16;
    case TYPE_Q4_0:
      return BYTES_Q4_0;
    case TYPE_Q4_1:
      return BYTES_Q4_1;
    case TYPE_Q5_0:
      return BYTES_Q5_0;
    case TYPE_Q5_1:
      return BYTES_Q5_1;
    case TYPE_Q8_0:
      return BYTES_Q8_0;
    case TYPE_Q4_K:
      return BYTES_Q4_K;
    case TYPE_Q5_K:
      return BYTES_Q5_K;
    case TYPE_Q6_K:
      return BYTES_Q6_K;
    default:
      return 0;
  }
}

function checkTensor(record: usize): i32 {
  for (let d = 0; d < MAX_DIMENSIONS; d++) {
    const size = dimension(record, d);
    if (size == 0 || size > <u64>MAX_DIMENSION) return failTensor(BAD_DIMENSION, record, <f64>size, MAX_DIMENSION);
  }
  // Matrices and vectors only; two dimensions within their limits cannot overflow 64 bits.
  for (let d = 2; d < MAX_DIMENSIONS; d++) {
    if (dimension(record, d) != 1) return failTensor(BAD_DIMENSION, record, <f64>dimension(record, d), 1);
  }
  const type = load<u32>(record, TENSOR_TYPE);
  const bytes = blockBytes(type);
  if (bytes == 0) return failTensor(UNSUPPORTED_TENSOR_TYPE, record, type, TYPE_Q8_0);
  const columns = dimension(record, 0);
  const block = <u64>blockElements(type);
  if (columns % block != 0) {
    return failTensor(BAD_DIMENSION, record, <f64>columns, <f64>((columns + block - 1) & ~(block - 1)));
  }
  store<u64>(record, (columns / block) * dimension(record, 1) * bytes, TENSOR_BYTES);
  return OK;
}

/** Shell sort by offset: files are in order already, hostile ones must not take long. */
function sortRecords(): void {
  const spare = tensorRecord(tensorTotal);
  for (let gap = tensorTotal / 2; gap > 0; gap /= 2) {
    for (let i = gap; i < tensorTotal; i++) {
      const offset = load<u64>(tensorRecord(i), TENSOR_OFFSET);
      if (load<u64>(tensorRecord(i - gap), TENSOR_OFFSET) <= offset) continue;
      memory.copy(spare, tensorRecord(i), TENSOR_RECORD_BYTES);
      let j = i;
      for (; j >= gap && load<u64>(tensorRecord(j - gap), TENSOR_OFFSET) > offset; j -= gap) {
        memory.copy(tensorRecord(j), tensorRecord(j - gap), TENSOR_RECORD_BYTES);
      }
      memory.copy(tensorRecord(j), spare, TENSOR_RECORD_BYTES);
    }
  }
}

/** Each tensor starts where the one before it ends, rounded up to the alignment. */
function checkOffsets(): i32 {
  let expected: u64 = 0;
  for (let i = 0; i < tensorTotal; i++) {
    const record = tensorRecord(i);
    const offset = load<u64>(record, TENSOR_OFFSET);
    if (offset != expected) return failTensor(BAD_OFFSET, record, <f64>offset, <f64>expected);
    expected = (offset + load<u64>(record, TENSOR_BYTES) + alignment - 1) & ~(alignment - 1);
  }
  return HEADER_READY;
}

// What the parsed header says

export function dataOffset(): u64 {
  return headerBytes;
}
export function dataAlignment(): u64 {
  return alignment;
}
/** End of everything that the header occupies in memory: staged bytes, records and a spare one to sort them. */
export function headerEnd(): u64 {
  return <u64>tensorRecord(tensorTotal + 1);
}
export function tensorCount(): i32 {
  return tensorTotal;
}
/** Address of tensor record `index`, in the order of the file's data. */
export function tensorRecord(index: i32): usize {
  return records + <usize>index * TENSOR_RECORD_BYTES;
}
/** Moves the records to where they stay; `target` is not below where they are. */
export function moveRecords(target: usize): void {
  memory.copy(target, records, <usize>tensorTotal * TENSOR_RECORD_BYTES);
  records = target;
}
// @ts-ignore: decorator
@inline
export function dimension(record: usize, d: i32): u64 {
  return load<u64>(record + 8 * d, TENSOR_DIMENSIONS);
}
export function failTensor(code: i32, record: usize, value: f64, expected: f64): i32 {
  return fail(code, record + TENSOR_NAME, load<u32>(record, TENSOR_NAME_LENGTH), value, expected);
}
export function metadataCount(): i32 {
  return metadataTotal;
}
/** Address of the raw record `key | type | value` of metadata entry `index`. */
export function metadataRecord(index: i32): usize {
  return load<u32>(metadataIndex() + 4 * index);
}

// Typed reading. The first failure sticks in `readStatus` until resetReading().

let readStatus: i32 = OK;
export function readingStatus(): i32 {
  return readStatus;
}
export function resetReading(): void {
  readStatus = OK;
}
function failReading(code: i32, key: string, value: f64, expected: f64): void {
  if (readStatus == OK) readStatus = failAt(code, key, value, expected);
}

/** Whether the `length` bytes at `text` are the ASCII literal. */
export function equals(text: usize, length: usize, literal: string): bool {
  return length == <usize>literal.length && startsWith(text, length, literal);
}
export function startsWith(text: usize, length: usize, literal: string): bool {
  if (length < <usize>literal.length) return false;
  for (let i = 0; i < literal.length; i++) {
    if (load<u8>(text + i) != literal.charCodeAt(i)) return false;
  }
  return true;
}

/** Address of the value (after its type) of `key`, or 0. */
export function findValue(key: string): usize {
  for (let i = 0; i < metadataTotal; i++) {
    const record = metadataRecord(i);
    const length = load<u32>(record);
    if (equals(record + 8, length, key)) return record + 8 + length + 4;
  }
  return 0;
}

/** An integer of any width within [least, most]; MISSING_KEY when the key is absent. */
export function requiredInteger(key: string, least: i64, most: i64): i64 {
  if (findValue(key)) return integer(key, least, most, least);
  failReading(MISSING_KEY, key, 0, <f64>least);
  return least;
}

/** An integer of any width within [least, most], or `absent` when the key is. */
export function integer(key: string, least: i64, most: i64, absent: i64): i64 {
  const value = findValue(key);
  if (!value) return absent;
  const type = load<u32>(value - 4);
  let number: i64 = 0;
  if (type == VALUE_U32) number = load<u32>(value);
  else if (type == VALUE_I32) number = load<i32>(value);
  else if (type == VALUE_U64 || type == VALUE_I64) number = load<i64>(value);
  else if (type == VALUE_U16) number = load<u16>(value);
  else if (type == VALUE_I16) number = load<i16>(value);
  else if (type == VALUE_U8) number = load<u8>(value);
  else if (type == VALUE_I8) number = load<i8>(value);
  else {
    failReading(BAD_VALUE_TYPE, key, type, VALUE_U32);
    return least;
  }
  const huge = type == VALUE_U64 && number < 0;
  if (huge || number < least || number > most) {
    failReading(BAD_VALUE, key, huge ? <f64>(<u64>number) : <f64>number, <f64>(number < least && !huge ? least : most));
    return least;
  }
  return number;
}

/** A finite float above `above`; `absent` when the key is missing, or MISSING_KEY if that is NaN. */
export function float(key: string, above: f64, absent: f64): f64 {
  const value = findValue(key);
  if (!value) {
    if (isNaN<f64>(absent)) failReading(MISSING_KEY, key, 0, 0);
    return absent;
  }
  const type = load<u32>(value - 4);
  if (type != VALUE_F32 && type != VALUE_F64) {
    failReading(BAD_VALUE_TYPE, key, type, VALUE_F32);
    return 1;
  }
  const number = type == VALUE_F32 ? <f64>load<f32>(value) : load<f64>(value);
  if (!isFinite<f64>(number) || !(number > above)) {
    failReading(BAD_VALUE, key, number, above);
    return 1;
  }
  return number;
}

export function boolean(key: string, absent: bool): bool {
  const value = findValue(key);
  if (!value) return absent;
  if (load<u32>(value - 4) != VALUE_BOOL) {
    failReading(BAD_VALUE_TYPE, key, load<u32>(value - 4), VALUE_BOOL);
    return absent;
  }
  return load<u8>(value) != 0;
}

/** Address of a string value `length u64 | bytes`, or 0 when missing. */
export function text(key: string): usize {
  const value = findValue(key);
  if (value && load<u32>(value - 4) != VALUE_STRING) {
    failReading(BAD_VALUE_TYPE, key, load<u32>(value - 4), VALUE_STRING);
    return 0;
  }
  return value;
}

/** Whether a string value `length u64 | bytes` is the ASCII literal. */
export function isText(value: usize, literal: string): bool {
  return equals(value + 8, load<u32>(value), literal);
}

/** Address of an array value `element type | count u64 | elements`, or 0 when missing. */
export function array(key: string, elementType: u32, required: bool): usize {
  const value = findValue(key);
  if (!value) {
    if (required) failReading(MISSING_KEY, key, 0, 0);
    return 0;
  }
  if (load<u32>(value - 4) != VALUE_ARRAY) {
    failReading(BAD_VALUE_TYPE, key, load<u32>(value - 4), VALUE_ARRAY);
    return 0;
  }
  if (load<u32>(value) != elementType) {
    failReading(BAD_ELEMENT_TYPE, key, load<u32>(value), elementType);
    return 0;
  }
  return value;
}
