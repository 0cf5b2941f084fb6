// Conversion of zagreus-nano and what can be made of it, beside the files that llama.cpp made.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { TYPE_F32, TYPE_Q4_0, TYPE_Q8_0 } from "../../assembly/layout/blocks";
import type { QuantizedType } from "../../quant/checkpoint/types";
import { openGguf } from "../../quant/read/gguf_checkpoint";
import { openCheckpoint } from "../../quant/read/open";
import { plainRounding } from "../../quant/round/rounding";
import { Core, NANO } from "../support/core";
import { encodeTensor, tinyModel, writeGguf } from "../support/models/gguf_writer";
import { memoryDirectory } from "../support/models/memory_directory";
import { safetensors, type TestTensor } from "../support/models/nanotron_writer";
import { readGguf, readRawGguf } from "../support/models/reference";
import { BASELINE } from "../support/variants";
import { edit, editTensors, type Files, gguf, memoryFile, nanoFiles, open, quantizer, WEIGHTS } from "./support";

const TYPES: [QuantizedType, () => Uint8Array][] = [
  ["q8_0", NANO.Q8_0],
  ["q4_0", NANO.Q4_0],
];

async function convert(files: Files, options: Parameters<typeof gguf>[1] = {}): Promise<Uint8Array> {
  return gguf(await open(files), options);
}

const fromGguf = async (file: Uint8Array, options: Parameters<typeof gguf>[1]) =>
  gguf(await openGguf(memoryFile(file)), options);

/** Names, shapes, types and SHA-256 of the tensors, in the order of the file. */
const tensors = (file: Uint8Array) =>
  readRawGguf(file).tensors.map(({ data, ...info }) => ({ ...info, sha256: sha256(data) }));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const metadata = (file: Uint8Array) => readRawGguf(file).metadata;
const keys = (file: Uint8Array, prefix: string) =>
  Object.fromEntries([...metadata(file)].filter(([key]) => key.startsWith(prefix)));

const logits = (file: Uint8Array) => new Core(BASELINE[0]!).open(file).fingerprint();

describe.each(TYPES)("zagreus-nano to %s", (type, theirs) => {
  test("from BF16 safetensors: every tensor is llama.cpp's, byte for byte, and every key", async () => {
    const file = await convert(nanoFiles(), { type });
    expect(tensors(file)).toEqual(tensors(theirs()));
    expect(metadata(file)).toEqual(new Map([...metadata(theirs()), ["tokenizer.ggml.add_bos_token", true]]));
    expect(logits(file)).toEqual(logits(theirs()));
  });

  test("from llama.cpp's F16 file: the whole file is llama.cpp's", async () => {
    expect(Buffer.compare(await fromGguf(NANO.F16(), { type }), theirs())).toBe(0);
  });

  test("from the type itself: the same file", async () => {
    expect(Buffer.compare(await fromGguf(theirs(), { type }), theirs())).toBe(0);
  });
});

test("from Q8_0 to Q4_0: what int8 stands for is rounded", async () => {
  const file = readRawGguf(await fromGguf(NANO.Q8_0(), { type: "q4_0", requantize: true }));
  for (const [name, { dims, values }] of readGguf(NANO.Q8_0()).tensors) {
    const { type, data } = file.tensors.find((tensor) => tensor.name === name)!;
    expect(type).toBe(dims.length === 1 ? TYPE_F32 : TYPE_Q4_0);
    const floats = encodeTensor(TYPE_F32, Float32Array.from(values));
    const expected = dims.length === 1 ? floats : quantizer.round(TYPE_F32, floats, TYPE_Q4_0).bytes;
    expect(Buffer.compare(data, expected), name).toBe(0);
  }
});

test("--embedding: the embedding has its own type, the rest is as without", async () => {
  const mixed = await convert(nanoFiles(), { type: "q4_0", embedding: "q8_0" });
  const embedding = tensors(NANO.Q8_0()).filter(({ name }) => name === "token_embd.weight");
  const expected = tensors(NANO.Q4_0()).map((tensor) => embedding.find(({ name }) => name === tensor.name) ?? tensor);
  expect(tensors(mixed)).toEqual(expected);
  expect(metadata(mixed).get("general.file_type")).toBe(2);
});

