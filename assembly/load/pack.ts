// Tensor data of the file, in whatever pieces it arrives, into packed tiles (layout/tile.ts) and f32 vectors.
//
// A block is what 32 columns of one row take in the file, 256 of a K-quant (layout/blocks.ts). Each goes to its place alone, so
// that nothing is held back but one unfinished block.

import { blockBytes, blockElements, dequantize, fifthBits, halfOrInfinity, nibbles } from "../gguf/blocks";
import { header } from "../gguf/header";
import { dimension, failTensor, tensorCount, tensorRecord } from "../gguf/tensors";
import { loadHalves, toHalf } from "../kernels/half";
import { nearestInt, TINY } from "../kernels/math";
import { groupBytes, Matrix, scaleBytes } from "../kernels/matmul/matrix";
import { i32x4Sum } from "../kernels/reduce";
import { TENSOR_BYTES, TENSOR_DESTINATION, TENSOR_ROLE, TENSOR_TYPE } from "../layout/abi";
import {
  BYTES_Q4_0,
  BYTES_Q5_0,
  BYTES_Q8_0,
  GROUP,
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q5_0,
  TYPE_Q8_0,
} from "../layout/blocks";
import { LOADED, NEED_BYTES, NON_FINITE_WEIGHT, OK, TRAILING_BYTES } from "../layout/status";
import {
  BAND_BYTES_INT4,
  BAND_BYTES_INT8,
  BAND_ROWS,
  GROUP_BYTES_INT4,
  GROUP_BYTES_INT8,
  SCALE_BYTES_INT4,
  SCALE_BYTES_INT8,
  SUMS,
  TILE_ROWS,
} from "../layout/tile";
import { isVector } from "../model/weights";
import { decodedBlock, unfinishedBlock } from "../runtime/memory";

const LARGEST_HALF: f32 = 65504;

let tensor: i32 = 0; // being read
let record: usize = 0;
let type: u32 = 0;
let unit: u32 = 0; // file bytes of what is packed at once: a block, 32 plain elements, or one element of a vector
let unitGroups: u32 = 0; // groups of 32 in it
let unitsLeft: u64 = 0; // of the tensor
let unitsPerRow: u32 = 0;
let row: u32 = 0;
let column: u32 = 0; // in units
let carried: u32 = 0; // bytes of an unfinished unit
let skip: u64 = 0; // alignment padding before the next tensor
let trailing: u64 = 0;

/** Starts over, `lead` padding bytes before the first tensor. */
export function resetPacking(lead: u64): void {
  tensor = -1;
  trailing = 0;
  nextTensor();
  skip = lead;
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
    skip = ((bytes + header.alignment - 1) / header.alignment) * header.alignment - bytes;
  }
  tensor++;
  row = 0;
  column = 0;
  carried = 0;
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
  }
}

// @ts-ignore: decorator
@inline
function destination(): Matrix {
  return changetype<Matrix>(load<usize>(record, TENSOR_DESTINATION));
}

