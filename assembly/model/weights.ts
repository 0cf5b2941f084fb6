// Where every weight lies. Tensor names of the file are bound to these structs; shapes are checked here and nowhere else.

import { blockElements } from "../gguf/blocks";
import { dimension, failTensor, tensorCount, tensorRecord } from "../gguf/tensors";
import { groupBytes, Matrix, scaleBytes } from "../kernels/matmul/matrix";
import {
  TENSOR_DESTINATION,
  TENSOR_LAYER,
  TENSOR_NAME,
  TENSOR_NAME_LENGTH,
  TENSOR_ROLE,
  TENSOR_TYPE,
} from "../layout/abi";
import { SITE_GATE } from "../layout/adapters";
import { GROUP, TYPE_F32, TYPE_Q4_0, TYPE_Q4_1, TYPE_Q4_K } from "../layout/blocks";
import {
  BAD_DIMENSION,
  DUPLICATE_TENSOR,
  MISSING_TENSOR,
  OK,
  UNEXPECTED_TENSOR,
  UNSUPPORTED_TENSOR_TYPE,
} from "../layout/status";
import { TILE_ROWS } from "../layout/tile";
import { carve } from "../runtime/carve";
import { fail } from "../runtime/failure";
import { io, STRUCT_BYTES, weightsAddress } from "../runtime/memory";
import { digitsEnd, equals, isCanonical, parseDigits, startsWith, writeDigits, writeText } from "../runtime/text";
import { config, kvWidth, queryWidth } from "./config";

@unmanaged
export class Layer {
  attentionNorm: usize; // f32[hidden]
  query: Matrix; // [heads * headSize, hidden]
  key: Matrix; // [kvHeads * headSize, hidden]
  value: Matrix; // [kvHeads * headSize, hidden]
  output: Matrix; // [hidden, heads * headSize]
  feedForwardNorm: usize; // f32[hidden]
  gate: Matrix; // [intermediate, hidden]
  up: Matrix; // [intermediate, hidden]
  down: Matrix; // [hidden, intermediate]
}

@unmanaged
export class Weights {
  embedding: Matrix; // [vocabulary, hidden]
  head: Matrix; // [vocabulary, hidden], the embedding when tied
  outputNorm: usize; // f32[hidden]
  ropeFactors: usize; // f32[headSize / 2], divides the frequencies; 0 without
  layers: usize; // Layer[layers], behind them Matrix[tensors]
}

// @ts-ignore: decorator
@lazy
export const weights = changetype<Weights>(weightsAddress());
if (offsetof<Weights>() > STRUCT_BYTES) ERROR("Weights is larger than STRUCT_BYTES");

/** The weights of layer `index`. */
// @ts-ignore: decorator
@inline
export function layer(index: i32): Layer {
  return changetype<Layer>(weights.layers + <usize>index * offsetof<Layer>());
}

// Roles are the fields of Weights, then those of Layer.
const EMBEDDING = 0;
const HEAD = 1;
const OUTPUT_NORM = 2;
const ROPE_FACTORS = 3;
const MODEL_ROLES = 4;
const ATTENTION_NORM = 4;
const QUERY = 5;
const KEY = 6;
const VALUE = 7;
const OUTPUT = 8;
const FEED_FORWARD_NORM = 9;
const GATE = 10;
const UP = 11;
const DOWN = 12;
const ROLES = 13;

const LAYER_PREFIX = "blk.";
const DOT = 0x2e;

/** Bytes of the structs of layers and matrices. */
export function structBytes(): u64 {
  return <u64>config.layers * offsetof<Layer>() + <u64>tensorCount() * offsetof<Matrix>();
}

function matrix(tensor: i32): Matrix {
  return changetype<Matrix>(changetype<usize>(layer(config.layers)) + <usize>tensor * offsetof<Matrix>());
}

