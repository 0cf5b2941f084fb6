// Where every weight lies. Tensor names of the file are bound to these structs; shapes are checked here and nowhere else.

import { dimension, failTensor, tensorCount, tensorRecord } from "../gguf/tensors";
import { blockElements } from "../gguf/types";
import { groupBytes, Matrix, scaleBytes } from "../kernels/matmul/matrix";
import {
  TENSOR_DESTINATION,
  TENSOR_LAYER,
  TENSOR_NAME,
  TENSOR_NAME_LENGTH,
  TENSOR_ROLE,
  TENSOR_TYPE,
} from "../layout/abi";
import { GROUP, TYPE_F32, TYPE_Q4_0 } from "../layout/blocks";
import {
  BAD_DIMENSION,
  DUPLICATE_TENSOR,
  MISSING_TENSOR,
  OK,
  UNEXPECTED_TENSOR,
  UNSUPPORTED_TENSOR_TYPE,
} from "../layout/status";
import { TILE_ROWS } from "../layout/tile";
import { fail } from "../runtime/failure";
import { align64, failureText } from "../runtime/memory";
import { equals, startsWith } from "../runtime/text";
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

let structs: usize = 0;

// @ts-ignore: decorator
@inline
export function weights(): Weights {
  return changetype<Weights>(structs);
}
// @ts-ignore: decorator
@inline
export function layer(index: i32): Layer {
  return changetype<Layer>(structs + offsetof<Weights>() + <usize>index * offsetof<Layer>());
}

/** Bytes of all the structs. */
export function structBytes(): u64 {
  const fixed = offsetof<Weights>() + <u64>config.layers * offsetof<Layer>();
  return align64(fixed + <u64>tensorCount() * offsetof<Matrix>());
}

function matrix(tensor: i32): Matrix {
  return changetype<Matrix>(layerEnd() + <usize>tensor * offsetof<Matrix>());
}
function layerEnd(): usize {
  return changetype<usize>(layer(config.layers));
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

export function isVector(role: i32): bool {
  return role == OUTPUT_NORM || role == ROPE_FACTORS || role == ATTENTION_NORM || role == FEED_FORWARD_NORM;
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

/** Role of a tensor, or -1; the layer goes into the record. */
function recognise(record: usize): i32 {
  let name = record + TENSOR_NAME;
  let length = <usize>load<u32>(record, TENSOR_NAME_LENGTH);
  if (!startsWith(name, length, "blk.")) {
    for (let role = 0; role < MODEL_ROLES; role++) if (equals(name, length, roleName(role))) return role;
    return -1;
  }
  name += 4;
  length -= 4;
  let index = 0;
  let digits = 0;
  while (<usize>digits < length && digits < 5) {
    const digit = <i32>load<u8>(name + digits) - 48;
    if (digit < 0 || digit > 9) break;
    index = index * 10 + digit;
    digits++;
  }
  const canonical = digits == 1 || (digits > 1 && load<u8>(name) != 48);
  if (!canonical || index >= config.layers || <usize>digits >= length || load<u8>(name + digits) != 46) return -1;
  name += digits + 1;
  length -= digits + 1;
  store<u32>(record, index, TENSOR_LAYER);
  for (let role = MODEL_ROLES; role < ROLES; role++) if (equals(name, length, roleName(role))) return role;
  return -1;
}

function slot(role: i32, index: i32): usize {
  if (role < MODEL_ROLES) return structs + sizeof<usize>() * role;
  return changetype<usize>(layer(index)) + sizeof<usize>() * (role - MODEL_ROLES);
}

/**
 * Binds every tensor record to its role and gives it its place.
 * @param at where the structs go, structBytes() long
 * @param base address of the first weight
 * @returns OK | UNEXPECTED_TENSOR | DUPLICATE_TENSOR | BAD_DIMENSION | MISSING_TENSOR; the end is in weightsEnd()
 */
export function bindTensors(at: usize, base: u64): i32 {
  structs = at;
  end = base;
  memory.fill(structs, 0, <usize>structBytes());
  for (let i = 0; i < tensorCount(); i++) {
    const record = tensorRecord(i);
    const role = recognise(record);
    if (role < 0) return failTensor(UNEXPECTED_TENSOR, record, 0, 0);
    const field = slot(role, load<u32>(record, TENSOR_LAYER));
    if (load<usize>(field)) return failTensor(DUPLICATE_TENSOR, record, 0, 0);
    const columns = columnsOf(role);
    const rows = rowsOf(role);
    if (dimension(record, 0) != columns) return failTensor(BAD_DIMENSION, record, <f64>dimension(record, 0), columns);
    if (dimension(record, 1) != rows) return failTensor(BAD_DIMENSION, record, <f64>dimension(record, 1), rows);
    store<u32>(record, role, TENSOR_ROLE);
    const type = load<u32>(record, TENSOR_TYPE);
    const blocks = blockElements(type) > 1;
    if (isVector(role)) {
      if (blocks) return failTensor(UNSUPPORTED_TENSOR_TYPE, record, type, TYPE_F32);
      store<usize>(field, <usize>end);
      store<usize>(record, <usize>end, TENSOR_DESTINATION);
      end = align64(end + 4 * columns);
    } else {
      const m = matrix(i);
      place(m, rows, columns, type != TYPE_Q4_0);
      m.wide = !blocks;
      store<usize>(field, changetype<usize>(m));
      store<usize>(record, changetype<usize>(m), TENSOR_DESTINATION);
    }
  }
  config.tied = changetype<usize>(weights().head) == 0;
  if (config.tied) weights().head = weights().embedding;
  return checkComplete();
}

let end: u64 = 0;
export function weightsEnd(): u64 {
  return end;
}

function place(m: Matrix, rows: i32, columns: i32, int8: bool): void {
  const groups = <u64>((rows + TILE_ROWS - 1) / TILE_ROWS) * (columns / GROUP);
  m.rows = rows;
  m.columns = columns;
  m.int8 = int8;
  m.quants = <usize>end;
  end = align64(end + groups * groupBytes(m));
  m.scales = <usize>end;
  end = align64(end + groups * scaleBytes(m));
}

function checkComplete(): i32 {
  for (let role = 0; role < MODEL_ROLES; role++) {
    if (role != ROPE_FACTORS && !load<usize>(slot(role, 0))) return failMissing(role, -1);
  }
  for (let i = 0; i < config.layers; i++) {
    for (let role = MODEL_ROLES; role < ROLES; role++) if (!load<usize>(slot(role, i))) return failMissing(role, i);
  }
  return OK;
}

function failMissing(role: i32, index: i32): i32 {
  const name = failureText() + 64;
  let length: usize = 0;
  if (index >= 0) {
    store<u32>(name, 0x2e6b6c62); // "blk."
    length = 4;
    let divisor = 1000;
    while (divisor > 1 && index < divisor) divisor /= 10;
    for (; divisor > 0; divisor /= 10) store<u8>(name + length++, 48 + ((index / divisor) % 10));
    store<u8>(name + length++, 46);
  }
  const suffix = roleName(role);
  for (let i = 0; i < suffix.length; i++) store<u8>(name + length++, suffix.charCodeAt(i));
  return fail(MISSING_TENSOR, name, length, 0, 0);
}