/** Packs the next `length` bytes at `bytes`. NEED_BYTES | LOADED | NON_FINITE_WEIGHT | TRAILING_BYTES */
export function feedWeights(bytes: usize, length: u32): i32 {
  while (length > 0) {
    if (skip > 0) {
      const skipped = <u32>min<u64>(skip, length);
      skip -= skipped;
      bytes += skipped;
      length -= skipped;
      continue;
    }
    if (tensor == tensorCount()) {
      trailing += length;
      return failTensor(TRAILING_BYTES, record, <f64>trailing, 0);
    }
    if (carried > 0 || length < unit) {
      const taken = min<u32>(unit - carried, length);
      memory.copy(unfinishedBlock() + carried, bytes, taken);
      carried += taken;
      bytes += taken;
      length -= taken;
      if (carried < unit) break;
      carried = 0;
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
  return <f64>(load<u64>(record, TENSOR_BYTES) - unitsLeft * unit + carried);
}

/** Packs `units` units at `source`, all of one row, and moves on. */
function pack(source: usize, units: u32): i32 {
  let finite = true;
  if (isVector(load<u32>(record, TENSOR_ROLE))) finite = packVector(source, units);
  else if (type == TYPE_Q4_0) finite = packQ4(destination(), source, units);
  else if (type == TYPE_Q8_0) finite = packQ8(destination(), source, units);
  else if (type == TYPE_Q5_0) finite = packQ5(destination(), source, units);
  else if (blockElements(type) == 1) finite = packFloats(destination(), source, units);
  else finite = packDecoded(destination(), source, units);
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

// @ts-ignore: decorator
@inline
function groupIndex(): usize {
  return (<usize>(row / TILE_ROWS) * unitsPerRow + column) * unitGroups;
}
/** Where a row's four bytes lie in a group: its band, and its place within the band's vectors. */
// @ts-ignore: decorator
@inline
function rowOffset(bandBytes: usize): usize {
  return <usize>((row % TILE_ROWS) / BAND_ROWS) * bandBytes + 4 * (row % BAND_ROWS);
}
// @ts-ignore: decorator
@inline
function isInfinite(half: u16): bool {
  return (half & 0x7c00) == 0x7c00;
}

// The 32 bytes of a row's group, columns 0..15 in `first` and 16..31 in `second`, in the order of layout/tile.ts.
// @ts-ignore: decorator
@inline
function firstColumns(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 0, 4, 1, 5, 8, 12, 9, 13, 16, 20, 17, 21, 24, 28, 25, 29);
}
// @ts-ignore: decorator
@inline
function secondColumns(first: v128, second: v128): v128 {
  return i8x16.shuffle(first, second, 2, 6, 3, 7, 10, 14, 11, 15, 18, 22, 19, 23, 26, 30, 27, 31);
}

function packQ4(m: Matrix, source: usize, blocks: u32): bool {
  const group = groupIndex();
  let target = m.quants + group * GROUP_BYTES_INT4 + rowOffset(BAND_BYTES_INT4);
  let scale = m.scales + group * SCALE_BYTES_INT4 + 2 * (row % TILE_ROWS);
  let infinite = false;
  for (const end = source + blocks * BYTES_Q4_0; source < end; source += BYTES_Q4_0) {
    const half = load<u16>(source);
    infinite = infinite || isInfinite(half);
    store<u16>(scale, half);
    const bytes = v128.load(source, 2);
    const first = nibbles(bytes, 0);
    const second = nibbles(bytes, 4);
    const both = v128.or(firstColumns(first, second), i16x8.shl(secondColumns(first, second), 4));
    v128.store_lane<u32>(target, both, 0);
    v128.store_lane<u32>(target, both, 1, 16);
    v128.store_lane<u32>(target, both, 2, 32);
    v128.store_lane<u32>(target, both, 3, 48);
    target += GROUP_BYTES_INT4;
    scale += SCALE_BYTES_INT4;
  }
  return !infinite;
}

/** Stores a row's 32 signed bytes and their sum. */
// @ts-ignore: decorator
@inline
function storeBytes(target: usize, scale: usize, first: v128, second: v128): void {
  const a = firstColumns(first, second);
  const b = secondColumns(first, second);
  v128.store_lane<u32>(target, a, 0);
  v128.store_lane<u32>(target, b, 0, 16);
  v128.store_lane<u32>(target, a, 1, 32);
  v128.store_lane<u32>(target, b, 1, 48);
  v128.store_lane<u32>(target, a, 2, 64);
  v128.store_lane<u32>(target, b, 2, 80);
  v128.store_lane<u32>(target, a, 3, 96);
  v128.store_lane<u32>(target, b, 3, 112);
  const pairs = i16x8.add(i16x8.extadd_pairwise_i8x16_s(first), i16x8.extadd_pairwise_i8x16_s(second));
  store<i16>(scale, <i16>i32x4Sum(i32x4.extadd_pairwise_i16x8_s(pairs)), SUMS);
}

function packQ8(m: Matrix, source: usize, blocks: u32): bool {
  const group = groupIndex();
  let target = m.quants + group * GROUP_BYTES_INT8 + rowOffset(BAND_BYTES_INT8);
  let scale = m.scales + group * SCALE_BYTES_INT8 + 2 * (row % TILE_ROWS);
  let infinite = false;
  for (const end = source + blocks * BYTES_Q8_0; source < end; source += BYTES_Q8_0) {
    const half = load<u16>(source);
    infinite = infinite || isInfinite(half);
    store<u16>(scale, half);
    storeBytes(target, scale, v128.load(source, 2), v128.load(source, 18));
    target += GROUP_BYTES_INT8;
    scale += SCALE_BYTES_INT8;
  }
  return !infinite;
}

/** Five bits fit into eight: the same scale, the same integers. */
function packQ5(m: Matrix, source: usize, blocks: u32): bool {
  const group = groupIndex();
  let target = m.quants + group * GROUP_BYTES_INT8 + rowOffset(BAND_BYTES_INT8);
  let scale = m.scales + group * SCALE_BYTES_INT8 + 2 * (row % TILE_ROWS);
  let infinite = false;
  const zero = i8x16.splat(16);
  for (const end = source + blocks * BYTES_Q5_0; source < end; source += BYTES_Q5_0) {
    const half = load<u16>(source);
    infinite = infinite || isInfinite(half);
    store<u16>(scale, half);
    const fifth = load<u32>(source, 2);
    const bytes = v128.load(source, 6);
    const first = i8x16.sub(v128.or(nibbles(bytes, 0), fifthBits(fifth)), zero);
    const second = i8x16.sub(v128.or(nibbles(bytes, 4), fifthBits(fifth >> 16)), zero);
    storeBytes(target, scale, first, second);
    target += GROUP_BYTES_INT8;
    scale += SCALE_BYTES_INT8;
  }
  return !infinite;
}

/** Four elements of a plain type as f32x4. */
// @ts-ignore: decorator
@inline
function loadFour(type: u32, source: usize, index: u32): v128 {
  if (type == TYPE_F32) return v128.load(source + 4 * index);
  if (type == TYPE_F16) return loadHalves(source + 2 * index);
  return i32x4.shl(v128.load16x4_u(source + 2 * index), 16);
}

/** Rounds |x| < 2^22 to the nearest integer, halves away from zero, as C's roundf does and ggml's Q8_0 with it. */
// @ts-ignore: decorator
@inline
function round(x: v128): v128 {
  // The number below a half: it lifts what is below a half to below one, and a half, by rounding, to one.
  const half = v128.or(v128.and(x, v128.load(ROUNDING)), v128.load(ROUNDING, 16));
  return nearestInt(f32x4.trunc(f32x4.add(x, half)));
}
const ROUNDING = memory.data<u32>(
  [0x80000000, 0x80000000, 0x80000000, 0x80000000, 0x3effffff, 0x3effffff, 0x3effffff, 0x3effffff],
  16,
);

/** Sixteen floats times `inverse`, as bytes. */
// @ts-ignore: decorator
@inline
function quantizeSixteen(a: v128, b: v128, c: v128, d: v128, inverse: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(round(f32x4.mul(a, inverse)), round(f32x4.mul(b, inverse))),
    i16x8.narrow_i32x4_s(round(f32x4.mul(c, inverse)), round(f32x4.mul(d, inverse))),
  );
}

// Magnitudes are compared as integers: their order is the same, and what is not finite is above all that is.
// @ts-ignore: decorator
@inline
function larger(a: v128, b: v128): v128 {
  return i32x4.max_s(f32x4.abs(a), f32x4.abs(b));
}

/** 32 floats to int8 as ggml's Q8_0 does it: d = max|x| / 127, q = round(x / d). False when d is not finite in f16. */
// @ts-ignore: decorator
@inline
function packGroup(target: usize, scale: usize, type: u32, source: usize): bool {
  const a = loadFour(type, source, 0);
  const b = loadFour(type, source, 4);
  const c = loadFour(type, source, 8);
  const d = loadFour(type, source, 12);
  const e = loadFour(type, source, 16);
  const f = loadFour(type, source, 20);
  const g = loadFour(type, source, 24);
  const h = loadFour(type, source, 28);
  let most = larger(larger(larger(a, b), larger(c, d)), larger(larger(e, f), larger(g, h)));
  most = larger(most, i8x16.shuffle(most, most, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const amax = reinterpret<f32>(max<i32>(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1)));
  const step = amax / 127;
  if (!(step <= LARGEST_HALF) || (type == TYPE_F16 && amax > LARGEST_HALF)) return false;
  store<u16>(scale, toHalf(step));
  const inverse = f32x4.splat(step > TINY ? 1 / step : 0);
  storeBytes(target, scale, quantizeSixteen(a, b, c, d, inverse), quantizeSixteen(e, f, g, h, inverse));
  return true;
}

function packFloats(m: Matrix, source: usize, units: u32): bool {
  const group = groupIndex();
  let target = m.quants + group * GROUP_BYTES_INT8 + rowOffset(BAND_BYTES_INT8);
  let scale = m.scales + group * SCALE_BYTES_INT8 + 2 * (row % TILE_ROWS);
  for (const end = source + units * unit; source < end; source += unit) {
    if (!packGroup(target, scale, type, source)) return false;
    target += GROUP_BYTES_INT8;
    scale += SCALE_BYTES_INT8;
  }
  return true;
}

/** Blocks of any other type, by way of floats. */
function packDecoded(m: Matrix, source: usize, blocks: u32): bool {
  const group = groupIndex();
  let target = m.quants + group * GROUP_BYTES_INT8 + rowOffset(BAND_BYTES_INT8);
  let scale = m.scales + group * SCALE_BYTES_INT8 + 2 * (row % TILE_ROWS);
  for (const end = source + blocks * unit; source < end; source += unit) {
    dequantize(type, source, decodedBlock());
    for (let g: u32 = 0; g < unitGroups; g++) {
      if (!packGroup(target, scale, TYPE_F32, decodedBlock() + 4 * GROUP * g)) return false;
      target += GROUP_BYTES_INT8;
      scale += SCALE_BYTES_INT8;
    }
  }
  return true;
}