/** Name of a role, as llama.cpp writes it; those of a layer follow "blk.N.". */
function roleName(role: i32): string {
  switch (role) {
    case EMBEDDING:
      return "token_embd.weight";
    case HEAD:
      return "output.weight";
    case OUTPUT_NORM:
      return "output_norm.weight";
    case ROPE_FACTORS:
      return "rope_freqs.weight";
    case ATTENTION_NORM:
      return "attn_norm.weight";
    case QUERY:
      return "attn_q.weight";
    case KEY:
      return "attn_k.weight";
    case VALUE:
      return "attn_v.weight";
    case OUTPUT:
      return "attn_output.weight";
    case FEED_FORWARD_NORM:
      return "ffn_norm.weight";
    case GATE:
      return "ffn_gate.weight";
    case UP:
      return "ffn_up.weight";
    default:
      return "ffn_down.weight";
  }
}

/** Whether the weights of a role are a vector; the others are matrices. */
export function isVector(role: i32): bool {
  return role == OUTPUT_NORM || role == ROPE_FACTORS || role == ATTENTION_NORM || role == FEED_FORWARD_NORM;
}

/** The role of a matrix that adapters can change, SITE_*: the norm of the feed-forward block stands between them. */
function roleOfSite(site: i32): i32 {
  return site < SITE_GATE ? QUERY + site : GATE + (site - SITE_GATE);
}
/** The matrix at a site of layer `index`. */
export function siteMatrix(index: i32, site: i32): Matrix {
  return changetype<Matrix>(load<usize>(slot(roleOfSite(site), index)));
}
/** Rows of the matrices at a site. */
export function siteRows(site: i32): i32 {
  return rowsOf(roleOfSite(site));
}
/** Their columns. */
export function siteColumns(site: i32): i32 {
  return columnsOf(roleOfSite(site));
}

function rowsOf(role: i32): i32 {
  if (role == EMBEDDING || role == HEAD) return config.vocabulary;
  if (role == QUERY) return queryWidth();
  if (role == KEY || role == VALUE) return kvWidth();
  if (role == GATE || role == UP) return config.intermediate;
  return isVector(role) ? 1 : config.hidden;
}

function columnsOf(role: i32): i32 {
  if (role == OUTPUT) return queryWidth();
  if (role == DOWN) return config.intermediate;
  return role == ROPE_FACTORS ? config.headSize / 2 : config.hidden;
}

/** The role of a tensor, or -1 where its name has none; the layer goes into the record: below 0 or behind the last for another part's. */
function recognize(record: usize): i32 {
  const name = record + TENSOR_NAME;
  const length = <usize>load<u32>(record, TENSOR_NAME_LENGTH);
  if (!startsWith(name, length, LAYER_PREFIX)) return roleNamed(name, length, 0, MODEL_ROLES);
  const digits = name + LAYER_PREFIX.length;
  const end = name + length;
  const dot = digitsEnd(digits, end);
  if (dot == end || load<u8>(dot) != DOT || !isCanonical(digits, dot)) return -1;
  const index = parseDigits(digits, dot);
  if (index >= config.modelLayers) return -1;
  store<u32>(record, index - config.firstLayer, TENSOR_LAYER);
  return roleNamed(dot + 1, end - dot - 1, MODEL_ROLES, ROLES);
}

/** The role among from..to-1 that has the name, or -1. */
function roleNamed(name: usize, length: usize, from: i32, to: i32): i32 {
  for (let role = from; role < to; role++) if (equals(name, length, roleName(role))) return role;
  return -1;
}

/** Whether this part of the model has the weight. */
function isHere(role: i32, index: i32): bool {
  return role < MODEL_ROLES ? config.edge || role == ROPE_FACTORS : <u32>index < <u32>config.layers;
}

/** Where the pointer to the weight of a role lies. */
function slot(role: i32, index: i32): usize {
  if (role < MODEL_ROLES) return changetype<usize>(weights) + sizeof<usize>() * role;
  return changetype<usize>(layer(index)) + sizeof<usize>() * (role - MODEL_ROLES);
}

/**
 * Binds every tensor record to its role, and carves its weights.
 * @param structs where layers and matrices go, structBytes() long
 * @returns OK | UNEXPECTED_TENSOR | DUPLICATE_TENSOR | BAD_DIMENSION | UNSUPPORTED_TENSOR_TYPE | MISSING_TENSOR
 */
