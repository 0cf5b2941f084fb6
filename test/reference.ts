// The Llama forward pass in plain double precision, straight from the file: what the core's answers are compared with.
// Shares no code with the core. RoPE turns neighbouring pairs, as llama.cpp's conversion orders Q and K.

import { encodeTensor } from "./gguf_writer";

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

/** Reads a well-formed GGUF file whole and dequantizes its tensors. */
export function readGguf(bytes: Uint8Array): ReadGguf {
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
  for (let left = u64(); left > 0; left--) {
    const key = text();
    metadata.set(key, value(u32()));
  }
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const dims = Array.from({ length: u32() }, u64);
    return { name, dims, type: u32(), offset: u64() };
  });
  const alignment = Number(metadata.get("general.alignment") ?? 32);
  const data = Math.ceil(at / alignment) * alignment;
  const tensors: ReadGguf["tensors"] = new Map();
  for (const { name, dims, type, offset } of infos) {
    const values = new Float64Array(dims.reduce((product, size) => product * size, 1));
    decode(view, data + offset, type, values);
    tensors.set(name, { dims, type, values });
  }
  return { metadata, tensors };
}

function decode(view: DataView, at: number, type: number, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) {
    const group = Math.floor(i / 32);
    const j = i % 32;
    switch (type) {
      case 0:
        out[i] = view.getFloat32(at + 4 * i, true);
        break;
      case 1:
        out[i] = half(view.getUint16(at + 2 * i, true));
        break;
      case 30:
        out[i] = new Float32Array(Uint32Array.of(view.getUint16(at + 2 * i, true) << 16).buffer)[0]!;
        break;
      case 8:
        out[i] = half(view.getUint16(at + 34 * group, true)) * view.getInt8(at + 34 * group + 2 + j);
        break;
      case 2: {
        const byte = view.getUint8(at + 18 * group + 2 + (j % 16));
        out[i] = half(view.getUint16(at + 18 * group, true)) * ((j < 16 ? byte & 15 : byte >> 4) - 8);
        break;
      }
      default:
        throw new Error(`ggml type ${type}`);
    }
  }
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

/** Rounds the matrices that are F32, F16 or BF16 in the file to Q8_0, as the core does while it loads them. */
export function roundMatrices(file: ReadGguf): ReadGguf {
  const tensors: ReadGguf["tensors"] = new Map();
  for (const [name, tensor] of file.tensors) {
    const values = new Float64Array(tensor.values.length);
    const plain = tensor.type !== 2 && tensor.type !== 8 && tensor.dims.length > 1;
    if (plain) decode(new DataView(encodeTensor(8, Float32Array.from(tensor.values)).buffer), 0, 8, values);
    tensors.set(name, plain ? { ...tensor, values } : tensor);
  }
  return { metadata: file.metadata, tensors };
}

/**
 * Logits f64[tokens][vocabulary] of a whole prompt in double precision.
 * @param rounded whether activations are rounded to int8 before they meet Q8_0 and Q4_0 matrices; everything else stays exact
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
  const linear = file.metadata.get("llama.rope.scaling.type") === "linear" ? number("llama.rope.scaling.factor") : 1;
  const divisors = file.tensors.get("rope_freqs.weight")?.values;

  const norm = (x: Float64Array, name: string) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + epsilon);
    const weight = weights(name).values;
    return x.map((v, i) => v * scale * weight[i]!);
  };
  // Activations are rounded once for all matrices that read them, and only if all of those are Q8_0 or Q4_0.
  const activations = (x: Float64Array, ...readers: string[]) =>
    rounded && readers.every((name) => [2, 8].includes(weights(name).type)) ? roundActivations(x) : x;
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
      const angle = ((position / linear) * theta ** ((-2 * pair) / headSize)) / (divisors?.[pair] ?? 1);
      const [a, b] = [x[i]!, x[i + 1]!];
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
