// A parameter of a nanotron checkpoint, joined from the files of its ranks, each with one tensor, "data":
//
//     model/model/decoder/0/pp_block/attn/qkv_proj/model_weight_pp-rank-0-of-1_tp-rank-1-of-2.safetensors
//                 '----- parameter, as a path ---'       '--' '- which of its parts ------'
//
// Each file's metadata tells which of its slices are which slices of the parameter (nanotron: src/nanotron/serialize), such as
//
//     local_global_slices_pairs   "0,96,None|None,None,None#96,192,None|None,None,None;..."       start,stop,step of rows | of columns
//     unsharded_shape             "(320, 192)"
//
// A merged matrix has a pair for every chunk, as ranks split each chunk on its own. A parameter belongs to one pipeline stage, so
// that rank says nothing. Norms have no ranks and no metadata.

import { ZagreusError } from "../../host/core/api/errors.js";
import { badValue } from "../../host/core/api/json.js";
import {
  readSafetensors,
  readSafetensorsMetadata,
  type StoredTensor,
  weightType,
} from "../../host/core/gguf/safetensors.js";
import type { Directory } from "../checkpoint/checkpoint.js";
import type { ReadRows } from "./llama.js";

export const WEIGHTS = "model/model/";
const DATA = "data";
const SLICES = "local_global_slices_pairs";
/** Of a file; merged matrices have three. */
const MAX_SLICES = 64;
/** Of a parameter, all of which are compared with each other. */
const MAX_PIECES = 4096;
/** Files tell their slices since 1.2; 1.5 is the newest that nanotron knows. */
const VERSIONS = ["1.2", "1.3", "1.4", "1.5"];

/** A file: one rank's part, or all of the parameter. */
export interface Shard {
  path: string;
  rank: number;
  ranks: number;
}

export interface Parameter {
  /** TYPE_* of assembly/layout/blocks.ts. */
  type: number;
  rowBytes: number;
  read: ReadRows;
}

/** A rectangle of a file that is one of the parameter. */
interface ShardBlock {
  path: string;
  /** Of the file's first element. */
  offset: number;
  /** Columns of the file. */
  width: number;
  /** In the file. */
  row: number;
  column: number;
  /** In the parameter. */
  target: Rectangle;
}

interface Rectangle {
  row: number;
  column: number;
  rows: number;
  columns: number;
}

/** @throws ZagreusError UNSUPPORTED_VERSION */
export function checkVersion(file: string, value: unknown): void {
  if (typeof value === "string" && VERSIONS.includes(value)) return;
  const expected = VERSIONS.join(", ");
  const message = `${file}: "version" is ${JSON.stringify(value) ?? "absent"}, must be one of ${expected}`;
  throw new ZagreusError("UNSUPPORTED_VERSION", message, { field: "version", value, expected });
}

export function unexpectedPart(path: string): ZagreusError {
  return new ZagreusError("UNEXPECTED_TENSOR", `"${path}" has no place in this architecture`, { field: path });
}

/** Files by parameter, such as "decoder.0.pp_block.attn.o_proj.weight". @throws ZagreusError UNEXPECTED_TENSOR */
export function partsByParameter(paths: readonly string[]): Map<string, Shard[]> {
  const parameters = new Map<string, Shard[]>();
  for (const path of paths) {
    if (!path.startsWith(WEIGHTS)) continue;
    const name = /^(.+\/)model_([a-z]+)(?:_pp-rank-\d+-of-\d+_tp-rank-(\d+)-of-(\d+))?\.safetensors$/.exec(
      path.slice(WEIGHTS.length),
    );
    if (!name) throw unexpectedPart(path);
    const [, module, kind, rank = "0", ranks = "1"] = name;
    const parameter = module!.replaceAll("/", ".") + kind;
    const parts = parameters.get(parameter) ?? [];
    parts.push({ path, rank: Number(rank), ranks: Number(ranks) });
    parameters.set(parameter, parts);
  }
  return parameters;
}

