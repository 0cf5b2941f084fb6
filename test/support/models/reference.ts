// The Llama forward pass in plain double precision, straight from the file: what the core's answers are compared with.
// Shares no code with the core. RoPE turns neighbouring pairs, as llama.cpp's conversion orders Q and K.

import * as layout from "../../../assembly/layout/blocks";
import { type Entry, encodeTensor, toHalf } from "./gguf_writer";

type Scalar = number | bigint | string | boolean;

export interface ReadTensor {
  dims: number[];
  type: number;
  /** All elements, row after row. */
  values: Float64Array;
}

export interface ReadGguf {
  metadata: Map<string, Scalar | Scalar[]>;
  tensors: Map<string, ReadTensor>;
}

const half = (bits: number): number => {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const magnitude =
    exponent === 0
      ? mantissa * 2 ** -24
      : exponent === 31
        ? mantissa
          ? Number.NaN
          : Number.POSITIVE_INFINITY
        : (1 + mantissa / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
};

/** A tensor as it stands in the file. */
export interface RawTensor {
  name: string;
  dims: number[];
  type: number;
  data: Uint8Array;
}

export interface RawGguf {
  metadata: ReadGguf["metadata"];
  entries: Entry[];
  tensors: RawTensor[];
}

/** Reads a well-formed GGUF file whole and dequantizes its tensors. */
export function readGguf(bytes: Uint8Array): ReadGguf {
  const { metadata, tensors } = readRawGguf(bytes);
  const read = tensors.map(({ name, dims, type, data }) => [name, { dims, type, values: decode(type, data) }] as const);
  return { metadata, tensors: new Map(read) };
}

/** The same without dequantizing, with the metadata also as they stand in the file. */
export function readRawGguf(bytes: Uint8Array): RawGguf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 8;
  const u32 = () => {
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const u64 = () => {
    at += 8;
    return Number(view.getBigUint64(at - 8, true));
  };
  const text = () => {
    const length = u64();
    at += length;
    return new TextDecoder().decode(bytes.subarray(at - length, at));
  };
  const take = (size: number, read: (at: number) => Scalar) => {
    at += size;
    return read(at - size);
  };
  const value = (type: number): Scalar | Scalar[] => {
    switch (type) {
      case 0:
        return take(1, (p) => view.getUint8(p));
      case 1:
        return take(1, (p) => view.getInt8(p));
      case 2:
        return take(2, (p) => view.getUint16(p, true));
      case 3:
        return take(2, (p) => view.getInt16(p, true));
      case 4:
        return u32();
      case 5:
        return take(4, (p) => view.getInt32(p, true));
      case 6:
        return take(4, (p) => view.getFloat32(p, true));
      case 7:
        return take(1, (p) => view.getUint8(p) !== 0);
      case 8:
        return text();
      case 9: {
        const element = u32();
        return Array.from({ length: u64() }, () => value(element) as Scalar);
      }
      case 10:
        return take(8, (p) => view.getBigUint64(p, true));
      case 11:
        return take(8, (p) => view.getBigInt64(p, true));
      case 12:
        return take(8, (p) => view.getFloat64(p, true));
      default:
        throw new Error(`GGUF value type ${type}`);
    }
  };
  const tensorCount = u64();
  const metadata: ReadGguf["metadata"] = new Map();
  const entries: Entry[] = [];
  for (let left = u64(); left > 0; left--) {
    const key = text();
    const type = u32();
    const start = at;
    metadata.set(key, value(type));
    entries.push({ key, value: { type, bytes: bytes.subarray(start, at) } });
  }
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const dims = Array.from({ length: u32() }, u64);
    return { name, dims, type: u32(), offset: u64() };
  });
  const alignment = Number(metadata.get("general.alignment") ?? 32);
  const data = Math.ceil(at / alignment) * alignment;
  const tensors = infos.map(({ name, dims, type, offset }) => {
    const size = byteLength(type, product(dims));
    return { name, dims, type, data: bytes.subarray(data + offset, data + offset + size) };
  });
  return { metadata, entries, tensors };
}

const product = (dims: readonly number[]) => dims.reduce((all, size) => all * size, 1);

