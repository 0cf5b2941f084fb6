// Pre-tokenizers: each cuts text where its regular expression does, and the data that the family differs in say the same.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { PRE_TOKENIZERS } from "../../host/core/api/names";
import { BYTE_ALPHABET, compileTokenizer, TokenizerHarness } from "./tokenizer_harness";

let harness: TokenizerHarness;

beforeAll(async () => {
  const { module } = await compileTokenizer();
  harness = new TokenizerHarness(module, { tokens: BYTE_ALPHABET, merges: [] });
});

/** A pattern of tokenizer.json as JavaScript has it: \\s is White_Space, (?i:) folds ASCII. */
function regex(pattern: string): RegExp {
  const bothCases = (_: string, body: string) =>
    `(?:${body.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)})`;
  const source = pattern.replace(/\(\?i:([^)]*)\)/g, bothCases);
  return new RegExp(source.replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}"), "gu");
}

const PARTS = [
  ...["a", "Z", "\u00e8", "\u4e2d", "1", "2", "\u0663", "\u00bd", "!", ".", "\u{1f600}", "\ufeff"],
  ...[" ", "  ", "\t", "\n", "\r", "\u00a0", "\u0085", "'", "'s", "'S", "'ll", "'Re"],
];
const texts = fc.array(fc.constantFrom(...PARTS), { maxLength: 24 }).map((parts) => parts.join(""));

function expectSplits(pattern: string): void {
  const property = fc.property(texts, (text) => {
    expect(harness.split(text)).toEqual(text.match(regex(pattern)) ?? []);
  });
  fc.assert(property, { numRuns: 3000 });
}

test.each(PRE_TOKENIZERS)("$name", ({ names, pattern }) => {
  for (const name of names) {
    expect(harness.choose(name)).toBe(true);
    expectSplits(pattern);
  }
});

test("an unknown name, or a part of one, chooses nothing", () => {
  for (const name of ["", "llama", "llama-bp", "llama-bpe llama3", "3", "folded", "default"]) {
    expect(harness.choose(name), name).toBe(false);
  }
});

// Members of the family that no row names yet: the other values of the four data.
const OTHERS: { name: string; data: [number, boolean, boolean, boolean]; pattern: string }[] = [
  {
    name: "GPT-2",
    data: [0, false, false, false],
    pattern: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  },
  { name: "Qwen 2", data: [1, true, true, true], pattern: PRE_TOKENIZERS[0]!.pattern.replace("{1,3}", "") },
];

test.each(OTHERS)("$name", ({ data, pattern }) => {
  harness.core.setFamily(...data);
  expectSplits(pattern);
});
