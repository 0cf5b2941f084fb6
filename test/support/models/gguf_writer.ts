// Writes GGUF files for tests: true ones and, by overriding any count, length, type or offset, lying ones.

import {
  GROUP,
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q4_1,
  TYPE_Q5_0,
  TYPE_Q5_1,
  TYPE_Q8_0,
} from "../../../assembly/layout/blocks";
import {
  GGUF_DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION_MAX,
  VALUE_ARRAY,
  VALUE_BOOL,
  VALUE_F32,
  VALUE_F64,
  VALUE_I8,
  VALUE_I16,
  VALUE_I32,
  VALUE_I64,
  VALUE_STRING,
  VALUE_U8,
  VALUE_U16,
  VALUE_U32,
  VALUE_U64,
} from "../../../assembly/layout/gguf";

/** Growing little-endian byte string. */
class Bytes {
  private buffer = new Uint8Array(1024);
  private view = new DataView(this.buffer.buffer);
  length = 0;

  private reserve(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.buffer.length) {
      const grown = new Uint8Array(Math.max(this.length, 2 * this.buffer.length));
      grown.set(this.buffer);
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }
  u32(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, value, true);
  }
  u64(value: bigint | number): void {
    const at = this.reserve(8);
    this.view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.buffer.set(bytes, at);
  }
  zerosTo(length: number): void {
    if (length > this.length) this.reserve(length - this.length);
  }
  string(text: string | Uint8Array, length?: bigint | number): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.u64(length ?? bytes.length);
    this.raw(bytes);
  }
  done(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

/** A metadata value: its GGUF type and the bytes that follow the type. */
export interface Value {
  type: number;
  bytes: Uint8Array;
}

const SCALARS: Record<number, [number, (view: DataView, at: number, value: number | bigint) => void]> = {
  [VALUE_U8]: [1, (v, at, x) => v.setUint8(at, Number(x))],
  [VALUE_I8]: [1, (v, at, x) => v.setInt8(at, Number(x))],
  [VALUE_BOOL]: [1, (v, at, x) => v.setUint8(at, Number(x))],
  [VALUE_U16]: [2, (v, at, x) => v.setUint16(at, Number(x), true)],
  [VALUE_I16]: [2, (v, at, x) => v.setInt16(at, Number(x), true)],
  [VALUE_U32]: [4, (v, at, x) => v.setUint32(at, Number(x), true)],
  [VALUE_I32]: [4, (v, at, x) => v.setInt32(at, Number(x), true)],
  [VALUE_F32]: [4, (v, at, x) => v.setFloat32(at, Number(x), true)],
  [VALUE_U64]: [8, (v, at, x) => v.setBigUint64(at, BigInt(x), true)],
  [VALUE_I64]: [8, (v, at, x) => v.setBigInt64(at, BigInt(x), true)],
  [VALUE_F64]: [8, (v, at, x) => v.setFloat64(at, Number(x), true)],
};

/** A number of any GGUF scalar type. */
export function scalar(type: number, value: number | bigint): Value {
  const [size, write] = SCALARS[type]!;
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer), 0, value);
  return { type, bytes };
}
export const u32 = (value: number): Value => scalar(VALUE_U32, value);
export const f32 = (value: number): Value => scalar(VALUE_F32, value);

/** A string; `length` lies about its length. */
export function string(text: string | Uint8Array, length?: bigint | number): Value {
  const out = new Bytes();
  out.string(text, length);
  return { type: VALUE_STRING, bytes: out.done() };
}

/** An array of strings or numbers; `lies` overrides the count and the element type that are written. */
export function array(
  elementType: number,
  elements: readonly (string | number | bigint)[],
  lies: { count?: bigint | number; elementType?: number } = {},
): Value {
  const out = new Bytes();
  out.u32(lies.elementType ?? elementType);
  out.u64(lies.count ?? elements.length);
  for (const element of elements) {
    if (typeof element === "string") out.string(element);
    else out.raw(scalar(elementType, element).bytes);
  }
  return { type: VALUE_ARRAY, bytes: out.done() };
}

export interface Entry {
  key: string;
  value: Value;
  /** Lies. */
  keyLength?: bigint | number;
  type?: number;
}

export interface Tensor {
  name: string;
  dims: (number | bigint)[];
  type: number;
  data: Uint8Array;
  /** Lies. */
  nameLength?: bigint | number;
  rank?: number;
  offset?: bigint | number;
}

