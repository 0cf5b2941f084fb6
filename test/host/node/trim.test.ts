// Models with fewer tokens: the same logits, every text, and what is refused.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundledModel, load, type Model } from "zagreus-edge";
import { quantize, type TrimOptions, trim } from "zagreus-edge/quantize";
import { TYPE_F16 } from "../../../assembly/layout/blocks";
import {
  TOKEN_BYTE,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_UNKNOWN,
  VALUE_F32,
  VALUE_I32,
  VALUE_STRING,
} from "../../../assembly/layout/gguf";
import type { Metadata } from "../../../quant/checkpoint/metadata";
import { openGguf } from "../../../quant/read/gguf_checkpoint";
import { memoryFile } from "../../quant/support";
import { ggufParts, partPath } from "../../support/models/gguf_parts";
import { array, type Entry, type GgufFile, string, tinyModel, writeGguf } from "../../support/models/gguf_writer";
import { bits, caught } from "../../support/nano";

const root = mkdtempSync(join(tmpdir(), "zagreus-trim-"));
afterAll(() => rmSync(root, { recursive: true }));
const out = join(root, "nano.gguf");
const ROWS = 3000;

const metadataOf = async (path: string): Promise<Metadata> =>
  (await openGguf(memoryFile(new Uint8Array(readFileSync(path)), path))).metadata;
const tokensOf = (metadata: Metadata) => metadata.get("tokenizer.ggml.tokens")!.value as string[];

/** By the tokens of a smaller vocabulary, their ids in the whole one. */
async function idsBefore(whole: string, trimmed: string): Promise<number[]> {
  const ids = new Map(tokensOf(await metadataOf(whole)).map((token, id) => [token, id]));
  return tokensOf(await metadataOf(trimmed)).map((token) => ids.get(token)!);
}

async function logitsOf(model: Model, tokens: number[]): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for await (const row of model.logits(tokens, { all: true })) rows.push(row.slice());
  return rows;
}

const text = fc.string({ unit: "binary", maxLength: 40 });

describe("zagreus-nano", () => {
  let whole: Model;
  let trimmed: Model;
  let before: number[];

  beforeAll(async () => {
    const report = await trim(bundledModel, out, { languages: ["it", "en"], tokens: ROWS });
    expect(report.tokens).toEqual({ before: 8192, after: ROWS });
    expect(report.bytes).toBe(readFileSync(out).length);
    expect(report.embeddingBytes).toEqual({ before: 8192 * 6 * 34, after: ROWS * 6 * 34 });
    expect(report.texts.map(({ name }) => name)).toEqual(["it", "en", "code"]);
    for (const { characters, before, after, longer } of report.texts) {
      expect(characters).toBeGreaterThan(9000);
      expect(after).toBeGreaterThan(before);
      expect(longer[0]!.after).toBeGreaterThan(longer[0]!.before);
    }
    whole = await load(bundledModel);
    trimmed = await load(out);
    before = await idsBefore(bundledModel.pathname, out);
  });
  afterAll(() => {
    whole.close();
    trimmed.close();
  });

  test("logits of the tokens that stay are equal to the bit", async () => {
    const tokens = trimmed.tokenize("C'era una volta un re, e “there was” a king in 1234.");
    const rows = await logitsOf(trimmed, tokens);
    const expected = await logitsOf(
      whole,
      tokens.map((id) => before[id]!),
    );
    expect(rows.length).toBe(tokens.length);
    rows.forEach((row, i) => {
      expect(bits(row).equals(bits(Float32Array.from(before, (id) => expected[i]![id]!)))).toBe(true);
    });
  });

  test("every text comes back, and is the whole model's tokens where these stay", () => {
    const places = new Map(before.map((id, place) => [id, place]));
    let same = 0;
    const check = (text: string) => {
      const tokens = trimmed.tokenize(text, { bos: false });
      expect(trimmed.detokenize(tokens)).toBe(text);
      const all = whole.tokenize(text, { bos: false });
      if (!all.every((id) => places.has(id))) return;
      expect(tokens).toEqual(all.map((id) => places.get(id)));
      same++;
    };
    fc.assert(fc.property(text, check), { numRuns: 1000 });
    const novel = readFileSync(new URL("../../fixtures/text/held-ita.txt", import.meta.url), "utf8");
    for (const word of novel.slice(0, 30000).match(/\s*\S+/g)!) check(word);
    expect(same).toBeGreaterThan(1000);
  });

  test("special tokens are what they were", () => {
    const names = (model: Model) => Object.keys(model.info.tokenizer.special).sort();
    expect(names(trimmed)).toEqual(names(whole));
    const { bos, eos, end } = trimmed.info.tokenizer;
    expect([before[bos!], before[eos!]]).toEqual([whole.info.tokenizer.bos, whole.info.tokenizer.eos]);
    expect(end.map((id) => before[id])).toEqual(whole.info.tokenizer.end);
    expect(trimmed.tokenize("<|im_start|>a", { special: true, bos: false })[0]).toBe(
      trimmed.info.tokenizer.special["<|im_start|>"],
    );
  });

  test("from a checkpoint: an embedding in int8 that is smaller than the whole one in int4", async () => {
    const checkpoint = new URL("../../fixtures/zagreus-nano-hf", import.meta.url).pathname;
    const keep = { languages: ["it" as const], tokens: ROWS, code: false };
    const path = join(root, "checkpoint.gguf");
    const report = await quantize(checkpoint, path, { type: "q4_0", keep });
    expect(report).toMatchObject({
      tokens: { before: 8192, after: ROWS },
      embeddingBytes: { before: 8192 * 6 * 18, after: ROWS * 6 * 34 },
    });
    expect(report.texts!.map(({ name }) => name)).toEqual(["it"]);
    const { tensors } = await openGguf(memoryFile(new Uint8Array(readFileSync(path))));
    const types = new Map(tensors.map(({ name, type }) => [name, type]));
    expect([types.get("token_embd.weight"), types.get("blk.0.ffn_up.weight")]).toEqual([8, 2]);
    const plain = await quantize(checkpoint, path, { type: "q4_0", embedding: "q4_0", keep });
    expect(report.bytes - plain.bytes).toBe(ROWS * 6 * 16);
  });
});

