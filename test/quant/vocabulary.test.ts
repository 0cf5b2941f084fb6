// Smaller vocabularies: what tokens are made of, which ones stay, and what the metadata then says.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  TOKEN_BYTE,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_UNKNOWN,
  TOKEN_UNUSED,
  VALUE_ARRAY,
  VALUE_U64,
} from "../../assembly/layout/gguf";
import type { Checkpoint } from "../../quant/checkpoint/checkpoint";
import { f32s, i32s, type Metadata, text, texts, u32, u32s } from "../../quant/checkpoint/metadata";
import { openGguf } from "../../quant/read/gguf_checkpoint";
import { chooseTokens } from "../../quant/vocabulary/choose";
import { derive } from "../../quant/vocabulary/derivation";
import { decodeFrequencies, encodeFrequencies } from "../../quant/vocabulary/frequency_list";
import { requiredIds, requiredTexts } from "../../quant/vocabulary/required";
import { idsInMetadata, trimCheckpoint, trimMetadata } from "../../quant/vocabulary/trimmed";
import { readVocabulary, type Vocabulary } from "../../quant/vocabulary/vocabulary";
import { nanoBytes } from "../support/nano";
import { memoryFile } from "./support";

const nano = await openGguf(memoryFile(nanoBytes(), "nano.gguf"));
const vocabulary = readVocabulary(nano.metadata);
const derivation = derive(vocabulary);

const bpe = (tokens: string[], merges: string[]): Vocabulary => ({
  model: "gpt2",
  tokens,
  types: tokens.map(() => TOKEN_NORMAL),
  merges,
  scores: [],
});
const pieces = (scored: [token: string, score: number][]): Vocabulary => ({
  model: "llama",
  tokens: scored.map(([token]) => token),
  types: scored.map(() => TOKEN_NORMAL),
  merges: [],
  scores: scored.map(([, score]) => score),
});
/** What each token is made of, in words. */
const parts = (vocabulary: Vocabulary) =>
  derive(vocabulary).map((ids) => ids.map((id) => vocabulary.tokens[id]).join(" "));

describe("what tokens are made of", () => {
  test("by merges: the first that may, the leftmost of equals, and what no merge makes", () => {
    expect(parts(bpe(["a", "b", "ab", "abab", "ba"], ["a b", "b a", "ab ab"]))).toEqual([
      "",
      "",
      "a b",
      "ab ab",
      "b a",
    ]);
    expect(parts(bpe(["a", "aa", "aaa"], ["a a", "aa a"]))).toEqual(["", "a a", "aa a"]);
    expect(parts(bpe(["a", "b", "c", "ab", "bc", "abc"], ["b c", "a b", "ab c"]))).toEqual([
      ...["", "", "", "a b", "b c"],
      "a bc", // a whole word: its text becomes "a bc"
    ]);
  });

  test("by scores", () => {
    const scored = pieces([
      ["\u2581", -9],
      ["a", -9],
      ["b", -9],
      ["ab", -2],
      ["\u2581a", -1],
      ["\u2581ab", -3],
    ]);
    expect(parts(scored)).toEqual(["", "", "", "a b", "\u2581 a", "\u2581a b"]);
  });

  test("special tokens of nothing", () => {
    vocabulary.types.forEach((type, id) => {
      if (type !== TOKEN_NORMAL) expect(derivation[id]).toEqual([]);
    });
    expect(derivation.filter((made) => made.length === 2).length).toBeGreaterThan(7000);
  });
});