test("the report: bytes, tensors, and the mean squared error over all matrices", async () => {
  const progress: number[] = [];
  const file: number[] = [];
  const { encodeGguf } = await import("../../quant/write/encode");
  const sink = async (bytes: Uint8Array) => void file.push(bytes.length);
  const report = await encodeGguf(await open(nanoFiles()), sink, {
    type: "q4_0",
    rounding: plainRounding(quantizer),
    quantizer,
    onProgress: ({ doneBytes, totalBytes }) => progress.push(doneBytes / totalBytes!),
  });
  let squares = 0;
  let elements = 0;
  const exact = readGguf(NANO.F16()).tensors; // the BF16 weights all fit into F16
  for (const [name, { dims, values }] of readGguf(NANO.Q4_0()).tensors) {
    if (dims.length === 1) continue;
    elements += values.length;
    values.forEach((value, i) => {
      squares += (value - exact.get(name)!.values[i]!) ** 2;
    });
  }
  expect(report.meanSquaredError / (squares / elements)).toBeCloseTo(1, 4);
  expect(report).toMatchObject({ tensors: 74, bytes: file.reduce((sum, length) => sum + length) });
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
});

test("shards with an index give the same file, also when one of them is named", async () => {
  const files = nanoFiles();
  const expected = await convert(files);
  editTensors(files, (tensors) => {
    const shards: Map<string, TestTensor>[] = [new Map(), new Map(), new Map()];
    const weightMap: Record<string, string> = {};
    [...tensors].forEach(([name, tensor], i) => {
      shards[i % 3]!.set(name, tensor);
      weightMap[name] = `model-0000${(i % 3) + 1}-of-00003.safetensors`;
    });
    shards.forEach((shard, i) => {
      files.set(`model-0000${i + 1}-of-00003.safetensors`, safetensors(shard));
    });
    files.set("model.safetensors.index.json", Buffer.from(JSON.stringify({ metadata: {}, weight_map: weightMap })));
  });
  files.delete(WEIGHTS);
  expect(Buffer.compare(await convert(files), expected)).toBe(0);
  const checkpoint = await open(files, { weights: "model-00002-of-00003.safetensors" });
  expect(Buffer.compare(await gguf(checkpoint), expected)).toBe(0);
});

test("a safetensors file of another name, without model.safetensors", async () => {
  const files = nanoFiles();
  const expected = await convert(files);
  files.set("ema.safetensors", files.get(WEIGHTS)!);
  files.delete(WEIGHTS);
  expect(Buffer.compare(await gguf(await open(files, { weights: "ema.safetensors" })), expected)).toBe(0);
});

test("untied embeddings: the LM head is a tensor of its own, of --embedding's type", async () => {
  const files = nanoFiles();
  edit(files, "config.json", (config) => Object.assign(config, { tie_word_embeddings: false }));
  editTensors(files, (tensors) => tensors.set("lm_head.weight", tensors.get("model.embed_tokens.weight")!));
  const file = await convert(files, { type: "q4_0", embedding: "q8_0" });
  const find = (wanted: string) => tensors(file).find(({ name }) => name === wanted)!;
  expect(find("output.weight").type).toBe(TYPE_Q8_0);
  expect(find("output.weight")).toEqual({ ...find("token_embd.weight"), name: "output.weight" });
  expect(logits(await convert(files))).toEqual(logits(NANO.Q8_0()));
});

test("tied embeddings: a copy of the head, and rotary frequencies, are left out", async () => {
  const files = nanoFiles();
  const expected = await convert(files);
  editTensors(files, (tensors) => {
    tensors.set("lm_head.weight", tensors.get("model.embed_tokens.weight")!);
    const bytes = new Uint8Array(4 * 32);
    tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", { dtype: "F32", shape: [32], bytes });
  });
  expect(Buffer.compare(await convert(files), expected)).toBe(0);
});

test("F32 and F16 weights give what BF16 ones give", async () => {
  const expected = tensors(NANO.Q8_0());
  for (const dtype of ["F32", "F16"]) {
    const files = editTensors(nanoFiles(), (tensors) => {
      for (const [name, { shape, bytes }] of tensors) {
        const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
        const floats = new Float32Array(Uint32Array.from(words, (bits) => bits << 16).buffer);
        const encoded = dtype === "F32" ? new Uint8Array(floats.buffer) : encodeTensor(1, floats);
        tensors.set(name, { dtype, shape, bytes: encoded });
      }
    });
    expect(tensors(await convert(files))).toEqual(expected);
  }
});

test("rope scaling, linear: metadata", async () => {
  for (const scaling of [
    { rope_scaling: { type: "linear", factor: 4 } },
    { rope_scaling: null, rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 500000 } },
  ]) {
    const files = edit(nanoFiles(), "config.json", (config) => Object.assign(config, scaling));
    const file = await convert(files);
    expect(keys(file, "llama.rope.scaling.")).toEqual({
      "llama.rope.scaling.type": "linear",
      "llama.rope.scaling.factor": 4,
    });
    expect(keys(file, "llama.rope.freq_base")).toEqual({
      "llama.rope.freq_base": "rope_parameters" in scaling ? 500000 : 10000,
    });
    new Core(BASELINE[0]!).open(file);
  }
});

