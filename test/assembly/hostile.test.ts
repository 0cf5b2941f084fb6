// Malformed files, one for each way to lie: each gives a typed error that names the field and its value, quickly, before
// anything large is allocated, and leaves the instance as good as new.

import { describe, expect, it } from "vitest";
import { KV_F32, LOGIT_ROWS, SAMPLER_BIAS_COUNT } from "../../assembly/layout/abi";
import {
  SUPERBLOCK,
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q5_1,
  TYPE_Q8_0,
} from "../../assembly/layout/blocks";
import {
  MAX_ALIGNMENT,
  MAX_CONTEXT,
  MAX_DIMENSION,
  MAX_DIMENSIONS,
  MAX_HEAD_SIZE,
  MAX_HEADS,
  MAX_KEY_BYTES,
  MAX_LAYERS,
  MAX_METADATA,
  MAX_SPECIAL_BYTES,
  MAX_SPECIALS,
  MAX_STRING_BYTES,
  MAX_TENSOR_NAME_BYTES,
  MAX_TENSORS,
  VALUE_ARRAY,
  VALUE_BOOL,
  VALUE_F32,
  VALUE_I32,
  VALUE_I64,
  VALUE_STRING,
  VALUE_U8,
  VALUE_U32,
  VALUE_U64,
} from "../../assembly/layout/gguf";
import {
  BAD_ALIGNMENT,
  BAD_ARRAY_LENGTH,
  BAD_COUNT,
  BAD_DIMENSION,
  BAD_ELEMENT_TYPE,
  BAD_MAGIC,
  BAD_OFFSET,
  BAD_OPTION,
  BAD_RANK,
  BAD_STRING_LENGTH,
  BAD_VALUE,
  BAD_VALUE_TYPE,
  BAD_VOCABULARY,
  DUPLICATE_KEY,
  DUPLICATE_TENSOR,
  FIRST_ERROR,
  MISSING_KEY,
  MISSING_TENSOR,
  NON_FINITE_WEIGHT,
  OK,
  TRUNCATED,
  UNEXPECTED_TENSOR,
  UNSUPPORTED_ARCHITECTURE,
  UNSUPPORTED_ROPE_SCALING,
  UNSUPPORTED_TENSOR_TYPE,
  UNSUPPORTED_TOKENIZER,
  UNSUPPORTED_VERSION,
} from "../../assembly/layout/status";
import { Core, type LoadOptions, statusName } from "../support/core";
import { COMMUNITY } from "../support/models/community";
import {
  array,
  byteAlphabet,
  type Entry,
  f32,
  type GgufFile,
  scalar,
  string,
  type Tensor,
  tinyModel,
  u32,
  type Value,
  writeGguf,
} from "../support/models/gguf_writer";
import { BASELINE } from "../support/variants";

interface Hostile {
  name: string;
  /** Changes the good tiny model. */
  change: (file: GgufFile) => void;
  /** One of these; any error when empty (what a lie is taken for depends on the bytes it swallows). */
  codes: number[];
  field?: string | RegExp;
  value?: number;
  expected?: number;
  options?: LoadOptions;
}

const BASE = { layers: 1, types: TYPE_Q8_0 };
const VOCABULARY = 265;
const HUGE = [2n ** 64n - 1n, 2n ** 63n, 2n ** 32n, 2n ** 32n + 8n];
const TOKENS = "tokenizer.ggml.tokens";
const TYPES = "tokenizer.ggml.token_type";
const MERGES = "tokenizer.ggml.merges";
const EMBEDDING = "token_embd.weight";
const QUERY = "blk.0.attn_q.weight";

const entry = (file: GgufFile, key: string): Entry => {
  const found = file.metadata.find((candidate) => candidate.key === key);
  if (!found) throw new Error(`the tiny model has no ${key}`);
  return found;
};
const tensor = (file: GgufFile, name: string): Tensor => {
  const found = file.tensors.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`the tiny model has no ${name}`);
  return found;
};
const set = (key: string, value: Value) => (file: GgufFile) => {
  const found = file.metadata.find((candidate) => candidate.key === key);
  if (found) found.value = value;
  else file.metadata.push({ key, value });
};
const remove = (key: string) => (file: GgufFile) => {
  file.metadata.splice(file.metadata.indexOf(entry(file, key)), 1);
};
const change = (name: string, lies: Partial<Tensor>) => (file: GgufFile) => {
  Object.assign(tensor(file, name), lies);
};
const tokens = () => [
  ...byteAlphabet(),
  ...["Ġt", "he", "er", "Ġthe", "Ġa", "in", "Ġan"],
  "<|begin_of_text|>",
  "<|end_of_text|>",
];
const withToken = (id: number, text: string) => set(TOKENS, array(VALUE_STRING, tokens().with(id, text)));
const withMerges = (...merges: string[]) => set(MERGES, array(VALUE_STRING, merges));
const poke =
  (name: string, at: number, ...bytes: number[]) =>
  (file: GgufFile) => {
    tensor(file, name).data.set(bytes, at);
  };