describe("which ones stay", () => {
  test("as many as are wanted, with what they are made of, and all that are required", () => {
    const all = vocabulary.tokens.length;
    const rows = fc.integer({ min: 1200, max: all - 1 });
    const required = fc.uniqueArray(fc.nat(all - 1), { maxLength: 20 });
    fc.assert(
      fc.property(rows, required, fc.integer(), (rows, required, seed) => {
        const counts = Float64Array.from({ length: all }, (_, id) => ((id + seed) * 7919) % 1009);
        const ids = chooseTokens({ derivation, counts, required, rows });
        const kept = new Set(ids);
        expect(kept.size).toBe(rows);
        expect(required.filter((id) => !kept.has(id))).toEqual([]);
        expect([...ids].filter((id) => derivation[id]!.some((part) => !kept.has(part)))).toEqual([]);
        expect([...ids]).toEqual([...ids].sort((a, b) => a - b));
      }),
      { numRuns: 20 },
    );
  });

  test("the rarest go first; what is made of those that stay counts for them", () => {
    const tokens = bpe(["a", "b", "c", "ab", "abc", "bc"], ["a b", "b c", "ab c"]);
    const choose = (counts: number[], rows: number) =>
      [...chooseTokens({ derivation: derive(tokens), counts: Float64Array.from(counts), required: [0, 1, 2], rows })]
        .map((id) => tokens.tokens[id])
        .slice(3);
    expect(choose([9, 9, 9, 0, 5, 4], 5)).toEqual(["ab", "abc"]);
    expect(choose([9, 9, 9, 0, 5, 6], 5)).toEqual(["ab", "bc"]); // "abc" becomes "ab c", five times
    expect(choose([9, 9, 9, 0, 5, 6], 4)).toEqual(["bc"]);
    expect(choose([9, 9, 9, 0, 0, 0], 4)).toEqual(["ab"]); // of equals the first
  });

  test.each([0, 2, 6, 7, 2.5])("%d of 6 tokens where three are required", (rows) => {
    const tokens = bpe(["a", "b", "c", "ab", "abc", "bc"], ["a b", "b c", "ab c"]);
    const choose = () =>
      chooseTokens({ derivation: derive(tokens), counts: new Float64Array(6), required: [0, 1, 2], rows });
    expect(choose).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", field: "tokens", value: rows, expected: [3, 5] }),
    );
  });
});

const METADATA: Metadata = new Map([
  ["llama.vocab_size", u32(6)],
  ["tokenizer.ggml.model", text("llama")],
  ["tokenizer.ggml.tokens", texts(["<unk>", "<s>", "</s>", "<0x0A>", "a", "</x>", "[PAD]"].slice(0, 6))],
  [
    "tokenizer.ggml.token_type",
    i32s([TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL, TOKEN_BYTE, TOKEN_NORMAL, TOKEN_CONTROL]),
  ],
  ["tokenizer.ggml.scores", f32s([0, 1, 2, 3, 4, 5])],
  ["tokenizer.ggml.bos_token_id", u32(1)],
  ["tokenizer.ggml.eos_token_id", { type: VALUE_U64, value: 5n }],
  ["tokenizer.ggml.padding_token_id", u32(0xffffffff)],
  ["zagreus.end_token_ids", u32s([5, 2])],
  ["tokenizer.huggingface.json", text("{}")],
  ["tokenizer.ggml.precompiled_charsmap", { type: VALUE_ARRAY, elementType: 0, value: [1, 2, 3] }],
]);

describe("metadata", () => {
  test("special ids, in whatever form", () => {
    expect(idsInMetadata(METADATA)).toEqual([1, 5, 5, 2]);
  });

  test("have new ids, fewer tokens, and no copy of the tokenizer", () => {
    const trimmed = trimMetadata(METADATA, Uint32Array.of(0, 1, 2, 5));
    expect(Object.fromEntries([...trimmed].map(([key, { value }]) => [key, value]))).toEqual({
      "llama.vocab_size": 4,
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "</x>"],
      "tokenizer.ggml.token_type": [TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL, TOKEN_CONTROL],
      "tokenizer.ggml.scores": [0, 1, 2, 5],
      "tokenizer.ggml.bos_token_id": 1,
      "tokenizer.ggml.eos_token_id": 3n,
      "tokenizer.ggml.padding_token_id": 0xffffffff,
      "zagreus.end_token_ids": [3, 2],
      "tokenizer.ggml.precompiled_charsmap": [1, 2, 3],
    });
  });

  test("merges of tokens that stay, in their order", () => {
    const ids = chooseTokens({ derivation, counts: new Float64Array(8192).fill(1), required: [], rows: 3000 });
    const kept = new Set([...ids].map((id) => vocabulary.tokens[id]));
    const merges = trimMetadata(nano.metadata, ids).get("tokenizer.ggml.merges")!.value as string[];
    const expected = vocabulary.merges.filter((merge) =>
      [...merge.split(" "), merge.replace(" ", "")].every((part) => kept.has(part)),
    );
    expect(merges).toEqual(expected);
    expect(merges.length).toBeGreaterThan(1000);
  });
});

