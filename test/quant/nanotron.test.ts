// A nanotron checkpoint gives the file that the Hugging Face directory of the same model gives.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ZagreusError } from "../../host/core/api/errors";
import { openHuggingface } from "../../quant/read/huggingface";
import { openCheckpoint } from "../../quant/read/open";
import { memoryDirectory } from "../support/models/memory_directory";
import {
  type HuggingFaceModel,
  type NanotronLayout,
  nanotronFiles,
  readMetadata,
  readSafetensors,
  safetensors,
  type TestTensor,
} from "../support/models/nanotron_writer";
import { turn } from "../support/turn";
import { type Files, gguf, nanoFiles, WEIGHTS } from "./support";

const HUGGINGFACE = nanoFiles();
const tokenizer = memoryDirectory("tokenizer", HUGGINGFACE);

const QKV = "model/model/decoder/1/pp_block/attn/qkv_proj/model_weight";
const DOWN = "model/model/decoder/0/pp_block/mlp/down_proj/model_weight";

interface HeaderChange {
  name?: string;
  metadata?: (said: Record<string, string>) => Record<string, string>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const json = (value: unknown) => bytes(JSON.stringify(value));
const text = (file: Uint8Array | undefined) => new TextDecoder().decode(file);

function nano(): HuggingFaceModel {
  return {
    config: JSON.parse(text(HUGGINGFACE.get("config.json"))),
    tensors: readSafetensors(HUGGINGFACE.get(WEIGHTS)!),
  };
}

/** A model whose heads can be split; BF16 noise. */
function small(changes: Record<string, unknown> = {}): HuggingFaceModel {
  const config: Record<string, unknown> = {
    architectures: ["LlamaForCausalLM"],
    bos_token_id: 8176,
    eos_token_id: 8177,
    hidden_act: "silu",
    hidden_size: 64,
    intermediate_size: 96,
    max_position_embeddings: 128,
    num_attention_heads: 4,
    num_hidden_layers: 3,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-5,
    rope_scaling: null,
    rope_theta: 1000000,
    tie_word_embeddings: true,
    vocab_size: 8192,
    ...changes,
  };
  const tensors = new Map<string, TestTensor>();
  let state = 1;
  const add = (name: string, ...shape: number[]) => {
    const values = new Uint16Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      values[i] = ((state >>> 16) & 0x80ff) | 0x3c00; // of either sign, about 0.01
    }
    tensors.set(`${name}.weight`, { dtype: "BF16", shape, bytes: new Uint8Array(values.buffer) });
  };
  const [hidden, inner] = [64, 96];
  const keys = 16 * Number(config.num_key_value_heads ?? 4);
  add("model.embed_tokens", Number(config.vocab_size), hidden);
  add("model.norm", hidden);
  if (!config.tie_word_embeddings) add("lm_head", Number(config.vocab_size), hidden);
  for (let layer = 0; layer < Number(config.num_hidden_layers); layer++) {
    const block = `model.layers.${layer}`;
    add(`${block}.input_layernorm`, hidden);
    add(`${block}.post_attention_layernorm`, hidden);
    add(`${block}.self_attn.q_proj`, hidden, hidden);
    add(`${block}.self_attn.k_proj`, keys, hidden);
    add(`${block}.self_attn.v_proj`, keys, hidden);
    add(`${block}.self_attn.o_proj`, hidden, hidden);
    add(`${block}.mlp.gate_proj`, inner, hidden);
    add(`${block}.mlp.up_proj`, inner, hidden);
    add(`${block}.mlp.down_proj`, hidden, inner);
  }
  return { config, tensors };
}

function openHf({ config, tensors }: HuggingFaceModel) {
  const files: Files = new Map([
    ["config.json", json(config)],
    [WEIGHTS, safetensors(tensors)],
  ]);
  return openHuggingface(memoryDirectory("model", files), { tokenizer });
}

const open = (files: Files) => openCheckpoint(memoryDirectory("model", files), undefined, { tokenizer });
const fromHuggingface = async (model: HuggingFaceModel) => gguf(await openHf(model));
const fromNanotron = async (files: Files) => gguf(await open(files));

