// What can be wrong with a Hugging Face directory: typed errors that name the file and the field.

import { describe, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_UNUSED, TOKEN_USER_DEFINED } from "../../assembly/layout/gguf";
import { weightFiles } from "../../host/core/hub/choose";
import type { Directory } from "../../quant/checkpoint/checkpoint";
import { openHuggingface } from "../../quant/read/huggingface";
import { openCheckpoint } from "../../quant/read/open";
import { Core } from "../support/core";
import { memoryDirectory } from "../support/models/memory_directory";
import { safetensors } from "../support/models/nanotron_writer";
import { readRawGguf } from "../support/models/reference";
import { BASELINE } from "../support/variants";
import { edit, editTensors, type Files, failure, gguf, nanoFiles, open, WEIGHTS } from "./support";

const INDEX = "model.safetensors.index.json";
const BOS = 8176;

const config = (changes: Record<string, unknown>) =>
  edit(nanoFiles(), "config.json", (value) => Object.assign(value, changes));
const without = (name: string) => {
  const files = nanoFiles();
  files.delete(name);
  return files;
};
const withoutGeneration = (files: Files) => {
  files.delete("generation_config.json");
  return files;
};
const text = (files: Files, name: string, content: string) => files.set(name, new TextEncoder().encode(content));
/** tokenizer.json, loosely. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a test puts in
type Loose = any;
const tokenizer = (change: (value: Loose) => void) => edit(nanoFiles(), "tokenizer.json", change);
const tokenizerConfig = (changes: Record<string, unknown>) =>
  edit(nanoFiles(), "tokenizer_config.json", (value) => Object.assign(value, changes));

type Case = [what: string, files: () => Files, code: string, field: string];

async function expectFailure(files: Files, code: string, field: string): Promise<void> {
  const error = await failure(open(files));
  expect({ code: error.code, field: error.field }).toEqual({ code, field });
}

describe("config.json", () => {
  test.each<Case>([
    ["absent", () => without("config.json"), "SOURCE_FAILED", "config.json"],
    ["no JSON", () => text(nanoFiles(), "config.json", "{"), "BAD_JSON", "config.json"],
    ["an array", () => text(nanoFiles(), "config.json", "[]"), "BAD_JSON", "config.json"],
    [
      "nested without end",
      () => text(nanoFiles(), "config.json", `{"hidden_size":${"[".repeat(1e5)}${"]".repeat(1e5)}}`),
      "BAD_JSON",
      "config.json",
    ],
    [
      "other architecture",
      () => config({ architectures: ["Qwen2ForCausalLM"] }),
      "UNSUPPORTED_ARCHITECTURE",
      "architectures",
    ],
    ["no architecture", () => config({ architectures: [] }), "UNSUPPORTED_ARCHITECTURE", "architectures"],
    [
      "no key, other model type",
      () => config({ architectures: null, model_type: "qwen2" }),
      "UNSUPPORTED_ARCHITECTURE",
      "model_type",
    ],
    ["biases", () => config({ attention_bias: true }), "BAD_VALUE", "attention_bias"],
    ["biases of the MLP", () => config({ mlp_bias: true }), "BAD_VALUE", "mlp_bias"],
    ["other activation", () => config({ hidden_act: "gelu" }), "BAD_VALUE", "hidden_act"],
    ["quantized weights", () => config({ quantization_config: { bits: 4 } }), "BAD_VALUE", "quantization_config"],
    ...["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"].flatMap<Case>(
      (key) => [
        [`${key} missing`, () => config({ [key]: null }), "MISSING_KEY", key],
        [`${key} is text`, () => config({ [key]: "192" }), "BAD_VALUE", key],
        [`${key} is 0`, () => config({ [key]: 0 }), "BAD_VALUE", key],
        [`${key} is huge`, () => config({ [key]: 1e12 }), "BAD_VALUE", key],
      ],
    ),
    ["context missing", () => config({ max_position_embeddings: undefined }), "MISSING_KEY", "max_position_embeddings"],
    ["epsilon missing", () => config({ rms_norm_eps: undefined }), "MISSING_KEY", "rms_norm_eps"],
    ["epsilon 0", () => config({ rms_norm_eps: 0 }), "BAD_VALUE", "rms_norm_eps"],
    ["key heads", () => config({ num_key_value_heads: 2 }), "BAD_VALUE", "num_key_value_heads"],
    ["odd head size", () => config({ head_dim: 63 }), "BAD_VALUE", "head_dim"],
    ["theta", () => config({ rope_theta: -1 }), "BAD_VALUE", "rope_theta"],
    [
      "scaling without a factor",
      () => config({ rope_scaling: { type: "linear" } }),
      "MISSING_KEY",
      "rope_scaling.factor",
    ],
    ["scaling that is text", () => config({ rope_scaling: "linear" }), "BAD_VALUE", "rope_scaling"],
    [
      "a scaling that llama.cpp does not have",
      () => config({ rope_scaling: { rope_type: "dynamic", factor: 4 } }),
      "UNSUPPORTED_ROPE_SCALING",
      "rope_scaling.rope_type",
    ],
    [
      "YaRN without a factor",
      () => config({ rope_scaling: { rope_type: "yarn" } }),
      "MISSING_KEY",
      "rope_scaling.factor",
    ],
    [
      "YaRN with betas that no file has a place for",
      () => config({ rope_scaling: { rope_type: "yarn", factor: 4, beta_fast: 16 } }),
      "BAD_VALUE",
      "rope_scaling.beta_fast",
    ],
    ["tied is text", () => config({ tie_word_embeddings: "yes" }), "BAD_VALUE", "tie_word_embeddings"],
    ["bos beyond the vocabulary", () => config({ bos_token_id: 8192 }), "BAD_VALUE", "bos_token_id"],
    [
      "vocabulary below the tokenizer's",
      () => withoutGeneration(config({ vocab_size: 8100, bos_token_id: 1, eos_token_id: 1 })),
      "BAD_VOCABULARY",
      "model.vocab",
    ],
    ["more layers", () => config({ num_hidden_layers: 9 }), "MISSING_TENSOR", "model.layers.8.input_layernorm.weight"],
    [
      "fewer layers",
      () => config({ num_hidden_layers: 7 }),
      "UNEXPECTED_TENSOR",
      "model.layers.7.input_layernorm.weight",
    ],
    ["other width", () => config({ intermediate_size: 544 }), "BAD_DIMENSION", "model.layers.0.mlp.gate_proj.weight"],
    ["untied, without a head", () => config({ tie_word_embeddings: false }), "MISSING_TENSOR", "lm_head.weight"],
  ])("%s", (_, files, code, field) => expectFailure(files(), code, field));

  test("a matrix whose rows are not whole blocks", async () => {
    const files = config({ intermediate_size: 500 });
    editTensors(files, (tensors) => {
      for (const [name, { dtype, shape, bytes }] of tensors) {
        if (!name.includes(".mlp.")) continue;
        const cut = shape.map((size) => (size === 512 ? 500 : size));
        tensors.set(name, { dtype, shape: cut, bytes: bytes.subarray(0, 2 * 500 * 192) });
      }
    });
    expect(await failure(open(files).then((checkpoint) => gguf(checkpoint)))).toMatchObject({
      code: "BAD_DIMENSION",
      field: "blk.0.ffn_down.weight",
      value: 500,
    });
  });
});

describe("weights", () => {
  const indexed = (weightMap: unknown) => {
    const files = without(WEIGHTS);
    files.set("model-1.safetensors", nanoFiles().get(WEIGHTS)!);
    return text(files, INDEX, JSON.stringify({ weight_map: weightMap }));
  };
  const all = () => {
    const names: Record<string, string> = {};
    editTensors(nanoFiles(), (tensors) => {
      for (const name of tensors.keys()) names[name] = "model-1.safetensors";
    });
    return names;
  };
  const tensor = (shape: number[], dtype = "BF16", size = 2) => ({
    dtype,
    shape,
    bytes: new Uint8Array(shape.reduce((product, n) => product * n, size)),
  });
  test.each<Case>([
    ["absent", () => without(WEIGHTS), "SOURCE_FAILED", WEIGHTS],
    ["damaged", () => text(nanoFiles(), WEIGHTS, "not safetensors"), "HEADER_TOO_LARGE", "header"],
    [
      "bias tensor",
      () => editTensors(nanoFiles(), (t) => t.set("model.layers.0.self_attn.q_proj.bias", tensor([192]))),
      "UNEXPECTED_TENSOR",
      "model.layers.0.self_attn.q_proj.bias",
    ],
    [
      "int8 weights",
      () => editTensors(nanoFiles(), (t) => t.set("model.norm.weight", tensor([192], "I8", 1))),
      "UNSUPPORTED_TENSOR_TYPE",
      "model.norm.weight",
    ],
    [
      "8-bit floats",
      () => editTensors(nanoFiles(), (t) => t.set("model.norm.weight", tensor([192], "F8_E4M3", 1))),
      "UNSUPPORTED_TENSOR_TYPE",
      "model.norm.weight",
    ],
    [
      "transposed",
      () => editTensors(nanoFiles(), (t) => t.set("model.embed_tokens.weight", tensor([192, 8192]))),
      "BAD_DIMENSION",
      "model.embed_tokens.weight",
    ],
    [
      "a norm with two dimensions",
      () => editTensors(nanoFiles(), (t) => t.set("model.norm.weight", tensor([1, 192]))),
      "BAD_DIMENSION",
      "model.norm.weight",
    ],
    ["index without a map", () => text(without(WEIGHTS), INDEX, "{}"), "MISSING_KEY", "weight_map"],
    ["index that is no JSON", () => text(without(WEIGHTS), INDEX, "weights"), "BAD_JSON", INDEX],
    ["empty index", () => indexed({}), "BAD_VALUE", "weight_map"],
    [
      "index naming a missing shard",
      () => indexed({ ...all(), "model.norm.weight": "model-2.safetensors" }),
      "SOURCE_FAILED",
      "model-2.safetensors",
    ],
    [
      "index naming a missing tensor",
      () => indexed({ ...all(), "lm_head.weight": "model-1.safetensors" }),
      "MISSING_TENSOR",
      "lm_head.weight",
    ],
    ["index leading elsewhere", () => indexed({ a: "../secret.safetensors" }), "BAD_VALUE", "weight_map.a"],
    ["index of numbers", () => indexed({ a: 1 }), "BAD_VALUE", "weight_map.a"],
    [
      "a tensor in two shards",
      () =>
        indexed({ ...all(), "model.norm.weight": "model-2.safetensors" }).set(
          "model-2.safetensors",
          safetensors(new Map([["model.norm.weight", tensor([192])]])),
        ),
      "DUPLICATE_TENSOR",
      "model.norm.weight",
    ],
  ])("%s", (_, files, code, field) => expectFailure(files(), code, field));

  test("a norm that is not finite", async () => {
    const files = editTensors(nanoFiles(), (tensors) => {
      tensors.get("model.norm.weight")!.bytes.set([0x80, 0x7f], 2 * 5);
    });
    expect(await failure(open(files).then((checkpoint) => gguf(checkpoint)))).toMatchObject({
      code: "NON_FINITE_WEIGHT",
      field: "output_norm.weight",
      value: 5,
    });
  });

  test("every opened file is closed when opening fails, and by close()", async () => {
    const closing = async (files: Files, succeeds: boolean) => {
      let opened = 0;
      const directory = memoryDirectory("nano", files);
      const counting: Directory = {
        ...directory,
        async open(path) {
          const file = await directory.open(path);
          opened++;
          return {
            ...file,
            async close() {
              opened--;
            },
          };
        },
      };
      const checkpoint = await openHuggingface(counting).catch(() => undefined);
      expect(checkpoint !== undefined).toBe(succeeds);
      if (checkpoint) expect(opened).toBe(1);
      await checkpoint?.close();
      expect(opened).toBe(0);
    };
    await closing(nanoFiles(), true);
    await closing(config({ num_hidden_layers: 9 }), false);
    await closing(text(nanoFiles(), "tokenizer.json", "{"), false);
    await closing(text(nanoFiles(), WEIGHTS, "{"), false);
  });
});

describe("tokenizer", () => {
  const GPT2 = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  const DIGITS = { type: "Digits", individual_digits: true };
  const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
  const BYTES = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  const LLAMA =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  test.each<[string, object, boolean]>([
    ["gpt-2", GPT2, false],
    ["gpt-2", { type: "Sequence", pretokenizers: [GPT2] }, false],
    ["smollm", { type: "Sequence", pretokenizers: [DIGITS, GPT2] }, false],
    ["smollm", { type: "Sequence", pretokenizers: [split("\\p{N}"), GPT2] }, false],
    ["llama-bpe", { type: "Sequence", pretokenizers: [split(LLAMA), BYTES] }, true],
    ["smaug-bpe", { type: "Sequence", pretokenizers: [split(LLAMA), BYTES] }, false],
    ["qwen2", { type: "Sequence", pretokenizers: [split(LLAMA.replace("{1,3}", "")), BYTES] }, false],
    [
      "minicpm5",
      { type: "Sequence", pretokenizers: [split("\\p{N}{1,3}"), split(LLAMA.replace("{1,3}", "+")), BYTES] },
      true,
    ],
  ])("%s of %j", async (name, pre_tokenizer, ignore_merges) => {
    const files = tokenizer((t) => {
      t.pre_tokenizer = pre_tokenizer;
      t.model.ignore_merges = ignore_merges;
    });
    const { metadata } = await open(files);
    expect(metadata.get("tokenizer.ggml.pre")!.value).toBe(name);
  });

  test.each<Case>([
    ["absent", () => without("tokenizer.json"), "SOURCE_FAILED", "tokenizer.json"],
    ["no JSON", () => text(nanoFiles(), "tokenizer.json", "x"), "BAD_JSON", "tokenizer.json"],
    ["no model", () => tokenizer((t) => delete t.model), "MISSING_KEY", "model"],
    ["no vocabulary", () => tokenizer((t) => delete t.model.vocab), "MISSING_KEY", "model.vocab"],
    ["no merges", () => tokenizer((t) => delete t.model.merges), "MISSING_KEY", "model.merges"],
    [
      "unigram",
      () => tokenizer((t) => Object.assign(t.model, { type: "Unigram" })),
      "UNSUPPORTED_TOKENIZER",
      "model.type",
    ],
    [
      "byte fallback behind a byte-level pre-tokenizer",
      () => tokenizer((t) => Object.assign(t.model, { byte_fallback: true })),
      "UNSUPPORTED_TOKENIZER",
      "normalizer",
    ],
    [
      "a normalizer",
      () => tokenizer((t) => Object.assign(t, { normalizer: { type: "NFC" } })),
      "UNSUPPORTED_TOKENIZER",
      "normalizer",
    ],
    [
      "no pre-tokenizer",
      () => tokenizer((t) => Object.assign(t, { pre_tokenizer: null })),
      "UNSUPPORTED_TOKENIZER",
      "pre_tokenizer.type",
    ],
    [
      "other steps",
      () => tokenizer((t) => t.pre_tokenizer.pretokenizers.reverse()),
      "UNSUPPORTED_TOKENIZER",
      "pre_tokenizer.pretokenizers",
    ],
    [
      "other pattern",
      () => tokenizer((t) => Object.assign(t.pre_tokenizer.pretokenizers[0], { pattern: { Regex: "\\w+" } })),
      "UNSUPPORTED_TOKENIZER",
      "pre_tokenizer.pattern",
    ],
    [
      "prefix space",
      () => tokenizer((t) => Object.assign(t.pre_tokenizer.pretokenizers[1], { add_prefix_space: true })),
      "UNSUPPORTED_TOKENIZER",
      "pre_tokenizer.add_prefix_space",
    ],
    [
      "an id beyond the vocabulary",
      () => tokenizer((t) => Object.assign(t.model.vocab, { zzz: 8192 })),
      "BAD_VOCABULARY",
      "model.vocab",
    ],
    ["an id twice", () => tokenizer((t) => Object.assign(t.model.vocab, { zzz: 5 })), "BAD_VOCABULARY", "model.vocab"],
    [
      "an id that is text",
      () => tokenizer((t) => Object.assign(t.model.vocab, { zzz: "5" })),
      "BAD_VOCABULARY",
      "model.vocab",
    ],
    [
      "an added token without text",
      () => tokenizer((t) => delete t.added_tokens[0].content),
      "BAD_VOCABULARY",
      "added_tokens",
    ],
    [
      "an added token in another's place",
      () => tokenizer((t) => Object.assign(t.added_tokens[0], { id: 5 })),
      "BAD_VOCABULARY",
      "added_tokens",
    ],
    ["a merge of one", () => tokenizer((t) => t.model.merges.push("abc")), "BAD_VOCABULARY", "model.merges"],
    ["a merge of three", () => tokenizer((t) => t.model.merges.push("a b c")), "BAD_VOCABULARY", "model.merges"],
    [
      "a pair with a space",
      () => tokenizer((t) => t.model.merges.push(["a b", "c"])),
      "BAD_VOCABULARY",
      "model.merges",
    ],
    ["a merge of numbers", () => tokenizer((t) => t.model.merges.push([1, 2])), "BAD_VOCABULARY", "model.merges"],
    ["bos that is no token", () => tokenizerConfig({ bos_token: "<s>" }), "BAD_VALUE", "bos_token"],
    ["add_bos_token that is text", () => tokenizerConfig({ add_bos_token: "yes" }), "BAD_VALUE", "add_bos_token"],
    ["a template that is a number", () => tokenizerConfig({ chat_template: 1 }), "BAD_VALUE", "chat_template"],
    [
      "a list of templates without names",
      () => tokenizerConfig({ chat_template: ["x"] }),
      "BAD_VALUE",
      "chat_template",
    ],
  ])("%s", (_, files, code, field) => expectFailure(files(), code, field));

  const metadata = async (files: Files) => readRawGguf(await gguf(await open(files))).metadata;
  const key = async (files: Files, name: string) => (await metadata(files)).get(`tokenizer.${name}`);

  test("merges as pairs are the same as merges as text", async () => {
    const pairs = tokenizer((t) => {
      t.model.merges = t.model.merges.map((merge: string) => merge.split(" "));
    });
    expect(Buffer.compare(await gguf(await open(pairs)), await gguf(await open(nanoFiles())))).toBe(0);
  });

  test("ids without a token are unused, added tokens are control or user-defined", async () => {
    const files = tokenizer((t) => {
      const [last] = t.added_tokens.splice(-1);
      t.added_tokens.at(-1).special = false;
      t.added_tokens.at(-2).special = false;
      t.added_tokens.at(-2).content = "tool:";
      expect(last.id).toBe(8191);
    });
    const all = await metadata(files);
    const tokens = all.get("tokenizer.ggml.tokens") as string[];
    const types = all.get("tokenizer.ggml.token_type") as number[];
    expect(tokens).toHaveLength(8192);
    expect([tokens[8191], types[8191]]).toEqual(["[PAD8191]", TOKEN_UNUSED]);
    expect(types[8190]).toBe(TOKEN_CONTROL); // "<|…|>"
    expect([tokens[8189], types[8189]]).toEqual(["tool:", TOKEN_USER_DEFINED]);
    expect([types[0], types[BOS]]).toEqual([TOKEN_NORMAL, TOKEN_CONTROL]);
    new Core(BASELINE[0]!).open(await gguf(await open(files)));
  });

  test("special ids: the tokenizer's configuration before the model's, text or object", async () => {
    expect(await key(nanoFiles(), "ggml.bos_token_id")).toBe(BOS);
    const named = tokenizerConfig({ eos_token: { content: "<|im_end|>" }, pad_token: "<|finetune_right_pad_id|>" });
    expect(await key(named, "ggml.eos_token_id")).toBe(8179);
    expect(await key(named, "ggml.padding_token_id")).toBe(8185);
    const unnamed = edit(config({ eos_token_id: [8177, 8179], pad_token_id: -1 }), "tokenizer_config.json", (value) => {
      delete value.eos_token;
    });
    expect(await key(unnamed, "ggml.eos_token_id")).toBe(8177);
    expect(await key(unnamed, "ggml.padding_token_id")).toBeUndefined();
    expect(await key(without("tokenizer_config.json"), "ggml.eos_token_id")).toBe(8177);
  });

  const FIRST_RESERVED = 8187; // "<|reserved_special_token_1|>" and the next ones: control tokens without a known name

  test.each<[string, string, number[], Record<string, unknown>]>([
    ["config.json", "config.json", [8177, FIRST_RESERVED], { eot_token_id: FIRST_RESERVED }],
    ["generation_config.json", "generation_config.json", [8177, FIRST_RESERVED], { eot_token_id: FIRST_RESERVED }],
    ["one that llama.cpp knows by its name", "config.json", [8177, 8179], {}],
    ["three", "config.json", [8177, 8187, 8188], { eot_token_id: 8187, eom_token_id: 8188 }],
    ["another one than the tokenizer's", "generation_config.json", [8188], { eot_token_id: 8188 }],
  ])("all ends of a list survive: %s", async (_, file, ids, keys) => {
    const files = edit(nanoFiles(), file, (value) => Object.assign(value, { eos_token_id: ids }));
    const all = await metadata(files);
    const ends = ["eot_token_id", "eom_token_id"].map((name) => [name, all.get(`tokenizer.ggml.${name}`)]);
    expect(Object.fromEntries(ends.filter(([, id]) => id !== undefined))).toEqual(keys);
    expect(all.get("tokenizer.ggml.eos_token_id")).toBe(8177);
    expect(all.has("zagreus.end_token_ids")).toBe(false);
    const model = await load(await gguf(await open(files)), { threads: 1 });
    expect(model.info.tokenizer.end).toEqual(expect.arrayContaining(ids));
    model.close();
  });

  test("more ends than GGUF has keys for", async () => {
    const ids = [8187, 8188, 8189, 8190, 8191];
    const files = config({ eos_token_id: ids });
    expect((await metadata(files)).get("zagreus.end_token_ids")).toEqual([8189, 8190, 8191]);
    const model = await load(await gguf(await open(files)), { threads: 1 });
    expect(model.info.tokenizer.end).toEqual(expect.arrayContaining([8177, ...ids]));
    model.close();
    await expectFailure(
      config({ eos_token_id: Array.from({ length: 60 }, (_, id) => id) }),
      "BAD_VALUE",
      "eos_token_id",
    );
    await expectFailure(config({ eos_token_id: [8177, 8192] }), "BAD_VALUE", "eos_token_id");
  });

  test("add_bos_token: as configured, else as the template of the post-processor has it", async () => {
    expect(await key(nanoFiles(), "ggml.add_bos_token")).toBe(true);
    expect(await key(tokenizerConfig({ add_bos_token: false }), "ggml.add_bos_token")).toBe(false);
    const bare = tokenizer((t) => {
      t.post_processor = { type: "ByteLevel" };
    });
    expect(await key(bare, "ggml.add_bos_token")).toBe(false);
    const alone = tokenizer((t) => {
      t.post_processor = t.post_processor.processors[1];
    });
    expect(await key(alone, "ggml.add_bos_token")).toBe(true);
  });

  test("chat template: one, several, or a file of its own", async () => {
    expect(await key(nanoFiles(), "chat_template")).toBeUndefined();
    expect(await key(tokenizerConfig({ chat_template: "{{ è }}" }), "chat_template")).toBe("{{ è }}");
    const several = [
      { name: "default", template: "d" },
      { name: "tool_use", template: "t" },
    ];
    const files = tokenizerConfig({ chat_template: several });
    expect(await key(files, "chat_template")).toBe("d");
    expect(await key(files, "chat_template.tool_use")).toBe("t");
    text(files, "chat_template.jinja", "file");
    expect(await key(files, "chat_template")).toBe("file");
    expect(await key(files, "chat_template.tool_use")).toBeUndefined(); // as for transformers
    text(files, "additional_chat_templates/rag.jinja", "r");
    expect(await key(files, "chat_template.rag")).toBe("r");
    expect(await key(files, "chat_templates")).toEqual(["rag"]);
    expect(await key(text(nanoFiles(), "chat_template.jinja", "file"), "chat_template")).toBe("file");
  });
});

test("JSON as editors on Windows write it, with a byte order mark", async () => {
  const [marked, plain] = [nanoFiles(), nanoFiles()];
  expect(weightFiles(["a.safetensors"], '\uFEFF{"weight_map": {"t": "a.safetensors"}}')).toEqual(["a.safetensors"]);
  for (const [name, bytes] of plain) {
    if (name.endsWith(".json")) marked.set(name, Buffer.concat([Buffer.from("\uFEFF"), bytes]));
  }
  expect(Buffer.compare(await gguf(await open(marked)), await gguf(await open(plain)))).toBe(0);
});

test("RoPE scaling: llama.cpp's keys, and its conversion's defaults", async () => {
  const scaled = async (rope_scaling: object, more: object = {}) => {
    const { metadata, tensors } = await open(config({ rope_scaling, ...more }));
    const keys = [...metadata].flatMap(
      ([key, { value }]) => /rope\.scaling\.(.*)/.exec(key)?.slice(1).concat(String(value)) ?? [],
    );
    const factors = tensors.find(({ name }) => name === "rope_freqs.weight");
    return { keys, factors: factors && new Float32Array((await factors.read(0, 1)).slice().buffer) };
  };
  expect((await scaled({ type: "yarn", factor: 4 }, { original_max_position_embeddings: 128 })).keys).toEqual([
    ...["type", "yarn", "factor", "4", "original_context_length", "128"],
  ]);
  const own = await scaled({ rope_type: "yarn", factor: 2, original_max_position_embeddings: 64, attention_factor: 1 });
  expect(Number(own.keys.at(-1))).toBeCloseTo(1 / (1 + 0.1 * Math.log(2)), 6);
  const whole = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192, factor: 8 };
  expect((await scaled({ rope_type: "llama3" })).factors).toEqual(
    (await scaled({ rope_type: "llama3", ...whole })).factors,
  );
});

test("a folder that is no checkpoint", async () => {
  const empty = memoryDirectory("downloads", new Map([["notes.txt", new Uint8Array(3)]]));
  expect(await failure(openCheckpoint(empty))).toMatchObject({ code: "SOURCE_FAILED", value: "downloads" });
  expect(await failure(openCheckpoint(empty, "notes.txt"))).toMatchObject({ code: "TRUNCATED" });
});