const CASES: Hostile[] = [
  // The preamble
  { name: "magic of another format", change: (f) => (f.magic = 0x67676d6c), codes: [BAD_MAGIC], field: "magic" },
  { name: "big-endian magic", change: (f) => (f.magic = 0x47475546), codes: [BAD_MAGIC], value: 0x47475546 },
  {
    name: "big-endian version",
    change: (f) => (f.version = 0x03000000),
    codes: [UNSUPPORTED_VERSION],
    value: 0x03000000,
  },
  ...[0, 1, 4, 0xffffffff].map((version) => ({
    name: `version ${version}`,
    change: (f: GgufFile) => (f.version = version),
    codes: [UNSUPPORTED_VERSION],
    field: "version",
    value: version,
  })),
  ...[...HUGE, BigInt(MAX_TENSORS + 1)].map((count) => ({
    name: `tensor count ${count}`,
    change: (f: GgufFile) => (f.tensorCount = count),
    codes: [BAD_COUNT],
    field: "tensor_count",
    value: Number(count),
    expected: MAX_TENSORS,
  })),
  ...[...HUGE, BigInt(MAX_METADATA + 1)].map((count) => ({
    name: `metadata count ${count}`,
    change: (f: GgufFile) => (f.metadataCount = count),
    codes: [BAD_COUNT],
    field: "metadata_kv_count",
    value: Number(count),
    expected: MAX_METADATA,
  })),
  { name: "no tensors", change: (f) => (f.tensors = []), codes: [MISSING_TENSOR], field: EMBEDDING },
  {
    name: "nothing at all",
    change: (f) => (f.tensors = f.metadata = []),
    codes: [MISSING_KEY],
    field: "general.architecture",
  },
  { name: "tensor count one too high", change: (f) => (f.tensorCount = f.tensors.length + 1), codes: [] },
  { name: "tensor count one too low", change: (f) => (f.tensorCount = f.tensors.length - 1), codes: [MISSING_TENSOR] },
  { name: "metadata count one too high", change: (f) => (f.metadataCount = f.metadata.length + 1), codes: [] },
  { name: "metadata count one too low", change: (f) => (f.metadataCount = f.metadata.length - 1), codes: [] },

  // Strings and arrays
  ...[...HUGE, BigInt(MAX_KEY_BYTES + 1), 0n].map((length) => ({
    name: `key of ${length} bytes`,
    change: (f: GgufFile) => (f.metadata[1]!.keyLength = length),
    codes: [BAD_STRING_LENGTH],
    value: Number(length),
    expected: MAX_KEY_BYTES,
  })),
  { name: "key past the end", change: (f) => (f.metadata.at(-1)!.keyLength = 60000), codes: [] },
  ...[...HUGE, BigInt(MAX_STRING_BYTES + 1)].map((length) => ({
    name: `string of ${length} bytes`,
    change: set("general.name", string("x", length)),
    codes: [BAD_STRING_LENGTH],
    field: "general.name",
    value: Number(length),
    expected: MAX_STRING_BYTES,
  })),
  { name: "string past the end", change: set("general.name", string("x", MAX_STRING_BYTES)), codes: [TRUNCATED] },
  ...[...HUGE, 2n ** 61n + 1n, 2n ** 62n].map((count) => ({
    name: `array of ${count} strings`,
    change: set(TOKENS, array(VALUE_STRING, tokens(), { count })),
    codes: [BAD_ARRAY_LENGTH],
    field: TOKENS,
    value: Number(count),
  })),
  ...[...HUGE, 2n ** 61n + 1n, 2n ** 62n].map((count) => ({
    name: `array of ${count} numbers`,
    change: set(TYPES, array(VALUE_I32, [1], { count })),
    codes: [BAD_ARRAY_LENGTH],
    field: TYPES,
    value: Number(count),
  })),
  { name: "array of strings past the end", change: set("x", array(VALUE_STRING, ["a"], { count: 1e6 })), codes: [] },
  { name: "array of numbers past the end", change: set("x", array(VALUE_U8, [1], { count: 1e7 })), codes: [TRUNCATED] },
  ...HUGE.map((length) => ({
    name: `token of ${length} bytes`,
    change: set(TOKENS, {
      type: VALUE_ARRAY,
      bytes: new Uint8Array([...array(VALUE_STRING, [], { count: 1 }).bytes, ...string("", length).bytes]),
    }),
    codes: [BAD_STRING_LENGTH],
    field: TOKENS,
    value: Number(length),
  })),
  {
    name: "token of 20,000 bytes",
    change: withToken(256, "x".repeat(20000)),
    codes: [BAD_STRING_LENGTH],
    field: TOKENS,
    value: 20000,
  },
  {
    name: "array of arrays",
    change: set("x", array(VALUE_ARRAY, [], { count: 1 })),
    codes: [BAD_ELEMENT_TYPE],
    field: "x",
    value: VALUE_ARRAY,
  },
  {
    name: "array of an unknown type",
    change: set("x", array(13, [], { count: 1 })),
    codes: [BAD_ELEMENT_TYPE],
    field: "x",
    value: 13,
  },
  ...[13, 0xffffffff].map((type) => ({
    name: `value type ${type}`,
    change: (f: GgufFile) => (entry(f, "general.name").type = type),
    codes: [BAD_VALUE_TYPE],
    field: "general.name",
    value: type,
  })),

  // Keys
  ...[
    "general.architecture",
    "llama.context_length",
    "llama.embedding_length",
    "llama.block_count",
    "llama.feed_forward_length",
    "llama.attention.head_count",
    "llama.attention.layer_norm_rms_epsilon",
    "tokenizer.ggml.model",
    "tokenizer.ggml.pre",
    TOKENS,
    MERGES,
  ].flatMap((key) => [
    { name: `no ${key}`, change: remove(key), codes: [MISSING_KEY], field: key },
    {
      name: `${key} twice`,
      change: (f: GgufFile) => f.metadata.push(entry(f, key)),
      codes: [DUPLICATE_KEY],
      field: key,
    },
    {
      name: `${key} is a boolean`,
      change: set(key, scalar(VALUE_BOOL, 1)),
      codes: [BAD_VALUE_TYPE],
      field: key,
      value: VALUE_BOOL,
    },
  ]),
  {
    name: "an unknown key twice",
    change: (f) => f.metadata.push(...[1, 2].map((x) => ({ key: "x", value: u32(x) }))),
    codes: [DUPLICATE_KEY],
    field: "x",
  },
  {
    name: "another architecture",
    change: set("general.architecture", string("qwen2")),
    codes: [UNSUPPORTED_ARCHITECTURE],
    field: "qwen2",
  },
  {
    name: "an architecture of 70 kB",
    change: set("general.architecture", string("x".repeat(70000))),
    codes: [UNSUPPORTED_ARCHITECTURE],
    field: /^x+$/,
  },
  {
    name: "another tokenizer",
    change: set("tokenizer.ggml.model", string("bert")),
    codes: [UNSUPPORTED_TOKENIZER],
    field: "bert",
  },
  {
    name: "a SentencePiece vocabulary without scores",
    change: set("tokenizer.ggml.model", string("llama")),
    codes: [MISSING_KEY],
    field: "tokenizer.ggml.scores",
  },
  {
    name: "another pre-tokenizer",
    change: set("tokenizer.ggml.pre", string("of-tomorrow")),
    codes: [UNSUPPORTED_TOKENIZER],
    field: "of-tomorrow",
  },
  {
    name: "another RoPE scaling",
    change: set("llama.rope.scaling.type", string("longrope")),
    codes: [UNSUPPORTED_ROPE_SCALING],
    field: "longrope",
  },
  ...(
    [
      ["llama.block_count", [0, MAX_LAYERS + 1, 0xffffffff]],
      ["llama.embedding_length", [0, 1, 63, MAX_DIMENSION + 32, 0xffffffff]],
      ["llama.feed_forward_length", [0, 97, MAX_DIMENSION + 32, 0xffffffff]],
      ["llama.attention.head_count", [0, MAX_HEADS + 1, 0xffffffff]],
      ["llama.attention.head_count_kv", [0, 3, MAX_HEADS + 1, 0xffffffff]],
      ["llama.context_length", [0, MAX_CONTEXT + 1, 0xffffffff]],
      ["llama.attention.key_length", [0, 33, 100000, 0xffffffff]],
      ["llama.attention.value_length", [0, 16, 64, 0xffffffff]],
      ["llama.rope.dimension_count", [0, 16, 64, 0xffffffff]],
      ["llama.expert_count", [8]],
      ["llama.vocab_size", [VOCABULARY - 1, VOCABULARY + 1]],
      ["tokenizer.ggml.bos_token_id", [VOCABULARY, 0xffffffff]],
      ["tokenizer.ggml.eos_token_id", [VOCABULARY, 0xffffffff]],
    ] as [string, number[]][]
  ).flatMap(([key, values]) => [
    ...values.map((value) => ({
      name: `${key} ${value}`,
      change: set(key, u32(value)),
      codes: [BAD_VALUE],
      field: key,
      value,
    })),
    { name: `${key} -1`, change: set(key, scalar(VALUE_I32, -1)), codes: [BAD_VALUE], field: key, value: -1 },
    {
      name: `${key} 2^63`,
      change: set(key, scalar(VALUE_U64, 2n ** 63n)),
      codes: [BAD_VALUE],
      field: key,
      value: 2 ** 63,
    },
    {
      name: `${key} 2^32 + 1`,
      change: set(key, scalar(VALUE_I64, 2n ** 32n + 1n)),
      codes: [BAD_VALUE],
      field: key,
      value: 2 ** 32 + 1,
    },
    { name: `${key} is a float`, change: set(key, f32(64)), codes: [BAD_VALUE_TYPE], field: key, value: VALUE_F32 },
    {
      name: `${key} is an array`,
      change: set(key, array(VALUE_U32, [64, 64])), // of two layers, where there is one
      codes: [BAD_VALUE_TYPE, BAD_VALUE],
      field: key,
    },
  ]),
  { name: "heads that do not divide", change: set("llama.attention.head_count", u32(3)), codes: [BAD_VALUE] },
  { name: "a layer too many", change: set("llama.block_count", u32(2)), codes: [MISSING_TENSOR], field: /^blk\.1\./ },
  ...["llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"].flatMap((key) => [
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY].map((value) => ({
      name: `${key} ${value}`,
      change: set(key, f32(value)),
      codes: [BAD_VALUE],
      field: key,
      value,
    })),
    {
      name: `${key} is a string`,
      change: set(key, string("1")),
      codes: [BAD_VALUE_TYPE],
      field: key,
      value: VALUE_STRING,
    },
  ]),
  {
    name: "linear scaling by a negative number",
    change: set("llama.rope.scaling.factor", f32(-2)),
    codes: [BAD_VALUE],
    field: "llama.rope.scaling.factor",
    value: -2,
  },
  ...[
    { name: "of another length", value: array(VALUE_U32, [2]), got: 1 },
    { name: "of different numbers", value: array(VALUE_U32, [2, 1]), got: 1 },
    { name: "that is empty", value: array(VALUE_U32, []), got: 0 },
    { name: "of text", value: array(VALUE_STRING, ["2", "2"]), got: 2 },
  ].map(({ name, value, got }) => ({
    name: `heads per layer: an array ${name}`,
    change: (f: GgufFile) => {
      set("llama.block_count", u32(2))(f);
      set("llama.attention.head_count", value)(f);
    },
    codes: [BAD_VALUE],
    field: "llama.attention.head_count",
    value: got,
  })),

  // Alignment and offsets
  ...[0, 3, 7, 4, 33, MAX_ALIGNMENT * 2, 2 ** 31, 0xffffffff].map((alignment) => ({
    name: `alignment ${alignment}`,
    change: set("general.alignment", u32(alignment)),
    codes: [BAD_ALIGNMENT, BAD_VALUE],
    field: "general.alignment",
    value: alignment,
  })),
  ...[string("32"), f32(32), scalar(VALUE_BOOL, 1), array(VALUE_U32, [32])].map((value) => ({
    name: `alignment of value type ${value.type}`,
    change: set("general.alignment", value),
    codes: [BAD_VALUE_TYPE],
    field: "general.alignment",
    value: value.type,
  })),
  {
    name: "alignment -32",
    change: set("general.alignment", scalar(VALUE_I64, -32n)),
    codes: [BAD_ALIGNMENT, BAD_VALUE],
    value: -32,
  },
  { name: "alignment other than the data's", change: set("general.alignment", u32(4096)), codes: [BAD_OFFSET] },
  ...[1n, 33n, 2n ** 40n, 2n ** 64n - 1n, 2n ** 64n - 32n, 2n ** 32n].map((offset) => ({
    name: `offset ${offset}`,
    change: change(QUERY, { offset }),
    codes: [BAD_OFFSET],
    // Seen in the order of offsets, another tensor may be the first that is not where it should be.
    field: /weight$/,
  })),
  { name: "two tensors at one offset", change: change(QUERY, { offset: 0 }), codes: [BAD_OFFSET] },
  { name: "a gap before the first tensor", change: (f) => (f.tensors[0]!.offset = 32), codes: [BAD_OFFSET] },

  // Tensors
  ...[...HUGE, BigInt(MAX_TENSOR_NAME_BYTES + 1), 0n].map((nameLength) => ({
    name: `tensor name of ${nameLength} bytes`,
    change: change(QUERY, { nameLength }),
    codes: [BAD_STRING_LENGTH],
    value: Number(nameLength),
    expected: MAX_TENSOR_NAME_BYTES,
  })),
  ...[0, MAX_DIMENSIONS + 1, 0xffffffff].map((rank) => ({
    name: `rank ${rank}`,
    change: change(QUERY, { rank }),
    codes: [BAD_RANK],
    field: QUERY,
    value: rank,
  })),
  ...[0n, ...HUGE, BigInt(MAX_DIMENSION + 1)].flatMap((size) => [
    {
      name: `${size} columns`,
      change: change(QUERY, { dims: [size, 64] }),
      codes: [BAD_DIMENSION],
      field: QUERY,
      value: Number(size),
    },
    {
      name: `${size} rows`,
      change: change(QUERY, { dims: [64, size] }),
      codes: [BAD_DIMENSION],
      field: QUERY,
      value: Number(size),
    },
  ]),
  ...[
    { name: "elements that wrap 64 bits", dims: [2n ** 32n, 2n ** 32n] },
    { name: "bytes that wrap 64 bits", dims: [2n ** 30n, 2n ** 30n, 2n ** 4n] },
    { name: "four dimensions that wrap", dims: [2n ** 16n, 2n ** 16n, 2n ** 16n, 2n ** 16n] },
    { name: "the largest matrix", dims: [MAX_DIMENSION, MAX_DIMENSION] },
    { name: "a third dimension", dims: [64, 64, 2] },
    { name: "columns that are no multiple of 32", dims: [33, 64] },
    { name: "too few rows", dims: [64, 32] },
    { name: "a matrix as a vector", dims: [64 * 64] },
  ].map(({ name, dims }) => ({
    name,
    change: change(QUERY, { dims }),
    codes: [BAD_DIMENSION, BAD_OFFSET],
    field: /weight$/,
  })),
  {
    name: "rows and columns exchanged",
    change: change("blk.0.ffn_up.weight", { dims: [96, 64] }),
    codes: [BAD_DIMENSION],
    field: "blk.0.ffn_up.weight",
    value: 96,
    expected: 64,
  },
  {
    name: "a norm too long",
    change: change("output_norm.weight", { dims: [128], data: new Uint8Array(512) }),
    codes: [BAD_DIMENSION],
    field: "output_norm.weight",
    value: 128,
    expected: 64,
  },
  ...[4, 5, 9, 10, 11, 15, 24, 99, 0xffffffff].map((type) => ({
    name: `tensor type ${type}`,
    change: change(QUERY, { type }),
    codes: [UNSUPPORTED_TENSOR_TYPE],
    field: QUERY,
    value: type,
  })),
  ...[
    [TYPE_Q8_0, 68],
    [TYPE_Q4_0, 36],
    [TYPE_Q5_1, 48],
  ].map(([type, bytes]) => ({
    name: `a norm of type ${type}`,
    change: change("output_norm.weight", { type: type!, data: new Uint8Array(bytes!) }),
    codes: [UNSUPPORTED_TENSOR_TYPE],
    field: "output_norm.weight",
    value: type!,
  })),
  ...COMMUNITY.filter(({ elements }) => elements === SUPERBLOCK).map(({ name, type }) => ({
    name: `${name} rows of 64 columns`,
    change: change(QUERY, { type }),
    codes: [BAD_DIMENSION],
    field: QUERY,
    value: 64,
    expected: SUPERBLOCK,
  })),
  ...tinyModel(BASE).tensors.flatMap(({ name }) => [
    {
      name: `no ${name}`,
      change: (f: GgufFile) => f.tensors.splice(f.tensors.indexOf(tensor(f, name)), 1),
      codes: [MISSING_TENSOR],
      field: name,
    },
    {
      name: `${name} twice`,
      change: (f: GgufFile) => f.tensors.push(tensor(f, name)),
      codes: [DUPLICATE_TENSOR],
      field: name,
    },
  ]),
  ...[
    "blk.0.attn_q.bias",
    "blk.1.attn_q.weight",
    "blk.00.attn_q.weight",
    "blk.0.",
    "blk.4294967296.attn_q.weight",
    "token_embd.weight\0",
    "é",
    "blk.",
  ].map((name) => ({
    name: `tensor ${JSON.stringify(name)}`,
    change: (f: GgufFile) => f.tensors.push({ ...tensor(f, QUERY), name }),
    codes: [UNEXPECTED_TENSOR],
    field: name,
  })),
  {
    name: "too many RoPE factors",
    change: (f) => f.tensors.push({ name: "rope_freqs.weight", dims: [32], type: TYPE_F32, data: new Uint8Array(128) }),
    codes: [BAD_DIMENSION],
    field: "rope_freqs.weight",
    value: 32,
    expected: 16,
  },

  // The vocabulary
  {
    name: "tokens are numbers",
    change: set(TOKENS, array(VALUE_U32, [1, 2, 3])),
    codes: [BAD_ELEMENT_TYPE],
    field: TOKENS,
    value: VALUE_U32,
    expected: VALUE_STRING,
  },
  {
    name: "token types are strings",
    change: set(TYPES, array(VALUE_STRING, ["1"])),
    codes: [BAD_ELEMENT_TYPE],
    field: TYPES,
    value: VALUE_STRING,
    expected: VALUE_I32,
  },
  {
    name: "token types are floats",
    change: set(
      TYPES,
      array(
        VALUE_F32,
        tokens().map(() => 1),
      ),
    ),
    codes: [BAD_ELEMENT_TYPE],
    field: TYPES,
    value: VALUE_F32,
    expected: VALUE_I32,
  },
  {
    name: "token types are one number",
    change: set(TYPES, u32(1)),
    codes: [BAD_VALUE_TYPE],
    field: TYPES,
    value: VALUE_U32,
    expected: VALUE_ARRAY,
  },
  {
    name: "merges are numbers",
    change: set(MERGES, array(VALUE_U32, [1, 2])),
    codes: [BAD_ELEMENT_TYPE],
    field: MERGES,
    value: VALUE_U32,
    expected: VALUE_STRING,
  },
  {
    name: "too few token types",
    change: set(TYPES, array(VALUE_I32, [1])),
    codes: [BAD_ARRAY_LENGTH],
    field: TYPES,
    value: 1,
    expected: VOCABULARY,
  },
  {
    name: "more control tokens than can be matched",
    change: (f) => {
      const more = Array.from({ length: 262_145 }, (_, i) => `<${i}>`);
      set(TOKENS, array(VALUE_STRING, [...tokens(), ...more]))(f);
      set(TYPES, array(VALUE_I32, [...tokens().map(() => 1), ...more.map(() => 3)]))(f);
      remove("llama.vocab_size")(f);
    },
    codes: [BAD_ARRAY_LENGTH],
    field: `${TOKENS}: control and user-defined`,
    value: 262_145,
    expected: MAX_SPECIALS,
  },
  {
    name: "control tokens of more bytes than can be matched",
    change: (f) => {
      const long = Array.from({ length: 4097 }, (_, i) => "a".repeat(1019) + String(i).padStart(5, "0"));
      set(TOKENS, array(VALUE_STRING, [...tokens(), ...long]))(f);
      set(TYPES, array(VALUE_I32, [...tokens().map(() => 1), ...long.map(() => 3)]))(f);
      remove("llama.vocab_size")(f);
    },
    codes: [BAD_STRING_LENGTH],
    field: `${TOKENS}: control and user-defined`,
    value: 4097 * 1024,
    expected: MAX_SPECIAL_BYTES,
  },
  {
    name: "no tokens",
    change: set(TOKENS, array(VALUE_STRING, [])),
    codes: [BAD_ARRAY_LENGTH],
    field: TOKENS,
    value: 0,
  },
  // vocab_size must agree with the tokens, or it is what is named.
  {
    name: "a vocabulary smaller than the embedding",
    change: (f) => {
      set(TOKENS, array(VALUE_STRING, tokens().slice(0, 264)))(f);
      set(
        TYPES,
        array(
          VALUE_I32,
          tokens()
            .slice(0, 264)
            .map(() => 1),
        ),
      )(f);
      remove("llama.vocab_size")(f);
      remove("tokenizer.ggml.eos_token_id")(f);
    },
    codes: [BAD_DIMENSION],
    field: EMBEDDING,
    value: VOCABULARY,
    expected: 264,
  },
  {
    name: "a vocabulary larger than the embedding",
    change: (f) => {
      set(TOKENS, array(VALUE_STRING, [...tokens(), "more"]))(f);
      set(TYPES, array(VALUE_I32, [...tokens().map(() => 1), 1]))(f);
      remove("llama.vocab_size")(f);
    },
    codes: [BAD_DIMENSION],
    field: EMBEDDING,
    value: VOCABULARY,
    expected: 266,
  },
  { name: "a token outside the alphabet", change: withToken(258, "日本"), codes: [BAD_VOCABULARY] },
  {
    name: "a token that is not UTF-8",
    change: (f) =>
      set(TOKENS, {
        type: VALUE_ARRAY,
        bytes: Uint8Array.from(array(VALUE_STRING, tokens()).bytes, (b) => (b === 0xc4 ? 0xff : b)),
      })(f),
    codes: [BAD_VOCABULARY],
  },
  { name: "an empty token", change: withToken(256, ""), codes: [BAD_VOCABULARY] },
  { name: "two tokens alike", change: withToken(262, "he"), codes: [BAD_VOCABULARY] },
  { name: "a merge of an unknown token", change: withMerges("Ġ t", "zz y"), codes: [BAD_VOCABULARY], value: 1 },
  { name: "a merge into an unknown token", change: withMerges("Ġ t", "q q"), codes: [BAD_VOCABULARY], value: 1 },
  { name: "a merge without a space", change: withMerges("Ġ t", "he"), codes: [BAD_VOCABULARY], value: 1 },
  { name: "a merge with two spaces", change: withMerges("h e", "Ġ  t"), codes: [BAD_VOCABULARY], value: 1 },
  { name: "an empty merge", change: withMerges("h e", ""), codes: [BAD_VOCABULARY], value: 1 },
  { name: "a merge of nothing", change: withMerges("h e", " e"), codes: [BAD_VOCABULARY], value: 1 },

  // Weights. A Q8_0 row of 64 columns takes 68 bytes.
  {
    name: "an infinite Q8_0 scale",
    change: poke(EMBEDDING, 68 * 5, 0x00, 0x7c),
    codes: [NON_FINITE_WEIGHT],
    field: EMBEDDING,
    value: 5,
  },
  {
    name: "a NaN Q8_0 scale",
    change: poke(EMBEDDING, 68 * 264 + 34, 0x01, 0xfe),
    codes: [NON_FINITE_WEIGHT],
    field: EMBEDDING,
    value: 264,
  },
  {
    name: "a NaN in a norm",
    change: poke("blk.0.ffn_norm.weight", 4 * 63, 0, 0, 0xc0, 0x7f),
    codes: [NON_FINITE_WEIGHT],
    field: "blk.0.ffn_norm.weight",
  },
  {
    name: "an infinity in a norm",
    change: poke("output_norm.weight", 0, 0, 0, 0x80, 0xff),
    codes: [NON_FINITE_WEIGHT],
    field: "output_norm.weight",
  },

  // Options
  {
    name: "a context longer than the model's",
    change: () => {},
    codes: [BAD_OPTION],
    value: 129,
    expected: 128,
    options: { contextLength: 129 },
  },
  { name: "an unknown KV type", change: () => {}, codes: [BAD_OPTION], value: 7, options: { kvType: 7 } },
];

