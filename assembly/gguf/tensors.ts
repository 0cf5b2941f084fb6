// The file's tensors: one TENSOR_* record each (layout/abi.ts draws it), in the order of the data.

import {
  TENSOR_BYTES,
  TENSOR_DIMENSIONS,
  TENSOR_NAME,
  TENSOR_NAME_LENGTH,
  TENSOR_OFFSET,
  TENSOR_RANK,
  TENSOR_RECORD_BYTES,
  TENSOR_TYPE,
} from "../layout/abi";
import { TYPE_Q8_0 } from "../layout/blocks";
import { MAX_DIMENSION, MAX_DIMENSIONS } from "../layout/gguf";
import { BAD_DIMENSION, BAD_OFFSET, OK, OUT_OF_MEMORY, UNSUPPORTED_TENSOR_TYPE } from "../layout/status";
import { fail, failAt } from "../runtime/failure";
import { align64, ensure } from "../runtime/memory";
import { blockBytes, blockElements } from "./blocks";
import { aligned, header } from "./header";

/** Makes records of the raw tensor infos, checks and sorts them. OK | OUT_OF_MEMORY | BAD_* | UNSUPPORTED_TENSOR_TYPE */
export function readTensors(): i32 {
  header.records = <usize>align64(header.staged);
  if (!ensure(headerEnd()))
    return failAt(OUT_OF_MEMORY, "tensor records", <f64>header.tensorTotal * TENSOR_RECORD_BYTES, <f64>u32.MAX_VALUE);
  let info = header.infos;
  for (let i = 0; i < header.tensorTotal; i++) {
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

/** Shell sort by offset, O(n^1.5) with Knuth's gaps: files are in order already, hostile ones must not take long. */
function sortRecords(): void {
  const spare = tensorRecord(header.tensorTotal);
  let first = 1;
  while (first < header.tensorTotal / 9) first = 3 * first + 1;
  for (let gap = first; gap > 0; gap /= 3) {
    for (let i = gap; i < header.tensorTotal; i++) {
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
  for (let i = 0; i < header.tensorTotal; i++) {
    const record = tensorRecord(i);
    const offset = load<u64>(record, TENSOR_OFFSET);
    if (offset != expected) return failTensor(BAD_OFFSET, record, <f64>offset, <f64>expected);
    expected = aligned(offset + load<u64>(record, TENSOR_BYTES));
  }
  return OK;
}

/** End of everything that the header occupies in memory: staged bytes, records and a spare one to sort them. */
export function headerEnd(): u64 {
  return <u64>tensorRecord(header.tensorTotal + 1);
}
/** Tensors that the header states. */
export function tensorCount(): i32 {
  return header.tensorTotal;
}
/** Address of tensor record `index`, in the order of the file's data. */
export function tensorRecord(index: i32): usize {
  return header.records + <usize>index * TENSOR_RECORD_BYTES;
}
/** Moves the records to where they stay; `target` is not below where they are. */
export function moveRecords(target: usize): void {
  memory.copy(target, header.records, <usize>header.tensorTotal * TENSOR_RECORD_BYTES);
  header.records = target;
}
/** Size of dimension `d`, 1 behind the last; columns are dimension 0, rows 1. */
// @ts-ignore: decorator
@inline
export function dimension(record: usize, d: i32): u64 {
  return load<u64>(record + 8 * d, TENSOR_DIMENSIONS);
}
/** Records a failure about a tensor, and returns `code`. */
export function failTensor(code: i32, record: usize, value: f64, expected: f64): i32 {
  return fail(code, record + TENSOR_NAME, load<u32>(record, TENSOR_NAME_LENGTH), value, expected);
}