export function bindTensors(structs: usize): i32 {
  memory.fill(changetype<usize>(weights), 0, offsetof<Weights>());
  memory.fill(structs, 0, <usize>structBytes());
  weights.layers = structs;
  for (let i = 0; i < tensorCount(); i++) {
    const status = bindTensor(i);
    if (status != OK) return status;
  }
  config.tied = changetype<usize>(weights.head) == 0;
  if (config.tied) weights.head = weights.embedding;
  const status = checkComplete();
  if (status == OK) for (let i = 0; i < config.layers; i++) shareInputs(layer(i));
  return status;
}

/** Matrices that read the same input read it in the same form. */
function shareInputs(l: Layer): void {
  shareInput(l.query, l.key);
  shareInput(l.query, l.value);
  shareInput(l.query, l.key);
  shareInput(l.gate, l.up);
}
function shareInput(a: Matrix, b: Matrix): void {
  a.wideInput = b.wideInput = a.wideInput || b.wideInput;
  a.sums = b.sums = a.sums || b.sums;
}

function bindTensor(index: i32): i32 {
  const record = tensorRecord(index);
  const role = recognize(record);
  if (role < 0) return failTensor(UNEXPECTED_TENSOR, record, 0, 0);
  store<u32>(record, role, TENSOR_ROLE);
  store<usize>(record, 0, TENSOR_DESTINATION);
  const here = isHere(role, load<i32>(record, TENSOR_LAYER));
  const field = slot(role, load<i32>(record, TENSOR_LAYER));
  if (here && load<usize>(field)) return failTensor(DUPLICATE_TENSOR, record, 0, 0);
  const columns = columnsOf(role);
  const rows = rowsOf(role);
  if (dimension(record, 0) != columns) return failTensor(BAD_DIMENSION, record, <f64>dimension(record, 0), columns);
  if (dimension(record, 1) != rows) return failTensor(BAD_DIMENSION, record, <f64>dimension(record, 1), rows);
  const type = load<u32>(record, TENSOR_TYPE);
  const plain = blockElements(type) == 1;
  if (isVector(role) && !plain) return failTensor(UNSUPPORTED_TENSOR_TYPE, record, type, TYPE_F32);
  if (!here) return OK;
  const weight = isVector(role) ? carve(4 * columns) : carveMatrix(matrix(index), rows, columns, type, plain);
  store<usize>(record, weight, TENSOR_DESTINATION);
  store<usize>(field, weight);
  return OK;
}

/** Fills a matrix's struct, carves its tiles, and returns the struct's address. */
function carveMatrix(m: Matrix, rows: i32, columns: i32, type: u32, wide: bool): usize {
  const hasMinimums = type == TYPE_Q4_1 || type == TYPE_Q4_K;
  const groups = <u64>((rows + TILE_ROWS - 1) / TILE_ROWS) * (columns / GROUP);
  m.rows = rows;
  m.columns = columns;
  m.int8 = type != TYPE_Q4_0 && !hasMinimums;
  m.wide = wide;
  m.wideInput = wide;
  m.quants = carve(groups * groupBytes(m));
  m.scales = carve(groups * scaleBytes(m));
  m.sums = hasMinimums;
  m.minimums = hasMinimums ? carve(groups * scaleBytes(m)) : 0;
  return changetype<usize>(m);
}

function checkComplete(): i32 {
  for (let role = 0; role < MODEL_ROLES; role++) {
    if (role != ROPE_FACTORS && isHere(role, 0) && !load<usize>(slot(role, 0))) return failMissing(role, -1);
  }
  for (let i = 0; i < config.layers; i++) {
    for (let role = MODEL_ROLES; role < ROLES; role++)
      if (!load<usize>(slot(role, i))) return failMissing(role, config.firstLayer + i);
  }
  return OK;
}

/** MISSING_TENSOR with the tensor's name; `index` is its layer, or -1. */
function failMissing(role: i32, index: i32): i32 {
  const name = io();
  let end = name;
  if (index >= 0) {
    end = writeText(end, LAYER_PREFIX);
    end = writeDigits(end, index);
    store<u8>(end++, DOT);
  }
  end = writeText(end, roleName(role));
  return fail(MISSING_TENSOR, name, end - name, 0, 0);
}