export interface GgufFile {
  metadata: Entry[];
  tensors: Tensor[];
  /** Order of the tensors' data, as indices into `tensors`; without it that of the infos. */
  dataOrder?: number[];
  alignment?: number;
  version?: number;
  /** Bytes after the last tensor's data. */
  trailing?: Uint8Array;
  /** Leaves the padding after the last tensor away. */
  unpadded?: boolean;
  /** Lies. */
  magic?: number;
  tensorCount?: bigint | number;
  metadataCount?: bigint | number;
}

export interface WrittenGguf {
  bytes: Uint8Array;
  /** Where the metadata and tensor infos end, before padding. */
  headerBytes: number;
  /** First byte of tensor data. */
  dataOffset: number;
}

/** Writes the file with whatever lies it holds. */
export function writeGguf(file: GgufFile): WrittenGguf {
  const alignment = file.alignment ?? GGUF_DEFAULT_ALIGNMENT;
  const padded = (length: number) => Math.ceil(length / alignment) * alignment;
  const order = file.dataOrder ?? file.tensors.map((_, i) => i);
  const offsets: number[] = [];
  let end = 0;
  for (const index of order) {
    offsets[index] = end;
    end += padded(file.tensors[index]!.data.length);
  }

  const out = new Bytes();
  out.u32(file.magic ?? GGUF_MAGIC);
  out.u32(file.version ?? GGUF_VERSION_MAX);
  out.u64(file.tensorCount ?? file.tensors.length);
  out.u64(file.metadataCount ?? file.metadata.length);
  for (const { key, value, keyLength, type } of file.metadata) {
    out.string(key, keyLength);
    out.u32(type ?? value.type);
    out.raw(value.bytes);
  }
  file.tensors.forEach((tensor, i) => {
    out.string(tensor.name, tensor.nameLength);
    out.u32(tensor.rank ?? tensor.dims.length);
    for (const size of tensor.dims) out.u64(size);
    out.u32(tensor.type);
    out.u64(tensor.offset ?? offsets[i]!);
  });
  const headerBytes = out.length;
  const dataOffset = padded(headerBytes);
  for (const index of order) {
    out.zerosTo(dataOffset + offsets[index]!);
    out.raw(file.tensors[index]!.data);
  }
  out.zerosTo(file.unpadded ? dataOffset : dataOffset + end);
  if (file.trailing) out.raw(file.trailing);
  return { bytes: out.done(), headerBytes, dataOffset };
}