/** Blocks of ggml's types: elements, bytes, and the value of element j of the block at `at`, exact in double precision. */
const BLOCKS: Record<number, [number, number, (view: DataView, at: number, j: number) => number]> = {
  0: [1, 4, (v, at) => v.getFloat32(at, true)],
  1: [1, 2, (v, at) => halfAt(v, at)],
  2: [32, 18, (v, at, j) => halfAt(v, at) * (nibble(v, at + 2, j) - 8)],
  3: [32, 20, (v, at, j) => halfAt(v, at) * nibble(v, at + 4, j) + halfAt(v, at + 2)],
  6: [32, 22, (v, at, j) => halfAt(v, at) * (nibble(v, at + 6, j) + 16 * bit(v, at + 2, j) - 16)],
  7: [32, 24, (v, at, j) => halfAt(v, at) * (nibble(v, at + 8, j) + 16 * bit(v, at + 4, j)) + halfAt(v, at + 2)],
  8: [32, 34, (v, at, j) => halfAt(v, at) * v.getInt8(at + 2 + j)],
  12: [256, 144, (v, at, j) => scaled(v, at, j, nibbleOfPair(v, at + 16, j))],
  13: [256, 176, (v, at, j) => scaled(v, at, j, nibbleOfPair(v, at + 48, j) + 16 * bit(v, at + 16 + (j % 32), j >> 5))],
  14: [
    256,
    210,
    (v, at, j) => {
      const [half, quarter, i] = [j >> 7, (j >> 5) & 3, j % 32];
      const low = (v.getUint8(at + 64 * half + (j % 64)) >> (quarter < 2 ? 0 : 4)) & 15;
      const high = (v.getUint8(at + 128 + 32 * half + i) >> (2 * quarter)) & 3;
      return halfAt(v, at + 208) * v.getInt8(at + 192 + (j >> 4)) * (low + 16 * high - 32);
    },
  ],
  30: [1, 2, (v, at) => new Float32Array(Uint32Array.of(v.getUint16(at, true) << 16).buffer)[0]!],
};
/** Types that llama.cpp quantizes to and the core does not write: where the f16 numbers of their blocks are. */
const HALVES = { Q4_1: [0, 2], Q5_0: [0], Q5_1: [0, 2], Q4_K: [0, 2], Q5_K: [0, 2], Q6_K: [208] };
export const DECODED_TYPES = Object.entries(HALVES).map(([name, halves]) => {
  const constants: Record<string, number> = layout;
  const type = constants[`TYPE_${name}`]!;
  const [elements, bytes] = block(type);
  return { name, type, elements, bytes, halves };
});
const halfAt = (v: DataView, at: number) => half(v.getUint16(at, true));
const bit = (v: DataView, at: number, j: number) => (v.getUint8(at + (j >> 3)) >> (j & 7)) & 1;
/** Element j of 32: j and j + 16 share a byte. */
const nibble = (v: DataView, at: number, j: number) => (v.getUint8(at + (j % 16)) >> (j < 16 ? 0 : 4)) & 15;
/** Element j of 256: of 64, j and j + 32 share a byte. */
const nibbleOfPair = (v: DataView, at: number, j: number) =>
  (v.getUint8(at + 32 * (j >> 6) + (j % 32)) >> (j & 32 ? 4 : 0)) & 15;
/** Element j of a Q4_K or Q5_K block, whose integer is q; what the 32 elements share may be rounded. */
function scaled(v: DataView, at: number, j: number, q: number, round = (x: number) => x): number {
  const g = j >> 5;
  const byte = (i: number) => v.getUint8(at + 4 + i);
  const s = g < 4 ? byte(g) & 63 : (byte(g + 4) & 15) | ((byte(g - 4) >> 6) << 4);
  const m = g < 4 ? byte(g + 4) & 63 : (byte(g + 4) >> 4) | ((byte(g) >> 6) << 4);
  return round(halfAt(v, at) * s) * q - round(halfAt(v, at + 2) * m);
}

function block(type: number) {
  const found = BLOCKS[type];
  if (!found) throw new Error(`ggml type ${type}`);
  return found;
}
/** File bytes of a tensor. */
export function byteLength(type: number, elements: number): number {
  const [size, bytes] = block(type);
  return (elements / size) * bytes;
}

