// Tensor data of the file, in whatever pieces it arrives, into packed tiles (layout/tile.ts) and f32 vectors.
//
// A block is what 32 columns of one row take in the file, 256 of a K-quant (layout/blocks.ts). Each goes to its place alone, so
// that nothing is held back but one unfinished block.

import { blockBytes, blockElements, halfOrInfinity } from "../gguf/blocks";
import { aligned } from "../gguf/header";
import { dimension, failTensor, tensorCount, tensorRecord } from "../gguf/tensors";
import { groupBytes, Matrix, scaleBytes } from "../kernels/matmul/matrix";
import { TENSOR_BYTES, TENSOR_DESTINATION, TENSOR_ROLE, TENSOR_TYPE } from "../layout/abi";
import { GROUP, TYPE_BF16, TYPE_F32, TYPE_Q4_0, TYPE_Q4_1, TYPE_Q4_K, TYPE_Q5_0, TYPE_Q8_0 } from "../layout/blocks";
import { LOADED, NEED_BYTES, NON_FINITE_WEIGHT, OK } from "../layout/status";
import { TILE_ROWS } from "../layout/tile";
import { isVector } from "../model/weights";
import { unfinishedBlock } from "../runtime/memory";
import { packDecoded, packFloats, packQ4, packQ4K, packQ5, packQ8 } from "./tiles";

let tensor: i32 = 0; // being read
let record: usize = 0;
let type: u32 = 0;
let unit: u32 = 0; // file bytes of what is packed at once: a block, 32 plain elements, or one element of a vector
let unitGroups: u32 = 0; // groups of 32 in it
let unitsLeft: u64 = 0; // of the tensor
let unitsPerRow: u32 = 0;
let row: u32 = 0;
let column: u32 = 0; // in units
let pendingBytes: u32 = 0; // of an unfinished unit
let skip: u64 = 0; // before the next tensor: alignment padding, and tensors of other parts of the model

/** Starts over, `lead` padding bytes before the first tensor. */
export function resetPacking(lead: u64): void {
  tensor = -1;
  skip = lead;
  nextTensor();
}

/** Goes back to a tensor: its contents follow once more. Nothing else may be fed in then. */
export function repackFrom(index: i32): void {
  tensor = index - 1;
  nextTensor();
  skip = 0;
}

function nextTensor(): void {
  if (tensor >= 0) {
    const bytes = load<u64>(record, TENSOR_BYTES);
    skip = aligned(bytes) - bytes;
  }
  tensor++;
  while (tensor < tensorCount() && !load<usize>(tensorRecord(tensor), TENSOR_DESTINATION)) {
    skip += aligned(load<u64>(tensorRecord(tensor++), TENSOR_BYTES));
  }
  row = 0;
  column = 0;
  pendingBytes = 0;
  unitsLeft = 0;
  if (tensor == tensorCount()) return;
  record = tensorRecord(tensor);
  type = load<u32>(record, TENSOR_TYPE);
  const block = blockElements(type);
  const vector = isVector(load<u32>(record, TENSOR_ROLE));
  const elements = vector ? 1 : max<u32>(block, GROUP);
  unit = (elements / block) * blockBytes(type);
  unitGroups = elements / GROUP;
  unitsPerRow = <u32>dimension(record, 0) / elements;
  unitsLeft = <u64>unitsPerRow * dimension(record, 1);
  if (vector) return;
  const m = destination();
  if (m.rows % TILE_ROWS != 0) {
    // The rows that fill the last tile weigh nothing.
    const groups = <usize>m.columns / GROUP;
    const before = <usize>(m.rows / TILE_ROWS) * groups;
    memory.fill(m.quants + before * groupBytes(m), 0, groups * groupBytes(m));
    memory.fill(m.scales + before * scaleBytes(m), 0, groups * scaleBytes(m));
    if (m.minimums) memory.fill(m.minimums + before * scaleBytes(m), 0, groups * scaleBytes(m));
  }
}

// @ts-ignore: decorator
@inline
function destination(): Matrix {
  return changetype<Matrix>(load<usize>(record, TENSOR_DESTINATION));
}

/** Packs the next `length` bytes at `bytes`. NEED_BYTES | LOADED | NON_FINITE_WEIGHT */
export function feedWeights(bytes: usize, length: u32): i32 {
  while (length > 0) {
    if (skip > 0) {
      const skipped = <u32>min<u64>(skip, length);
      skip -= skipped;
      bytes += skipped;
      length -= skipped;
      continue;
    }
    if (tensor == tensorCount()) break; // what follows the last tensor means nothing
    if (pendingBytes > 0 || length < unit) {
      const taken = min<u32>(unit - pendingBytes, length);
      memory.copy(unfinishedBlock() + pendingBytes, bytes, taken);
      pendingBytes += taken;
      bytes += taken;
      length -= taken;
      if (pendingBytes < unit) break;
      pendingBytes = 0;
      const status = pack(unfinishedBlock(), 1);
      if (status != OK) return status;
      continue;
    }
    const units = min<u32>(length / unit, unitsPerRow - column);
    const taken = units * unit; // before pack() moves on to a tensor of another type
    const status = pack(bytes, units);
    if (status != OK) return status;
    bytes += taken;
    length -= taken;
  }
  return complete() ? LOADED : NEED_BYTES;
}

/** Whether every tensor has arrived; the padding after the last one may be absent. */
export function complete(): bool {
  return tensor == tensorCount();
}

/** The tensor being read. */
export function currentRecord(): usize {
  return record;
}
/** Its bytes that have arrived. */
export function currentBytes(): f64 {
  return <f64>(load<u64>(record, TENSOR_BYTES) - unitsLeft * unit + pendingBytes);
}

/** Packs `units` units at `source`, all of one row, and moves on. */
function pack(source: usize, units: u32): i32 {
  const finite = isVector(load<u32>(record, TENSOR_ROLE)) ? packVector(source, units) : packMatrix(source, units);
  if (!finite) return failTensor(NON_FINITE_WEIGHT, record, row, 0);
  column += units;
  unitsLeft -= units;
  if (column == unitsPerRow) {
    column = 0;
    row++;
  }
  if (unitsLeft == 0) nextTensor();
  return OK;
}

function packMatrix(source: usize, units: u32): bool {
  const m = destination();
  const group = column * unitGroups;
  if (type == TYPE_Q4_0 || type == TYPE_Q4_1) return packQ4(m, row, group, source, units);
  if (type == TYPE_Q4_K) return packQ4K(m, row, group, source, units);
  if (type == TYPE_Q8_0) return packQ8(m, row, group, source, units);
  if (type == TYPE_Q5_0) return packQ5(m, row, group, source, units);
  if (blockElements(type) == 1) return packFloats(m, row, group, type, source, units);
  return packDecoded(m, row, group, type, source, units);
}

/** Plain elements to f32. */
function packVector(source: usize, count: u32): bool {
  let target = load<usize>(record, TENSOR_DESTINATION) + 4 * column;
  for (let i: u32 = 0; i < count; i++) {
    const value = loadElement(source);
    if (!isFinite<f32>(value)) return false;
    store<f32>(target, value);
    source += unit;
    target += 4;
  }
  return true;
}

function loadElement(source: usize): f32 {
  if (type == TYPE_F32) return load<f32>(source);
  if (type == TYPE_BF16) return reinterpret<f32>((<u32>load<u16>(source)) << 16);
  return halfOrInfinity(source);
}
