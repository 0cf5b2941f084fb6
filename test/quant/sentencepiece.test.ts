// SentencePiece's vocabularies of checkpoints: tokenizer.json with byte fallback, tokenizer.model, and both.

import { expect, test } from "vitest";
import { load } from "zagreus-edge";
import { TOKEN_BYTE, TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_UNKNOWN } from "../../assembly/layout/gguf";
import { edit, type Files, failure, gguf, nanoFiles, open } from "./support";

const ROWS = 8192;
const BYTES = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
const PIECES = ["\u2581", "h", "e", "l", "o", "he", "ll", "\u2581he", "\u2581hell", "\u2581hello"];
const TOKENS = ["<unk>", "<s>", "</s>", ...BYTES, ...PIECES];
const MERGES = ["h e", "l l", "\u2581 he", "\u2581he ll", "\u2581hell o"];
const id = (token: string) => TOKENS.indexOf(token);

const control = (content: string) => ({ id: id(content), content, special: true });
const TOKENIZER = {
  added_tokens: ["<unk>", "<s>", "</s>"].map(control),
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "\u2581" },
      { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    ],
  },
  pre_tokenizer: null,
  model: {
    type: "BPE",
    byte_fallback: true,
    unk_token: "<unk>",
    vocab: Object.fromEntries(TOKENS.map((token, i) => [token, i])),
    merges: MERGES,
  },
};

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
const field = (number: number, bytes: readonly number[]) => [
  ...varint((number << 3) | 2),
  ...varint(bytes.length),
  ...bytes,
];
const f32 = (value: number) => [...new Uint8Array(Float32Array.of(value).buffer)];

/** tokenizer.model of these pieces, the later ones worse. */
function sentencePieceModel(algorithm = 2): Uint8Array<ArrayBuffer> {
  const pieces = TOKENS.flatMap((token, i) => {
    const type = i === 0 ? TOKEN_UNKNOWN : i < 3 ? TOKEN_CONTROL : i < 259 ? TOKEN_BYTE : TOKEN_NORMAL;
    return field(1, [
      ...field(1, [...new TextEncoder().encode(token)]),
      0x15,
      ...f32(i < 259 ? 0 : 259 - i),
      0x18,
      type,
    ]);
  });
  return Uint8Array.from([...pieces, ...field(2, [0x18, algorithm]), ...field(3, [0x18, 1])]);
}

/** zagreus-nano with another tokenizer. */
function files({ json, model }: { json?: object; model?: Uint8Array<ArrayBuffer> }): Files {
  const all = nanoFiles();
  all.delete("tokenizer.json");
  all.delete("tokenizer_config.json");
  all.delete("generation_config.json");
  if (json) all.set("tokenizer.json", new TextEncoder().encode(JSON.stringify(json)));
  if (model) all.set("tokenizer.model", model);
  return edit(all, "config.json", (config) => Object.assign(config, { bos_token_id: 1, eos_token_id: 2 }));
}

test.each([
  ["tokenizer.json", { json: TOKENIZER }],
  ["tokenizer.model", { model: sentencePieceModel() }],
  ["both", { json: TOKENIZER, model: sentencePieceModel() }],
])("%s: what is written encodes and decodes", async (_, given) => {
  const model = await load(await gguf(await open(files(given))), { contextLength: 64 });
  const bos = false;
  expect(model.info.tokenizer).toMatchObject({ bos: 1, eos: 2 });
  expect(model.tokenize("hello", { bos })).toEqual([id("\u2581hello")]);
  expect(model.tokenize("hello hell\n", { bos })).toEqual([id("\u2581hello"), id("\u2581hell"), id("<0x0A>")]);
  expect(model.tokenize("<s>hello", { bos, special: true })).toEqual([1, id("\u2581hello")]);
  expect(model.tokenize("hello", { bos, continues: true })).toEqual(["he", "ll", "o"].map(id));
  expect(model.detokenize([1, id("\u2581hello"), id("\u2581he")])).toBe("hello he");
  expect(model.detokenize([id("\u2581he")], { continues: true })).toBe(" he");
  expect(model.tokenize("\u00e8 \u4e2d", { bos }).length).toBe(1 + 2 + 1 + 3);
  expect(model.info.vocabulary).toBe(ROWS);
  model.close();
});

test("bos comes first as the post-processor has it, without tokenizer.json always", async () => {
  const metadata = async (given: Parameters<typeof files>[0]) => (await open(files(given))).metadata;
  expect((await metadata({ json: TOKENIZER })).get("tokenizer.ggml.add_bos_token")!.value).toBe(false);
  const template = { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>" } }] };
  const begun = await metadata({ json: { ...TOKENIZER, post_processor: template } });
  expect(begun.get("tokenizer.ggml.add_bos_token")!.value).toBe(true);
  expect((await metadata({ model: sentencePieceModel() })).get("tokenizer.ggml.add_bos_token")!.value).toBe(true);
});

test("whether a blank comes first", async () => {
  const blankFirst = async (changes: object) =>
    (await open(files({ json: { ...TOKENIZER, ...changes } }))).metadata.get("tokenizer.ggml.add_space_prefix")!.value;
  const metaspace = (more: object) => ({
    normalizer: null,
    pre_tokenizer: { type: "Metaspace", replacement: "\u2581", ...more },
  });
  expect(await blankFirst({})).toBe(true);
  expect(await blankFirst({ normalizer: TOKENIZER.normalizer.normalizers[1] })).toBe(false);
  expect(await blankFirst(metaspace({ prepend_scheme: "first", split: false }))).toBe(true);
  expect(await blankFirst(metaspace({ prepend_scheme: "never", split: false }))).toBe(false);
  expect(await blankFirst(metaspace({ add_prefix_space: true }))).toBe(true);
});

test.each([
  ["unigram", { model: sentencePieceModel(1) }, "UNSUPPORTED_TOKENIZER", "model_type"],
  ["cut short", { model: sentencePieceModel().subarray(0, 700) }, "BAD_VOCABULARY", "tokenizer.model"],
  ["empty", { model: new Uint8Array() }, "BAD_VOCABULARY", "tokenizer.model"],
  ["no protocol buffer", { model: new TextEncoder().encode("{}") }, "BAD_VOCABULARY", "tokenizer.model"],
  [
    "another normalizer",
    { json: { ...TOKENIZER, normalizer: { type: "Lowercase" } } },
    "UNSUPPORTED_TOKENIZER",
    "normalizer",
  ],
])("refuses %s", async (_, given, code, field) => {
  const error = await failure(open(files(given)));
  expect({ code: error.code, field: error.field }).toEqual({ code, field });
});