/**
 * Joins a parameter of `shape` (rows and columns, or a vector's length). Its files are open only while they are read: a checkpoint
 * may have thousands.
 * @throws ZagreusError MISSING_TENSOR, UNEXPECTED_TENSOR, UNSUPPORTED_VERSION, BAD_VALUE, BAD_DIMENSION, UNSUPPORTED_TENSOR_TYPE, and
 * those of readSafetensors()
 */
export async function openParameter(
  directory: Directory,
  name: string,
  parts: readonly Shard[],
  shape: readonly number[],
): Promise<Parameter> {
  checkRanks(name, parts);
  const pieces: ShardBlock[] = [];
  let first: StoredTensor | undefined;
  for (const { path, ranks } of parts) {
    const { tensor, metadata } = await readPart(directory, path);
    first ??= tensor;
    if (tensor.dtype !== first.dtype)
      throw badValue(path, `${DATA}.dtype`, tensor.dtype, `${first.dtype} as in the other ranks`);
    if (ranks > 1 || metadata.has(SLICES)) pieces.push(...slices(path, tensor, metadata, shape));
    else pieces.push(whole(path, tensor, shape));
  }
  checkCover(name, pieces, shape);

  const { byteLength, shape: stored } = first!;
  const elementBytes = byteLength / stored.reduce((product, size) => product * size, 1);
  const rowBytes = shape.at(-1)! * elementBytes;
  const read: ReadRows = async (row, count) => {
    const rows = new Uint8Array(count * rowBytes);
    for (const piece of pieces) await copyRows(directory, piece, elementBytes, row, rows, rowBytes);
    return rows;
  };
  return { type: weightType(first!), rowBytes, read };
}

/** Every rank has one file. */
function checkRanks(parameter: string, parts: readonly Shard[]): void {
  const ranks = parts[0]?.ranks ?? 1;
  const seen = new Set<number>();
  for (const part of parts) {
    if (part.ranks !== ranks || part.rank >= ranks || seen.has(part.rank)) throw unexpectedPart(part.path);
    seen.add(part.rank);
  }
  for (let rank = 0; rank < ranks; rank++) {
    if (seen.has(rank)) continue;
    const message = `parameter "${parameter}" is missing${ranks === 1 ? "" : ` at tp-rank ${rank} of ${ranks}`}`;
    throw new ZagreusError("MISSING_TENSOR", message, { field: parameter, value: rank, expected: ranks });
  }
}

async function readPart(directory: Directory, path: string) {
  const file = await directory.open(path);
  try {
    const tensor = (await readSafetensors(file)).get(DATA);
    if (!tensor) throw new ZagreusError("MISSING_TENSOR", `${path}: tensor "${DATA}" is missing`, { field: DATA });
    weightType(tensor);
    return { tensor, metadata: await readSafetensorsMetadata(file) };
  } finally {
    await file.close();
  }
}

function whole(path: string, { shape, offset }: StoredTensor, expected: readonly number[]): ShardBlock {
  if (shape.join() !== expected.join()) throw badShape(path, `${DATA}.shape`, shape, expected);
  const [rows, columns] = matrix(shape);
  return { path, offset, width: columns, row: 0, column: 0, target: { row: 0, column: 0, rows, columns } };
}