/** A vocabulary of SentencePiece, of all bytes, characters and pieces. */
function sentencePiece(pieces: string[], bytes = true): GgufFile {
  const byte = (_: unknown, i: number) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`;
  const tokens = ["<unk>", "<s>", "</s>", ...(bytes ? Array.from({ length: 256 }, byte) : []), ...pieces];
  const first = tokens.length - pieces.length;
  const types = tokens.map((_, id) =>
    id === 0 ? TOKEN_UNKNOWN : id < 3 ? TOKEN_CONTROL : id < first ? TOKEN_BYTE : TOKEN_NORMAL,
  );
  const file = tinyModel({ extraTokens: tokens.length - 265, tied: false });
  const others = file.metadata.filter(({ key }) => !key.startsWith("tokenizer."));
  const more: Entry[] = [
    { key: "tokenizer.ggml.model", value: string("llama") },
    { key: "tokenizer.ggml.tokens", value: array(VALUE_STRING, tokens) },
    { key: "tokenizer.ggml.token_type", value: array(VALUE_I32, types) },
    {
      key: "tokenizer.ggml.scores",
      value: array(
        VALUE_F32,
        tokens.map((_, id) => first - id),
      ),
    },
  ];
  return { ...file, metadata: [...others, ...more] };
}

const PIECES = "abcdefghijklmnopqrstuvwxyz"
  .split("")
  .flatMap((letter) => [letter, `\u2581${letter}`, `${letter}a`, `\u2581${letter}a`, `${letter}o`]);

describe("other files", () => {
  const corpus = join(root, "corpus.txt");
  beforeAll(() => writeFileSync(corpus, "la casa bella del mondo antico\n".repeat(9000)));

  const write = (name: string, file: GgufFile) => {
    const path = join(root, name);
    writeFileSync(path, writeGguf(file).bytes);
    return path;
  };

  test("SentencePiece, with an LM head of its own, by a corpus of which a part is set aside", async () => {
    const source = write("scored.gguf", sentencePiece([...PIECES, "\u2581", "\u00e8"]));
    const path = join(root, "scored-small.gguf");
    const progress: (number | undefined)[] = [];
    const options: TrimOptions = { corpus: [corpus], tokens: 300, code: false };
    const report = await trim(source, path, {
      ...options,
      onProgress: ({ phase, doneBytes, totalBytes }) => {
        if (phase === "count") progress.push(doneBytes / totalBytes!);
      },
    });
    expect(report.texts).toEqual([expect.objectContaining({ name: "corpus" })]);
    const { before, after } = report.texts[0]!;
    expect(after).toBe(before); // few tokens are enough for few words
    expect(progress.at(-1)).toBe(1);
    expect(progress.length).toBeGreaterThan(3);
    const [whole, trimmed] = [await load(source), await load(path)];
    const ids = await idsBefore(source, path);
    fc.assert(
      fc.property(text, (text) => {
        const back = (model: Model) => model.detokenize(model.tokenize(text, { bos: false }));
        expect(back(trimmed)).toBe(back(whole));
      }),
    );
    const tokens = trimmed.tokenize("casa del mondo");
    expect(tokens.map((id) => ids[id])).toEqual(whole.tokenize("casa del mondo"));
    const rows = await logitsOf(trimmed, tokens);
    const expected = await logitsOf(
      whole,
      tokens.map((id) => ids[id]!),
    );
    rows.forEach((row, i) => {
      expect(bits(row).equals(bits(Float32Array.from(ids, (id) => expected[i]![id]!)))).toBe(true);
    });
    whole.close();
    trimmed.close();
  });

  test("in parts, and in F16 with an embedding that is rounded", async () => {
    const file = tinyModel({ types: TYPE_F16, extraTokens: 100 });
    const parts = ggufParts(file, [4, 9]);
    const directory = join(root, "parts");
    mkdirSync(directory);
    parts.forEach((bytes, i) => {
      writeFileSync(join(directory, partPath("m", i + 1, parts.length)), bytes);
    });
    const path = join(root, "joined.gguf");
    const options: TrimOptions = { languages: ["en"], tokens: 300, embedding: "q8_0" };
    const report = await trim(join(directory, partPath("m", 1, 3)), path, options);
    expect(report.embeddingBytes).toEqual({ before: 365 * 64 * 2, after: 300 * 2 * 34 });
    const one = join(root, "one.gguf");
    await trim(write("whole.gguf", file), one, options);
    expect(readFileSync(path).equals(readFileSync(one))).toBe(true);
    (await load(path)).close();
  });

  test.each<[what: string, source: () => string, options: TrimOptions, error: object]>([
    ["no language", () => bundledModel.pathname, {}, { code: "INVALID_OPTION", field: "languages" }],
    [
      "an unknown language",
      () => bundledModel.pathname,
      { languages: ["de" as "it"] },
      { code: "INVALID_OPTION", field: "languages", value: "de" },
    ],
    [
      "too few tokens",
      () => bundledModel.pathname,
      { languages: ["it"], tokens: 100 },
      { code: "INVALID_OPTION", field: "tokens", value: 100 },
    ],
    [
      "not fewer tokens",
      () => bundledModel.pathname,
      { languages: ["it"], tokens: 8192 },
      { code: "INVALID_OPTION", field: "tokens", value: 8192 },
    ],
    [
      "half a token",
      () => bundledModel.pathname,
      { languages: ["it"], tokens: 4000.5 },
      { code: "INVALID_OPTION", field: "tokens" },
    ],
    [
      "no corpus",
      () => bundledModel.pathname,
      { corpus: [join(root, "none.txt")] },
      { code: "SOURCE_FAILED", field: "corpus" },
    ],
    [
      "an empty corpus",
      () => {
        writeFileSync(join(root, "empty.txt"), "");
        return bundledModel.pathname;
      },
      { corpus: [join(root, "empty.txt")] },
      { code: "INVALID_OPTION", field: "corpus" },
    ],
    ["a folder as corpus", () => bundledModel.pathname, { corpus: [root] }, { code: "SOURCE_FAILED", field: "corpus" }],
    ["no GGUF file", () => corpus, { languages: ["it"] }, { code: "BAD_MAGIC" }],
    ["no file", () => join(root, "none.gguf"), { languages: ["it"] }, { code: "SOURCE_FAILED" }],
    [
      "int8 to int4",
      () => bundledModel.pathname,
      { languages: ["it"], embedding: "q4_0" },
      { code: "UNSUPPORTED_TENSOR_TYPE", field: "requantize" },
    ],
    [
      "a type that is not written",
      () => bundledModel.pathname,
      { languages: ["it"], embedding: "q5_0" as "q4_0" },
      { code: "INVALID_OPTION", field: "embedding" },
    ],
    [
      "a vocabulary of another kind",
      () => write("bert.gguf", tinyModelWith("tokenizer.ggml.model", "bert")),
      { languages: ["it"] },
      { code: "UNSUPPORTED_TOKENIZER", field: "tokenizer.ggml.model", value: "bert" },
    ],
  ])("%s is refused", async (_, source, options, error) => {
    const path = join(root, "refused.gguf");
    expect(await caught(trim(source(), path, options))).toMatchObject(error);
    expect(readdirSync(root).filter((name) => name.includes("refused"))).toEqual([]);
  });

  test("an abort leaves nothing, wherever it comes", async () => {
    for (const phase of ["count", "write"]) {
      const controller = new AbortController();
      const path = join(root, "aborted.gguf");
      const aborted = trim(bundledModel, path, {
        corpus: [corpus],
        signal: controller.signal,
        onProgress: (progress) => progress.phase === phase && controller.abort(),
      });
      expect(await caught(aborted)).toMatchObject({ code: "ABORTED" });
      expect(readdirSync(root).filter((name) => name.includes("aborted"))).toEqual([]);
    }
  });

  test("a model does not take its own place", async () => {
    const source = write("own.gguf", tinyModel({ extraTokens: 100 }));
    expect(await caught(trim(source, source, { languages: ["it"], tokens: 300 }))).toMatchObject({ field: "out" });
  });
});

function tinyModelWith(key: string, value: string): GgufFile {
  const file = tinyModel();
  file.metadata.find((entry) => entry.key === key)!.value = string(value);
  return file;
}