/** Seeded generator (mulberry32) of uniform numbers in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const word = new DataView(new ArrayBuffer(4));

/** IEEE half of a float, rounded to nearest even. */
export function toHalf(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude < 0x38800000) {
    word.setUint32(0, magnitude);
    const scaled = word.getFloat32(0) * 2 ** 24;
    const floor = Math.floor(scaled);
    const rest = scaled - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** bfloat16 of a float, rounded to nearest even. */
function toBfloat(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Encodes values as a ggml type, to the bit as llama.cpp's plain rounding does. Blocks take multiples of 32. */
export function encodeTensor(type: number, values: Float32Array): Uint8Array {
  switch (type) {
    case TYPE_F32:
      return new Uint8Array(values.slice().buffer);
    case TYPE_F16:
      return new Uint8Array(Uint16Array.from(values, toHalf).buffer);
    case TYPE_BF16:
      return new Uint8Array(Uint16Array.from(values, toBfloat).buffer);
  }
  const encode = ENCODERS[type];
  if (!encode) throw new Error(`cannot encode ggml type ${type}`);
  const out: number[] = [];
  for (let at = 0; at < values.length; at += GROUP) out.push(...encode(values.subarray(at, at + GROUP)));
  return Uint8Array.from(out);
}

const { fround } = Math;
const halfBytes = (value: number) => [toHalf(value) & 255, toHalf(value) >> 8];
const inverse = (d: number) => (d ? fround(1 / d) : 0);
const largest = (group: Float32Array) => group.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
const nibbles = (q: number[]) => Array.from({ length: 16 }, (_, j) => (q[j]! & 15) | ((q[j + 16]! & 15) << 4));
const fifths = (q: number[]) =>
  [0, 8, 16, 24].map((from) => q.slice(from, from + 8).reduce((bits, x, i) => bits | ((x >> 4) << i), 0));

/** q of w = d * (q - levels), q < 2 * levels. */
function symmetric(group: Float32Array, levels: number): { d: number; q: number[] } {
  const d = fround(largest(group) / -levels);
  const id = inverse(d);
  const q = Array.from(group, (x) => Math.min(2 * levels - 1, Math.trunc(fround(fround(x * id) + levels + 0.5))));
  return { d, q };
}

/** q of w = d * q + m, q <= most. */
function affine(group: Float32Array, most: number): { d: number; m: number; q: number[] } {
  const m = Math.min(...group);
  const d = fround(fround(Math.max(...group) - m) / most);
  const id = inverse(d);
  const q = Array.from(group, (x) => Math.min(most, Math.trunc(fround(fround(fround(x - m) * id) + 0.5))));
  return { d, m, q };
}

const ENCODERS: Record<number, (group: Float32Array) => number[]> = {
  [TYPE_Q4_0]: (group) => {
    const { d, q } = symmetric(group, 8);
    return [...halfBytes(d), ...nibbles(q)];
  },
  [TYPE_Q4_1]: (group) => {
    const { d, m, q } = affine(group, 15);
    return [...halfBytes(d), ...halfBytes(m), ...nibbles(q)];
  },
  [TYPE_Q5_0]: (group) => {
    const { d, q } = symmetric(group, 16);
    return [...halfBytes(d), ...fifths(q), ...nibbles(q)];
  },
  [TYPE_Q5_1]: (group) => {
    const { d, m, q } = affine(group, 31);
    return [...halfBytes(d), ...halfBytes(m), ...fifths(q), ...nibbles(q)];
  },
  [TYPE_Q8_0]: (group) => {
    const d = fround(Math.abs(largest(group)) / 127);
    const id = inverse(d);
    const away = (x: number) => Math.sign(x) * Math.round(Math.abs(x)); // halves away from zero
    return [...halfBytes(d), ...Array.from(group, (x) => away(fround(x * id)) & 255)];
  },
};

/** The matrices of a Llama block and the two outside, by the middle of their GGUF names. */
export type MatrixName =
  | "token_embd"
  | "output"
  | "attn_q"
  | "attn_k"
  | "attn_v"
  | "attn_output"
  | "ffn_gate"
  | "ffn_up"
  | "ffn_down";

export interface TinyOptions {
  layers?: number;
  hidden?: number;
  heads?: number;
  kvHeads?: number;
  headSize?: number;
  ffn?: number;
  context?: number;
  theta?: number;
  /** llama.rope.scaling.type = linear with this factor. */
  linearScaling?: number;
  /** Further metadata. */
  more?: Entry[];
  /** rope_freqs.weight: one divisor per pair of a head. */
  ropeFreqs?: number[];
  /** One type for all matrices, or one by name (the rest Q8_0). */
  types?: number | Partial<Record<MatrixName, number>>;
  tied?: boolean;
  /** Normal tokens more than the 256 bytes and the merged ones, so that the vocabulary may have any size. */
  extraTokens?: number;
  seed?: number;
  version?: number;
  alignment?: number;
  /** Shuffles tensor infos, and their data independently. */
  shuffleTensors?: boolean;
  /** "merges-first" writes the merges before the tokens, "reversed" turns all around. */
  metadataOrder?: "usual" | "merges-first" | "reversed";
  unknownKeys?: boolean;
}

const MERGES = ["Ġ t", "h e", "e r", "Ġt he", "Ġ a", "i n", "Ġa n"];

/** GPT-2's alphabet: the printable character that stands for each byte. */
export function byteAlphabet(): string[] {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
}

/** A Llama of a few hundred kilobytes with seeded random weights and a byte-level vocabulary; a valid file. */
export function tinyModel(options: TinyOptions = {}): GgufFile {
  const {
    layers = 2,
    heads = 2,
    kvHeads = 1,
    headSize = 32,
    hidden = heads * headSize,
    ffn = 96,
    context = 128,
    theta = 10000,
    tied = true,
    extraTokens = 0,
    seed = 1,
    version,
    alignment,
  } = options;
  const random = uniform(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

  const tokens = [
    ...byteAlphabet(),
    ...MERGES.map((merge) => merge.replace(" ", "")),
    ...Array.from({ length: extraTokens }, (_, i) => `<extra${i}>`),
    "<|begin_of_text|>",
    "<|end_of_text|>",
  ];
  const bos = tokens.length - 2;
  const types = tokens.map((_, id) => (id < bos ? 1 : 3));

  const metadata: Entry[] = [
    { key: "general.architecture", value: string("llama") },
    { key: "general.name", value: string("tiny") },
    { key: "llama.context_length", value: u32(context) },
    { key: "llama.embedding_length", value: u32(hidden) },
    { key: "llama.block_count", value: u32(layers) },
    { key: "llama.feed_forward_length", value: u32(ffn) },
    { key: "llama.attention.head_count", value: u32(heads) },
    { key: "llama.attention.head_count_kv", value: u32(kvHeads) },
    { key: "llama.rope.dimension_count", value: u32(headSize) },
    { key: "llama.rope.freq_base", value: f32(theta) },
    { key: "llama.attention.layer_norm_rms_epsilon", value: f32(1e-5) },
    { key: "llama.vocab_size", value: u32(tokens.length) },
    { key: "tokenizer.ggml.model", value: string("gpt2") },
    { key: "tokenizer.ggml.pre", value: string("llama-bpe") },
    { key: "tokenizer.ggml.tokens", value: array(VALUE_STRING, tokens) },
    { key: "tokenizer.ggml.token_type", value: array(VALUE_I32, types) },
    { key: "tokenizer.ggml.merges", value: array(VALUE_STRING, MERGES) },
    { key: "tokenizer.ggml.bos_token_id", value: u32(bos) },
    { key: "tokenizer.ggml.eos_token_id", value: u32(bos + 1) },
  ];
  const add = (key: string, value: Value) => metadata.push({ key, value });
  if (headSize * heads !== hidden) {
    add("llama.attention.key_length", u32(headSize));
    add("llama.attention.value_length", u32(headSize));
  }
  if (options.linearScaling) {
    add("llama.rope.scaling.type", string("linear"));
    add("llama.rope.scaling.factor", f32(options.linearScaling));
  }
  metadata.push(...(options.more ?? []));
  if (alignment) add("general.alignment", u32(alignment));
  if (options.unknownKeys) {
    for (const type of Object.keys(SCALARS).map(Number)) add(`x.scalar.${type}`, scalar(type, type === 7 ? 1 : 42));
    add("x.text", string("né chiave né valore noti"));
    add("x.texts", array(VALUE_STRING, ["a", "", "ccc"]));
    add("x.numbers", array(VALUE_F32, [1, 2, 3]));
    add("x.empty", array(VALUE_U8, []));
  }
  if (options.metadataOrder === "merges-first") {
    metadata.unshift(...metadata.splice(16, 1));
  } else if (options.metadataOrder === "reversed") metadata.reverse();

  const tensors: Tensor[] = [];
  const vector = (name: string, values: Float32Array) =>
    tensors.push({ name, dims: [values.length], type: TYPE_F32, data: encodeTensor(TYPE_F32, values) });
  const norm = (name: string) =>
    vector(
      name,
      Float32Array.from({ length: hidden }, () => 1 + 0.2 * normal()),
    );
  const matrix = (name: MatrixName, columns: number, rows: number, deviation: number, layer?: number) => {
    const type = typeof options.types === "number" ? options.types : (options.types?.[name] ?? TYPE_Q8_0);
    const values = Float32Array.from({ length: columns * rows }, () => deviation * normal());
    const prefix = layer === undefined ? "" : `blk.${layer}.`;
    tensors.push({ name: `${prefix}${name}.weight`, dims: [columns, rows], type, data: encodeTensor(type, values) });
  };
  norm("output_norm.weight");
  matrix("token_embd", hidden, tokens.length, tied ? 0.3 : 1);
  if (!tied) matrix("output", hidden, tokens.length, 0.3);
  if (options.ropeFreqs) vector("rope_freqs.weight", Float32Array.from(options.ropeFreqs));
  for (let layer = 0; layer < layers; layer++) {
    norm(`blk.${layer}.attn_norm.weight`);
    matrix("attn_q", hidden, heads * headSize, 1.5 / Math.sqrt(hidden), layer);
    matrix("attn_k", hidden, kvHeads * headSize, 1.5 / Math.sqrt(hidden), layer);
    matrix("attn_v", hidden, kvHeads * headSize, 1 / Math.sqrt(hidden), layer);
    matrix("attn_output", heads * headSize, hidden, 1 / Math.sqrt(heads * headSize), layer);
    norm(`blk.${layer}.ffn_norm.weight`);
    matrix("ffn_gate", hidden, ffn, 1 / Math.sqrt(hidden), layer);
    matrix("ffn_up", hidden, ffn, 1 / Math.sqrt(hidden), layer);
    matrix("ffn_down", ffn, hidden, 1 / Math.sqrt(ffn), layer);
  }

  const shuffled = <T>(items: T[]): T[] => {
    for (let i = items.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    return items;
  };
  if (options.shuffleTensors) shuffled(tensors);
  return {
    metadata,
    tensors,
    ...(options.shuffleTensors && { dataOrder: shuffled(tensors.map((_, i) => i)) }),
    ...(version && { version }),
    ...(alignment && { alignment }),
  };
}