describe.each(BASELINE)("hostile files: $name", (variant) => {
  const good = writeGguf(tinyModel(BASE)).bytes;
  const answer = new Core(variant).open(good).fingerprint();
  const allOnOne = new Core(variant);

  it.each(CASES)("$name", ({ change, codes, field, value, expected, options }) => {
    const file = tinyModel(BASE);
    change(file);
    const { bytes, headerBytes } = writeGguf(file);
    const core = new Core(variant);
    const before = core.memoryBytes;
    const start = performance.now();
    const code = core.load(bytes, options);
    expect(performance.now() - start).toBeLessThan(1000);
    const failure = core.failure();
    const told = `${statusName(code)} ${JSON.stringify(failure)}`;
    expect(code, told).toBeGreaterThanOrEqual(FIRST_ERROR);
    if (codes.length) expect(codes.map(statusName), told).toContain(statusName(code));
    if (typeof field === "string") expect(failure.field, told).toBe(field);
    else if (field) expect(failure.field, told).toMatch(field);
    if (value !== undefined) expect(failure.value, told).toBe(value);
    if (expected !== undefined) expect(failure.expected, told).toBe(expected);
    expect(core.memoryBytes - before).toBeLessThan(headerBytes + 4e6);

    expect(statusName(core.exports.forward(1, 0))).toBe("WRONG_STATE");
    expect(core.open(good).fingerprint()).toBe(answer);
    expect(allOnOne.load(bytes, options)).toBe(code);
    expect(allOnOne.open(good).fingerprint()).toBe(answer);
  });

  it("infinite weights of every type", () => {
    const infinities: [number, number[]][] = [
      [TYPE_Q4_0, [0x00, 0xfc]],
      [TYPE_F16, [0x00, 0x7c]],
      [TYPE_F16, [0x01, 0x7e]],
      [TYPE_BF16, [0x80, 0x7f]],
      [TYPE_BF16, [0xc0, 0xff]],
      [TYPE_F32, [0, 0, 0x80, 0x7f]],
      [TYPE_F32, [1, 0, 0xc0, 0xff]],
    ];
    const rowBytes: Record<number, number> = { [TYPE_Q4_0]: 36, [TYPE_F16]: 128, [TYPE_BF16]: 128, [TYPE_F32]: 256 };
    for (const [type, bytes] of infinities) {
      const file = tinyModel({ ...BASE, types: type });
      tensor(file, QUERY).data.set(bytes, rowBytes[type]! * 63);
      const core = new Core(variant);
      expect(statusName(core.load(writeGguf(file).bytes)), `type ${type}: ${bytes}`).toBe("NON_FINITE_WEIGHT");
      expect(core.failure()).toMatchObject({ field: QUERY, value: 63 });
      expect(core.open(good).fingerprint()).toBe(answer);
    }
  });

  it.each(COMMUNITY)("infinite scales of $name", ({ type, bytes, elements, halves, blocks }) => {
    const file = tinyModel({ layers: 1, heads: 4, headSize: 64, ffn: 32 });
    const row = Buffer.from(blocks.subarray(0, (SUPERBLOCK / elements) * bytes));
    for (const half of halves) {
      const data = Buffer.concat(Array(SUPERBLOCK).fill(row));
      data.set([0x00, 0x7c], 77 * row.length + half);
      Object.assign(tensor(file, QUERY), { type, data });
      const core = new Core(variant);
      expect(statusName(core.load(writeGguf(file).bytes))).toBe("NON_FINITE_WEIGHT");
      expect(core.failure()).toMatchObject({ field: QUERY, value: 77 });
      expect(core.open(good).fingerprint()).toBe(answer);
    }
  });

  it("cut off at every byte of the header and at many of the data", () => {
    const { bytes, dataOffset } = writeGguf(tinyModel(BASE));
    const core = new Core(variant);
    const cuts = Array.from({ length: dataOffset + 1 }, (_, i) => i);
    for (let cut = dataOffset + 1; cut < bytes.length; cut += 97) cuts.push(cut);
    cuts.push(bytes.length - 1);
    const before = core.memoryBytes;
    for (const cut of cuts) {
      const code = core.load(bytes.subarray(0, cut));
      if (code !== TRUNCATED) expect(statusName(code), `cut at ${cut}`).toBe("TRUNCATED");
      const { field, value, expected } = core.failure();
      expect(field, `cut at ${cut}`).not.toBe("");
      expect(expected, `cut at ${cut}: ${field}`).toBeGreaterThan(value);
      if (cut > dataOffset) expect(field).toMatch(/weight$/);
    }
    expect(core.memoryBytes - before).toBeLessThan(dataOffset + 4e6);
    expect(core.open(good).fingerprint()).toBe(answer);
  });

  it("a KV cache that no memory could hold", () => {
    const file = tinyModel({ layers: 1, heads: 32, kvHeads: 32, ffn: 32, context: MAX_CONTEXT });
    const core = new Core(variant);
    const before = core.memoryBytes;
    expect(statusName(core.load(writeGguf(file).bytes, { contextLength: MAX_CONTEXT, kvType: KV_F32 }))).toBe(
      "OUT_OF_MEMORY",
    );
    expect(core.failure().value).toBeGreaterThan(MAX_CONTEXT * 32 * 32 * 2 * 4);
    expect(core.memoryBytes - before).toBeLessThan(4e6);
    expect(core.open(good).fingerprint()).toBe(answer);
  });

  it("head sizes out of range that follow from the width and the number of heads", () => {
    // 2^20 positions of 1024 f32: 2^32 bytes of keys for one head, which would be none in 32 bits.
    const file = tinyModel({ layers: 1, heads: 1, headSize: 1024, ffn: 32, context: MAX_CONTEXT });
    const core = new Core(variant);
    const options = { contextLength: MAX_CONTEXT, kvType: KV_F32 };
    expect(statusName(core.load(writeGguf(file).bytes, options))).toBe("BAD_VALUE");
    expect(core.failure()).toMatchObject({ field: "llama.attention.key_length", value: 1024, expected: MAX_HEAD_SIZE });
    const thin = tinyModel(BASE);
    set("llama.attention.head_count", u32(MAX_HEADS))(thin);
    expect(statusName(core.load(writeGguf(thin).bytes))).toBe("BAD_VALUE");
    expect(core.failure()).toMatchObject({ field: "llama.attention.key_length", value: 0, expected: 16 });
    expect(core.open(good).fingerprint()).toBe(answer);
  });

  it("calls out of order", () => {
    const core = new Core(variant);
    const { exports: e } = core;
    const wrong = () => [e.feed(0), e.plan(), e.end(), e.forward(1, 0)].map(statusName);
    expect(wrong()).toEqual(Array(4).fill("WRONG_STATE"));
    e.begin(0, KV_F32, 0, 1, 0);
    expect([e.plan(), e.forward(1, 0)].map(statusName)).toEqual(Array(2).fill("WRONG_STATE"));
    core.open(good);
    expect(statusName(e.plan())).toBe("WRONG_STATE");
    expect(statusName(-e.forwardLayers(1))).toBe("WRONG_STATE");
    for (const layers of [0, -1, -(2 ** 31)]) {
      expect(core.beginRuns({ position: 0, tokens: [1] })).toBe(OK);
      expect(statusName(-e.forwardLayers(layers))).toBe("WRONG_STATE");
    }
    expect([e.forwardLayers(2 ** 31 - 1), statusName(-e.forwardLayers(1))]).toEqual([0, "WRONG_STATE"]);
    expect(core.beginRuns({ position: 0, tokens: [1] })).toBe(OK);
    expect([e.setLength(0, 0), statusName(-e.forwardLayers(1))]).toEqual([OK, "WRONG_STATE"]);
    expect(core.open(good).fingerprint()).toBe(answer);
  });

  it("tokens and positions out of range", () => {
    const core = new Core(variant).open(good, { contextLength: 16 });
    expect(statusName(core.forward([VOCABULARY], 0))).toBe("BAD_TOKEN");
    expect(core.failure()).toMatchObject({ value: VOCABULARY, expected: VOCABULARY });
    expect(statusName(core.forward([1, 0xffffffff], 0))).toBe("BAD_TOKEN");
    expect(statusName(core.forward(Array(17).fill(1), 0))).toBe("CONTEXT_OVERFLOW");
    expect(core.failure()).toMatchObject({ value: 17, expected: 16 });
    for (const [count, position] of [
      [0, 0],
      [-1, 0],
      [65, 0],
      [1, 1],
      [1, -1],
      [1, 2 ** 31 - 1],
    ] as const) {
      expect(core.exports.forward(count, position), `forward(${count}, ${position})`).toBeGreaterThanOrEqual(
        FIRST_ERROR,
      );
    }
    for (const length of [-1, 17, 2 ** 31 - 1])
      expect(core.exports.setLength(0, length)).toBeGreaterThanOrEqual(FIRST_ERROR);
    // A restored history is not to be trusted: the sampler looks its tokens up.
    core.words(core.exports.history(0), 2).set([3, VOCABULARY]);
    expect(core.exports.setLength(0, 1)).toBe(OK);
    expect(statusName(core.exports.setLength(0, 2))).toBe("BAD_TOKEN");
    expect(core.exports.sequenceLength(0)).toBe(1);
    expect(core.open(good).fingerprint()).toBe(answer);
  });

  it("rows of logits that are not there", () => {
    const core = new Core(variant).open(good, { contextLength: 16 });
    const { exports: e } = core;
    const refused = (row: number) => {
      expect(statusName(-e.sample(row)), `sample(${row})`).toBe("BAD_OPTION");
      expect(e.top(row, 1)).toBe(0);
      expect(e.logSumExp(row)).toBeNaN();
    };
    refused(0);
    core.prefill([1, 2, 3, 4]);
    refused(0);
    for (const [first, count] of [
      [-1, 1],
      [0, 0],
      [0, 5],
      [4, 1],
      [0, LOGIT_ROWS + 1],
      [2 ** 31 - 1, 1],
    ] as const) {
      expect(e.logits(first, count), `logits(${first}, ${count})`).toBe(0);
      expect(e.hidden(first, count), `hidden(${first}, ${count})`).toBe(0);
    }
    expect(core.failure()).toMatchObject({ field: "hidden", value: 2 ** 31, expected: 4 });
    e.logits(2 ** 31 - 1, 1);
    expect(core.failure()).toMatchObject({ field: "logits", value: 2 ** 31, expected: 4 });
    e.logits(2, 2);
    for (const row of [-1, 2, LOGIT_ROWS, 2 ** 31 - 1, -(2 ** 31)]) refused(row);
    expect(core.failure()).toMatchObject({ field: "row", value: -(2 ** 31), expected: 2 });
    expect(e.sample(1)).toBeGreaterThanOrEqual(0);
    // Rows are those of the last pass: their history would end elsewhere now.
    core.prefill([5], 4);
    refused(0);
    e.logits(0, 1);
    expect(e.setLength(0, 2)).toBe(OK);
    refused(0);
    expect(core.open(good).fingerprint()).toBe(answer);
    e.begin(0, KV_F32, 0, 1, 0);
    core.open(good);
    refused(0);
  });

  it("parameters of the sampler out of range", () => {
    const core = new Core(variant).open(good);
    const { exports: e } = core;
    const next = (parameters: Parameters<Core["sampling"]>[0], biases?: number) => {
      core.prefill([1, 2, 3]);
      core.sampling(parameters);
      if (biases !== undefined) new DataView(e.memory.buffer, e.sampler(0)).setInt32(SAMPLER_BIAS_COUNT, biases, true);
      return core.next(2);
    };
    const greedy = next({});
    for (const temperature of [-1, -1e-3, NaN]) expect(next({ temperature })).toBe(greedy);
    for (const noRepeatNgram of [-1, -(2 ** 31), 2 ** 31 - 1]) expect(next({ noRepeatNgram })).toBe(greedy);
    for (const token of [VOCABULARY, 2 ** 31, 2 ** 32 - 1])
      expect(next({ logitBias: new Map([[token, 1e6]]) })).toBe(greedy);
    for (const count of [-1, 2 ** 31 - 1]) expect(next({}, count)).toBeGreaterThanOrEqual(0);
    expect(core.open(good).fingerprint()).toBe(answer);
  });

  it("a piece of text that a load cuts off", () => {
    const core = new Core(variant).open(good);
    const { exports: e } = core;
    e.pieceReset(0, -1);
    core.bytes(e.buffer(), 1)[0] = 0xc3; // begins a character of two bytes
    expect(e.pieceAppend(0, e.findToken(1))).toBe(0);
    core.open(good);
    expect(e.pieceFlush(0)).toBe(0);
  });
});