test("rope scaling, llama3: rope_freqs.weight as Transformers computes it for Llama 3.1", async () => {
  const rope = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  const files = edit(nanoFiles(), "config.json", (config) =>
    Object.assign(config, { rope_scaling: rope, rope_theta: 500000 }),
  );
  const file = await convert(files);
  expect(keys(file, "llama.rope.scaling.")).toEqual({});
  const { dims, values } = readGguf(file).tensors.get("rope_freqs.weight")!;
  expect(dims).toEqual([32]);
  // transformers' _compute_llama3_parameters(): plain frequencies over scaled ones.
  const expected = Array.from({ length: 32 }, (_, i) => {
    const frequency = 500000 ** ((-2 * i) / 64);
    const wavelength = (2 * Math.PI) / frequency;
    const smooth = (8192 / wavelength - 1) / 3;
    const scaled =
      wavelength > 8192
        ? frequency / 8
        : wavelength < 2048
          ? frequency
          : (1 - smooth) * (frequency / 8) + smooth * frequency;
    return Math.fround(frequency / scaled);
  });
  values.forEach((value, i) => {
    expect(value / expected[i]!).toBeCloseTo(1, 6);
  });
  expect(new Set(values)).toContain(8);
  expect(values[0]).toBe(1);
  expect(logits(file)).not.toEqual(logits(NANO.Q8_0()));
});

test("a head size that is not hidden / heads is written down", async () => {
  const files = nanoFiles();
  edit(files, "config.json", (config) =>
    Object.assign(config, { head_dim: 32, num_attention_heads: 6, num_key_value_heads: 2 }),
  );
  const plain = keys(await convert(files), "llama.attention.");
  expect(plain).not.toHaveProperty("llama.attention.key_length");
  edit(files, "config.json", (config) =>
    Object.assign(config, { head_dim: 64, num_attention_heads: 2, num_key_value_heads: 1 }),
  );
  editTensors(files, (tensors) => {
    for (const [name, { shape, bytes, dtype }] of tensors) {
      const halves = { q: [128, 192], o: [192, 128] }[/\.([qo])_proj/.exec(name)?.[1] ?? ""];
      if (halves) tensors.set(name, { dtype, shape: halves, bytes: bytes.subarray(0, (bytes.length * 2) / 3) });
      else tensors.set(name, { dtype, shape, bytes });
    }
  });
  const file = await convert(files);
  expect(keys(file, "llama.attention.")).toMatchObject({
    "llama.attention.key_length": 64,
    "llama.attention.value_length": 64,
  });
  new Core(BASELINE[0]!).open(file);
});

test("a tiny GGUF file in every readable type", async () => {
  for (const [type, tensorType] of [
    ["q8_0", 0],
    ["q4_0", 1],
    ["q8_0", 30],
    ["q4_0", 8],
  ] as const) {
    const tiny = writeGguf(
      tinyModel({ types: tensorType, alignment: 64, shuffleTensors: true, unknownKeys: true }),
    ).bytes;
    const file = await fromGguf(tiny, { type, requantize: true });
    const before = metadata(tiny);
    before.delete("general.alignment");
    const after = metadata(file);
    expect(after.get("general.file_type")).toBe(type === "q8_0" ? 7 : 2);
    for (const added of ["general.file_type", "general.quantization_version"]) after.delete(added);
    expect(after).toEqual(before);
    new Core(BASELINE[0]!).open(file);
  }
});

test("the tokenizer may be elsewhere, the name another", async () => {
  const files = nanoFiles();
  const expected = await convert(files);
  const elsewhere: Files = new Map();
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    elsewhere.set(name, files.get(name)!);
    files.delete(name);
  }
  const checkpoint = await open(files, { tokenizer: memoryDirectory("tokenizer", elsewhere) });
  expect(Buffer.compare(await gguf(checkpoint), expected)).toBe(0);
  const named = await open(nanoFiles(), { name: "Nano" });
  expect(named.metadata.get("general.name")?.value).toBe("Nano");
});

test("a GGUF file has its own tokenizer, and another is refused", async () => {
  const files: Files = new Map([["nano.gguf", await convert(nanoFiles())]]);
  const opening = openCheckpoint(memoryDirectory("model", files), "nano.gguf", {
    tokenizer: memoryDirectory("elsewhere", nanoFiles()),
  });
  await expect(opening).rejects.toMatchObject({ code: "INVALID_OPTION", field: "tokenizer", value: "elsewhere" });
});

test("the fixture is the model of llama.cpp's files", () => {
  expect(readFileSync(new URL("../fixtures/zagreus-nano-hf/model.safetensors", import.meta.url)).length).toBe(9451664);
});