function slices(
  path: string,
  { shape, offset }: StoredTensor,
  metadata: ReadonlyMap<string, string>,
  expected: readonly number[],
): ShardBlock[] {
  checkVersion(path, metadata.get("version"));
  const unsharded = metadata.get("unsharded_shape");
  // NumPy 2 prints its integers as np.int64(320).
  const sizes = unsharded?.match(/\d+(?!\d|\()/g)?.map(Number) ?? [];
  if (sizes.join() !== expected.join()) throw badShape(path, "unsharded_shape", unsharded, expected);
  if (shape.length !== expected.length) throw badShape(path, `${DATA}.shape`, shape, expected);

  const pairs = metadata.get(SLICES);
  const bad = () =>
    badValue(path, SLICES, pairs, `slices of ${shape.join(" x ")} and as many of ${expected.join(" x ")}`);
  const list = (pairs ?? "").split(";");
  if (list.length > MAX_SLICES) throw bad();
  return list.map((pair) => {
    const [local, target] = pair.split("#");
    const from = rectangle(local, shape);
    const to = rectangle(target, expected);
    if (!from || !to || from.rows !== to.rows || from.columns !== to.columns) throw bad();
    return { path, offset, width: matrix(shape)[1], row: from.row, column: from.column, target: to };
  });
}

/** Python slices of every dimension, "0,96,None|None,None,None", inside `shape`. */
function rectangle(text: string | undefined, shape: readonly number[]): Rectangle | undefined {
  const dimensions = text?.split("|") ?? [];
  if (dimensions.length !== shape.length) return undefined;
  const ranges: [start: number, size: number][] = [];
  for (const [i, dimension] of dimensions.entries()) {
    const slice = /^(\d+|None),(\d+|None),(?:1|None)$/.exec(dimension);
    if (!slice) return undefined;
    const start = slice[1] === "None" ? 0 : Number(slice[1]);
    const stop = slice[2] === "None" ? shape[i]! : Number(slice[2]);
    if (start >= stop || stop > shape[i]!) return undefined;
    ranges.push([start, stop - start]);
  }
  const [row, rows] = ranges.length === 1 ? [0, 1] : ranges[0]!;
  const [column, columns] = ranges.at(-1)!;
  return { row, column, rows, columns };
}

/** The pieces are the parameter: none of it twice, and all of it. */
function checkCover(parameter: string, pieces: readonly ShardBlock[], shape: readonly number[]): void {
  if (pieces.length > MAX_PIECES)
    throw badValue(parameter, SLICES, pieces.length, `at most ${MAX_PIECES} slices in all files`);
  const [rows, columns] = matrix(shape);
  let area = 0;
  for (const [i, { path, target }] of pieces.entries()) {
    area += target.rows * target.columns;
    const twice = pieces.slice(0, i).find((other) => overlap(other.target, target));
    if (!twice) continue;
    const message = `${path} and ${twice.path} have the same elements of parameter "${parameter}"`;
    throw new ZagreusError("BAD_VALUE", message, { field: SLICES, value: path });
  }
  if (area === rows * columns) return;
  const message = `the files of parameter "${parameter}" have ${area} of its ${rows * columns} elements`;
  throw new ZagreusError("BAD_VALUE", message, {
    field: SLICES,
    value: area,
    expected: rows * columns,
  });
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  const meet = (a: number, aSize: number, b: number, bSize: number) => a < b + bSize && b < a + aSize;
  return meet(a.row, a.rows, b.row, b.rows) && meet(a.column, a.columns, b.column, b.columns);
}

/** Copies what `piece` has of the parameter's rows from `row` on, whose bytes are `rows`. */
async function copyRows(
  directory: Directory,
  { path, offset, width, row: firstRow, column, target }: ShardBlock,
  elementBytes: number,
  row: number,
  rows: Uint8Array,
  rowBytes: number,
): Promise<void> {
  const from = Math.max(row, target.row);
  const count = Math.min(row + rows.length / rowBytes, target.row + target.rows) - from;
  if (count <= 0) return;
  const stride = width * elementBytes;
  const file = await directory.open(path);
  try {
    const bytes = await file.read(offset + (firstRow + from - target.row) * stride, count * stride);
    for (let i = 0; i < count; i++) {
      const at = i * stride + column * elementBytes;
      const part = bytes.subarray(at, at + target.columns * elementBytes);
      rows.set(part, (from - row + i) * rowBytes + target.column * elementBytes);
    }
  } finally {
    await file.close();
  }
}

/** Rows and columns; a vector is one row. */
function matrix(shape: readonly number[]): [rows: number, columns: number] {
  return shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!];
}

function badShape(path: string, field: string, value: unknown, expected: readonly number[]): ZagreusError {
  const shown = Array.isArray(value) ? value.join(" x ") : String(value ?? "absent");
  const message = `${path}: "${field}" is ${shown}, must be ${expected.join(" x ")}`;
  return new ZagreusError("BAD_DIMENSION", message, { field, value, expected });
}