describe("the GGUF file is that of the Hugging Face directory, byte for byte", () => {
  const same = (a: Uint8Array, b: Uint8Array) => expect(Buffer.compare(a, b)).toBe(0);

  test.each<NanotronLayout>([{}, { pp: 3 }, { ropeInterleaved: true }, { pp: 2, model: "is_qwen2_config" }])(
    "zagreus-nano, %o",
    async (layout) => same(await fromNanotron(nanotronFiles(nano(), layout)), await fromHuggingface(nano())),
  );

  test.each<[Record<string, unknown>, NanotronLayout]>([
    [{}, { tp: 2 }],
    [{ tie_word_embeddings: false }, { tp: 2, pp: 3, numpy2: false }],
    [{ num_key_value_heads: null }, { tp: 4, pp: 2, ropeInterleaved: true }],
    [{ vocab_size: 8200 }, { tp: 2 }],
  ])("a small model with %o, %o", async (changes, layout) => {
    const model = small(changes);
    same(await fromNanotron(nanotronFiles(model, layout)), await fromHuggingface(model));
  });

  test("with either of the two configuration files, and without the rest", async () => {
    const expected = await fromHuggingface(small());
    for (const kept of ["model_config.json", "config.yaml"]) {
      const files = nanotronFiles(small(), { tp: 2 });
      for (const path of files.keys()) if (!path.startsWith("model/") && path !== kept) files.delete(path);
      same(await fromNanotron(files), expected);
    }
  });

  test("with a copy of tied weights, and with the tokenizer in the same folder", async () => {
    const model = small();
    const copied = new Map(model.tensors).set("lm_head.weight", model.tensors.get("model.embed_tokens.weight")!);
    const untied = { config: { ...model.config, tie_word_embeddings: false }, tensors: copied };
    const files = nanotronFiles(untied, { tp: 2 });
    files.set("model_config.json", nanotronFiles(model).get("model_config.json")!);
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) files.set(name, HUGGINGFACE.get(name)!);
    same(await gguf(await openCheckpoint(memoryDirectory("model", files))), await fromHuggingface(model));
  });
});