/** Dequantizes a tensor. */
export function decode(type: number, data: Uint8Array): Float64Array {
  return elementsOf(block(type), data);
}
/** The same of Q4_K as the core keeps it: the scale and the minimum of 32 elements rounded to f16. */
export function decodePackedQ4K(data: Uint8Array): Float64Array {
  const toF16 = (x: number) => half(toHalf(x));
  const [size, bytes] = block(12);
  return elementsOf([size, bytes, (v, at, j) => scaled(v, at, j, nibbleOfPair(v, at + 16, j), toF16)], data);
}
function elementsOf([size, bytes, element]: (typeof BLOCKS)[number], data: Uint8Array): Float64Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const out = new Float64Array((data.length / bytes) * size);
  for (let i = 0; i < out.length; i++) out[i] = element(view, Math.floor(i / size) * bytes, i % size);
  return out;
}

/** Rounds to int8 with a scale for every 32 columns, as llama.cpp does before it multiplies with Q8_0 and Q4_0. */
function roundActivations(x: Float64Array): Float64Array {
  const out = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += 32) {
    const scale = x.subarray(start, start + 32).reduce((most, v) => Math.max(most, Math.abs(v)), 0) / 127;
    for (let i = start; i < start + 32; i++) out[i] = scale ? Math.round(x[i]! / scale) * scale : 0;
  }
  return out;
}

/** Types whose integers the core takes as they are, with their scales. */
const KEPT = [2, 3, 6, 8];

/** Rounds the matrices of the other types to Q8_0, as the core does while it loads them. */
export function roundMatrices(file: ReadGguf): ReadGguf {
  const tensors: ReadGguf["tensors"] = new Map();
  for (const [name, tensor] of file.tensors) {
    const kept = KEPT.includes(tensor.type) || tensor.dims.length === 1;
    const values = () => decode(8, encodeTensor(8, Float32Array.from(tensor.values)));
    tensors.set(name, kept ? tensor : { ...tensor, values: values() });
  }
  return { metadata: file.metadata, tensors };
}