test("bytes, special tokens, numbers and texts are required", () => {
  const ids = requiredIds(vocabulary, nano.metadata);
  const required = new Set(ids.map((id) => vocabulary.tokens[id]));
  expect(["a", "Ġ", "Ċ", "7"].filter((token) => !required.has(token))).toEqual([]);
  expect(vocabulary.types.every((type, id) => type === TOKEN_NORMAL || ids.includes(id))).toBe(true);
  expect(
    requiredTexts(
      new Map([
        ["tokenizer.chat_template", text("T")],
        ["tokenizer.chat_template.tool", text("U")],
      ]),
    ).slice(1),
  ).toEqual(["T", "U"]);
  const spm = {
    ...pieces([
      ["\u00e8", 0],
      ["ab", 0],
    ]),
    types: [TOKEN_NORMAL, TOKEN_NORMAL],
  };
  const all = new Map([["tokenizer.ggml.tokens", texts(spm.tokens)]]);
  expect(new Set(requiredIds(spm, all))).toEqual(new Set([0, 1])); // the first ids, and without bytes every character
  const unused = {
    ...spm,
    types: [TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_UNUSED],
    tokens: ["a", "b", "cd", "[PAD3]"],
  };
  expect(new Set(requiredIds(unused, new Map([["tokenizer.ggml.tokens", texts(unused.tokens)]])))).toEqual(
    new Set([0, 1, 2]),
  );
});

test("rows are those of the tokens, in whatever pieces they are read", async () => {
  const ids = Uint32Array.from({ length: 900 }, (_, i) => i * 9 - (i % 3));
  const trimmed = trimCheckpoint(nano, ids);
  const find = ({ tensors }: Checkpoint) => tensors.find(({ name }) => name === "token_embd.weight")!;
  const [whole, part] = [find(nano), find(trimmed)];
  expect(part.rows).toBe(900);
  const bytes = await part.read(0, 900);
  const rowBytes = bytes.length / 900;
  for (const at of [0, 1, 450, 899]) {
    const row = Buffer.from(bytes.subarray(at * rowBytes, (at + 1) * rowBytes));
    expect(row.equals(await whole.read(ids[at]!, 1))).toBe(true);
    expect(row.equals(await part.read(at, 1))).toBe(true);
  }
  const short = { ...nano, tensors: [{ ...whole, rows: 8000 }] };
  expect(() => trimCheckpoint(short, ids)).toThrow(
    expect.objectContaining({ code: "BAD_DIMENSION", field: "token_embd.weight", value: 8000, expected: 8192 }),
  );
});

test.each<
  [code: string, field: string, key: string, value: Metadata extends Map<string, infer V> ? V | undefined : never]
>([
  ["UNSUPPORTED_TOKENIZER", "tokenizer.ggml.model", "tokenizer.ggml.model", text("bert")],
  ["UNSUPPORTED_TOKENIZER", "tokenizer.ggml.model", "tokenizer.ggml.model", undefined],
  ["MISSING_KEY", "tokenizer.ggml.merges", "tokenizer.ggml.merges", undefined],
  ["BAD_VALUE", "tokenizer.ggml.tokens", "tokenizer.ggml.tokens", u32s([1])],
  ["BAD_ARRAY_LENGTH", "tokenizer.ggml.token_type", "tokenizer.ggml.token_type", i32s([1, 2])],
])("%s for %s", (code, field, key, value) => {
  const metadata = new Map(nano.metadata);
  if (value) metadata.set(key, value);
  else metadata.delete(key);
  expect(() => readVocabulary(metadata)).toThrow(expect.objectContaining({ code, field }));
});

test("a frequency list says what went in, to a quarter of an octave", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abé😀😁🙈"), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.dictionary(word, fc.integer({ min: 1, max: 1e6 }), { maxKeys: 30 }), (counts) => {
      const words = new Map(Object.entries(counts));
      const total = [...words.values()].reduce((sum, count) => sum + count, 0);
      const list = decodeFrequencies(Buffer.from(encodeFrequencies(words)).toString());
      expect(list.map(({ word }) => word).sort()).toEqual([...words.keys()].sort());
      for (const { word, share } of list) {
        expect(Math.abs(Math.log2(share / (words.get(word)! / total)))).toBeLessThanOrEqual(0.2501);
      }
    }),
  );
  expect(() => decodeFrequencies("~~x\0")).toThrow(RangeError);
});