test("any rows of any tensor are those of the Hugging Face directory", async () => {
  const model = small({ tie_word_embeddings: false });
  const expected = await openHf(model);
  const found = await Promise.all([
    open(nanotronFiles(model, { tp: 2, pp: 2 })),
    open(nanotronFiles(model, { ropeInterleaved: true })),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(), async (which, first, length) => {
      const tensor = expected.tensors[which % expected.tensors.length]!;
      const row = first % tensor.rows;
      const count = 1 + (length % (tensor.rows - row));
      const rows = await tensor.read(row, count);
      for (const { tensors } of found) {
        const same = tensors.find(({ name }) => name === tensor.name)!;
        expect(Buffer.from(rows).equals(await same.read(row, count))).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});

describe("malformed folders", () => {
  const edit = (path: string, change: (content: string) => string) => (files: Files) =>
    void files.set(path, bytes(change(text(files.get(path)))));
  const config = (changes: Record<string, unknown>) =>
    edit("model_config.json", (content) => JSON.stringify({ ...JSON.parse(content), ...changes }));
  const yaml = (from: string, to: string) => edit("config.yaml", (content) => content.replace(from, to));
  const withoutJson = (change: (files: Files) => void) => (files: Files) => {
    files.delete("model_config.json");
    change(files);
  };
  /** Changes what a safetensors file says about its tensor. */
  const header =
    (path: string, { metadata, name = "data", dtype, shape }: Partial<TestTensor> & HeaderChange) =>
    (files: Files) => {
      const file = files.get(path)!;
      const tensor = readSafetensors(file).get("data")!;
      const said = readMetadata(file);
      const changed = { ...tensor, dtype: dtype ?? tensor.dtype, shape: shape ?? tensor.shape };
      files.set(path, safetensors(new Map([[name, changed]]), metadata?.(said) ?? said));
    };
  const rank = (prefix: string, number: number, stage = 0) =>
    `${prefix}_pp-rank-${stage}-of-1_tp-rank-${number}-of-2.safetensors`;
  const says = (path: string, changes: Record<string, string>) =>
    header(path, { metadata: (said) => ({ ...said, ...changes }) });
  const slices = (value: string) => says(rank(DOWN, 1), { local_global_slices_pairs: value });
  const remove = (path: string) => (files: Files) => {
    if (!files.delete(path)) throw new Error(`no ${path}`);
  };
  const move = (from: string, to: string) => (files: Files) => {
    files.set(to, files.get(from)!);
    files.delete(from);
  };

  test("more slices than are compared with each other", async () => {
    const files = nanotronFiles(small(), { tp: 2 });
    const pairs = (row: number) =>
      Array.from({ length: 64 }, (_, i) => `0,1,None|0,1,None#${row},${row + 1},None|${i},${i + 1},None`).join(";");
    for (let part = 0; part < 65; part++) {
      const path = rank(DOWN, part).replace("of-2.", "of-65.");
      files.set(path, files.get(rank(DOWN, 0))!);
      says(path, { local_global_slices_pairs: pairs(part % 64) })(files);
    }
    for (const part of [0, 1]) files.delete(rank(DOWN, part));
    await expect(open(files)).rejects.toMatchObject({ code: "BAD_VALUE", value: 65 * 64 });
  });

  test.each<[what: string, change: (files: Files) => void, code: string, field: string]>([
    ["YAML that is not", yaml("general:", "general: ["), "BAD_YAML", "config.yaml"],
    ["YAML that is a list", edit("config.yaml", () => "- 1"), "BAD_YAML", "config.yaml"],
    ["YAML that is binary", (files) => void files.set("config.yaml", Uint8Array.of(255)), "BAD_JSON", "config.yaml"],
    [
      "YAML that grows",
      edit("config.yaml", (content) => `${content}a: &a [1]\nb: [${Array(17).fill("*a").join()}]\n`),
      "BAD_YAML",
      "config.yaml",
    ],
    ["no model in YAML", withoutJson(yaml("\nmodel:", "\nmodels:")), "MISSING_KEY", "model"],
    [
      "a bad field in YAML",
      withoutJson(yaml("hidden_size: 64", "hidden_size: wide")),
      "BAD_VALUE",
      "model.model_config.hidden_size",
    ],
    ["no configuration", withoutJson(remove("config.yaml")), "SOURCE_FAILED", "model_config.json"],
    ["JSON that is not", edit("model_config.json", () => "{"), "BAD_JSON", "model_config.json"],
    ["no number of layers", config({ num_hidden_layers: undefined }), "MISSING_KEY", "num_hidden_layers"],
    ["a model of another kind", config({ is_llama_config: undefined }), "UNSUPPORTED_ARCHITECTURE", "is_llama_config"],
    ["experts", config({ moe_config: { num_experts: 8 } }), "BAD_VALUE", "moe_config"],
    ["layers without RoPE", config({ no_rope_layer: 4 }), "BAD_VALUE", "no_rope_layer"],
    ["a sliding window", config({ sliding_window_size: 20 }), "BAD_VALUE", "sliding_window_size"],
    ["biases", config({ attention_bias: true }), "BAD_VALUE", "attention_bias"],
    ["another activation", config({ hidden_act: "gelu" }), "BAD_VALUE", "hidden_act"],
    ["RoPE that is neither", config({ rope_interleaved: "no" }), "BAD_VALUE", "rope_interleaved"],
    ["spectral muP", yaml("std: 0.025", "use_mup: true"), "BAD_VALUE", "model.init_method.use_mup"],
    [
      "a checkpoint of the future",
      edit("checkpoint_metadata.json", (content) => content.replace("1.4", "2.0")),
      "UNSUPPORTED_VERSION",
      "version",
    ],
    ["a file of the future", says(rank(QKV, 1), { version: "1.6" }), "UNSUPPORTED_VERSION", "version"],
    ["a file of the past", header(rank(QKV, 1), { metadata: () => ({}) }), "UNSUPPORTED_VERSION", "version"],
    ["a missing rank", remove(rank(QKV, 1)), "MISSING_TENSOR", "decoder.1.pp_block.attn.qkv_proj.weight"],
    [
      "a missing parameter",
      remove("model/model/final_layer_norm/pp_block/model_weight.safetensors"),
      "MISSING_TENSOR",
      "final_layer_norm.pp_block.weight",
    ],
    ["more layers than configured", config({ num_hidden_layers: 2 }), "UNEXPECTED_TENSOR", ""],
    ["a rank twice", (files) => void files.set(rank(QKV, 1, 1), files.get(rank(QKV, 1))!), "UNEXPECTED_TENSOR", ""],
    ["ranks of other sizes", move(rank(QKV, 1), rank(QKV, 1).replace("of-2.", "of-3.")), "UNEXPECTED_TENSOR", ""],
    [
      "a rank too many",
      move(rank(QKV, 1), rank(QKV, 1).replace("rank-1-of-2", "rank-2-of-2")),
      "UNEXPECTED_TENSOR",
      "",
    ],
    [
      "ranks without end",
      (files) => {
        files.set(rank(QKV, 0).replace("of-2.", "of-99999999999."), files.get(rank(QKV, 0))!);
        files.delete(rank(QKV, 0));
        files.delete(rank(QKV, 1));
      },
      "MISSING_TENSOR",
      "decoder.1.pp_block.attn.qkv_proj.weight",
    ],
    [
      "a bias",
      (files) => void files.set(rank(QKV, 0).replace("_weight", "_bias"), files.get(rank(QKV, 0))!),
      "UNEXPECTED_TENSOR",
      rank(QKV, 0).replace("_weight", "_bias"),
    ],
    ["a file of another kind", (files) => void files.set("model/model/notes.txt", bytes("")), "UNEXPECTED_TENSOR", ""],
    ["another tensor's name", header(rank(QKV, 0), { name: "weight" }), "MISSING_TENSOR", "data"],
    ["ranks of two types", header(rank(QKV, 1), { dtype: "F16" }), "BAD_VALUE", "data.dtype"],
    [
      "integers",
      (files) => {
        for (const number of [0, 1]) header(rank(QKV, number), { dtype: "I16" })(files);
      },
      "UNSUPPORTED_TENSOR_TYPE",
      "data",
    ],
    ["a parameter of another shape", config({ intermediate_size: 128 }), "BAD_DIMENSION", "unsharded_shape"],
    ["a norm of another shape", config({ hidden_size: 128 }), "BAD_DIMENSION", "unsharded_shape"],
    ["a shape that is none", says(rank(DOWN, 1), { unsharded_shape: "wide" }), "BAD_DIMENSION", "unsharded_shape"],
    ["a vector", header(rank(DOWN, 1), { shape: [64 * 48] }), "BAD_DIMENSION", "data.shape"],
    ["no slices", slices(""), "BAD_VALUE", "local_global_slices_pairs"],
    ["one slice", slices("None,None,None|None,None,None"), "BAD_VALUE", "local_global_slices_pairs"],
    ["slices of one dimension", slices("None,None,None#None,None,None"), "BAD_VALUE", "local_global_slices_pairs"],
    [
      "slices of other sizes",
      slices("None,None,None|0,48,None#None,None,None|48,95,None"),
      "BAD_VALUE",
      "local_global_slices_pairs",
    ],
    [
      "slices with steps",
      slices("None,None,None|0,48,2#None,None,None|48,96,2"),
      "BAD_VALUE",
      "local_global_slices_pairs",
    ],
    [
      "slices outside",
      slices("None,None,None|0,48,None#None,None,None|49,97,None"),
      "BAD_VALUE",
      "local_global_slices_pairs",
    ],
    [
      "slices of another rank",
      slices("None,None,None|0,48,None#None,None,None|0,48,None"),
      "BAD_VALUE",
      "local_global_slices_pairs",
    ],
    [
      "slices with a gap",
      slices("None,None,None|0,47,None#None,None,None|48,95,None"),
      "BAD_VALUE",
      "local_global_slices_pairs",
    ],
    [
      "slices without end",
      slices(Array(100).fill("None,None,None|0,48,None#None,None,None|48,96,None").join(";")),
      "BAD_VALUE",
      "local_global_slices_pairs",
    ],
  ])("%s", async (_, change, code, field) => {
    const files = nanotronFiles(small(), { tp: 2 });
    change(files);
    const error = await open(files).catch((error) => error);
    expect(error).toBeInstanceOf(ZagreusError);
    expect({ code: error.code, field: error.field }).toEqual({ code, field: field === "" ? error.field : field });
  });

  test("no tokenizer, with the name of the one that it was trained with", async () => {
    const directory = memoryDirectory("model", nanotronFiles(small()));
    await expect(openCheckpoint(directory)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      field: "tokenizer",
      message: expect.stringContaining('"zagreus-nano"'),
    });
  });

  test("changed bytes give an error or a checkpoint, never anything else", async () => {
    const original = nanotronFiles(small({ num_hidden_layers: 1 }), { tp: 2 });
    const paths = [...original.keys()];
    await fc.assert(
      fc
        .asyncProperty(
          fc.nat(),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }),
          async (which, changes) => {
            const path = paths[which % paths.length]!;
            const file = original.get(path)!.slice();
            for (const [at, value] of changes) file[at % Math.min(file.length, 400)] = value;
            const error = await open(new Map(original).set(path, file)).catch((error) => error);
            if (error instanceof Error) expect(error).toBeInstanceOf(ZagreusError);
          },
        )
        .afterEach(turn),
      { numRuns: 300 },
    );
  });
});