/** What llama.cpp makes of the keys: a factor for each pair's frequency, and one for the turned numbers (ggml's rope_yarn()). */
function ropeScaling({ metadata }: ReadGguf, headSize: number, theta: number) {
  const stated = Number(metadata.get("llama.rope.scaling.factor") ?? metadata.get("llama.rope.scale_linear") ?? 0);
  const type = metadata.get("llama.rope.scaling.type") ?? "linear";
  const factor = type === "none" || stated === 0 ? 1 : stated;
  const attention = Number(metadata.get("llama.rope.scaling.attn_factor") ?? 1);
  if (type !== "yarn") return { scale: () => 1 / factor, magnitude: attention };
  const original = Number(
    metadata.get("llama.rope.scaling.original_context_length") ?? metadata.get("llama.context_length"),
  );
  const dimension = (turns: number) => (headSize * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(0, Math.floor(dimension(32)));
  const high = Math.min(headSize - 1, Math.ceil(dimension(1)));
  const ramp = (pair: number) => 1 - Math.min(1, Math.max(0, (pair - low) / Math.max(0.001, high - low)));
  return {
    scale: (pair: number) => (1 - ramp(pair)) / factor + ramp(pair),
    magnitude: attention * (factor > 1 ? 1 + 0.1 * Math.log(factor) : 1),
  };
}

/**
 * Logits f64[tokens][vocabulary] of a whole prompt in double precision.
 * @param rounded whether activations are rounded to int8 before they meet matrices of blocks; everything else stays exact
 */
export function referenceLogits(file: ReadGguf, tokens: readonly number[], rounded = false): Float64Array[] {
  const number = (key: string, absent?: number): number => {
    const found = file.metadata.get(key) ?? absent;
    if (found === undefined) throw new Error(`no ${key}`);
    return Number(found);
  };
  const weights = (name: string): ReadTensor => {
    const found = file.tensors.get(`${name}.weight`);
    if (!found) throw new Error(`no ${name}`);
    return found;
  };
  const hidden = number("llama.embedding_length");
  const heads = number("llama.attention.head_count");
  const kvHeads = number("llama.attention.head_count_kv", heads);
  const headSize = number("llama.attention.key_length", hidden / heads);
  const theta = number("llama.rope.freq_base", 10000);
  const epsilon = number("llama.attention.layer_norm_rms_epsilon");
  const { scale, magnitude } = ropeScaling(file, headSize, theta);
  const divisors = file.tensors.get("rope_freqs.weight")?.values;

  const norm = (x: Float64Array, name: string) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + epsilon);
    const weight = weights(name).values;
    return x.map((v, i) => v * scale * weight[i]!);
  };
  // Activations are rounded once for all matrices that read them, and only if none of those was floats.
  const activations = (x: Float64Array, ...readers: string[]) =>
    rounded && readers.every((name) => block(weights(name).type)[0] > 1) ? roundActivations(x) : x;
  const multiply = (name: string, x: Float64Array) => {
    const { dims, values } = weights(name);
    const [columns, rows] = dims as [number, number];
    const out = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let column = 0; column < columns; column++) sum += values[row * columns + column]! * x[column]!;
      out[row] = sum;
    }
    return out;
  };
  const rope = (x: Float64Array, position: number) => {
    for (let i = 0; i < x.length; i += 2) {
      const pair = (i % headSize) / 2;
      const angle = (position * scale(pair) * theta ** ((-2 * pair) / headSize)) / (divisors?.[pair] ?? 1);
      const [a, b] = [magnitude * x[i]!, magnitude * x[i + 1]!];
      x[i] = a * Math.cos(angle) - b * Math.sin(angle);
      x[i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    }
    return x;
  };
  const add = (x: Float64Array, y: Float64Array) => x.map((v, i) => v + y[i]!);

  const embedding = weights("token_embd").values;
  let states = tokens.map((token) => embedding.slice(token * hidden, (token + 1) * hidden));
  for (let layer = 0; layer < number("llama.block_count"); layer++) {
    const block = `blk.${layer}.`;
    const qkv = ["q", "k", "v"].map((part) => `${block}attn_${part}`);
    const normed = states.map((x) => activations(norm(x, `${block}attn_norm`), ...qkv));
    const queries = normed.map((x, position) => rope(multiply(`${block}attn_q`, x), position));
    const keys = normed.map((x, position) => rope(multiply(`${block}attn_k`, x), position));
    const values = normed.map((x) => multiply(`${block}attn_v`, x));
    states = states.map((x, position) => {
      const mixed = new Float64Array(heads * headSize);
      for (let head = 0; head < heads; head++) {
        const kv = Math.floor(head / (heads / kvHeads)) * headSize;
        const scores = [];
        for (let p = 0; p <= position; p++) {
          let score = 0;
          for (let i = 0; i < headSize; i++) score += queries[position]![head * headSize + i]! * keys[p]![kv + i]!;
          scores.push(score / Math.sqrt(headSize));
        }
        const probabilities = softmax(scores);
        probabilities.forEach((probability, p) => {
          for (let i = 0; i < headSize; i++) mixed[head * headSize + i]! += probability * values[p]![kv + i]!;
        });
      }
      const attended = add(x, multiply(`${block}attn_output`, activations(mixed, `${block}attn_output`)));
      const input = activations(norm(attended, `${block}ffn_norm`), `${block}ffn_gate`, `${block}ffn_up`);
      const up = multiply(`${block}ffn_up`, input);
      const gated = multiply(`${block}ffn_gate`, input).map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
      return add(attended, multiply(`${block}ffn_down`, activations(gated, `${block}ffn_down`)));
    });
  }
  const head = file.tensors.has("output.weight") ? "output" : "token_embd";
  return states.map((x) => multiply(head, activations(norm(x, "output_norm"), head)));
}

/** log(sum(exp(x))) */
export function logSumExp(x: ArrayLike<number>): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < x.length; i++) most = Math.max(most, x[i]!);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.exp(x[i]! - most);
  return most + Math.log(sum);
}

export function softmax(x: ArrayLike<number>): number[] {
  const total = logSumExp(x);
  return Array.from(x, (v) => Math.exp(v - total));
}

/** KL(p || q) of the distributions that two rows of logits stand for, in nats. */
export function divergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const [totalP, totalQ] = [logSumExp(p), logSumExp(q)];
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const logP = p[i]! - totalP;
    sum += Math.exp(logP) * (logP - (q[i]! - totalQ));
  }
  return sum;
}

/** Cosine of the angle between two vectors. */
export function cosine(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += x[i]! * y[i]!;
    xx += x[i]! ** 2;
    yy += y[i]! ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}

/** Indices of the largest values, descending, ties by smaller index. */
export function largest(x: ArrayLike<number>, count: number): number[] {
  return Array.from(x, (_, i) => i)
    .sort((a, b) => x[b]! - x[a]! || a - b)
    .slice(0, count);
}
