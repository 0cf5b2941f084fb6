// Pre-tokenizers: each cuts text where its regular expression does, and the data that the family differs in say the same.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { PATTERNS } from "../../../assembly/layout/splitters";
import { PRE_TOKENIZERS } from "../../../quant/read/pre_tokenizer";
import { BYTE_ALPHABET, compileTokenizer, TokenizerHarness } from "./tokenizer_harness";

let module: WebAssembly.Module;
let harness: TokenizerHarness;

beforeAll(async () => {
  ({ module } = await compileTokenizer());
  harness = new TokenizerHarness(module, { tokens: BYTE_ALPHABET, merges: [] });
});

/** A pattern of tokenizer.json as JavaScript has it: \\s is White_Space, (?i:) folds ASCII, possessive is greedy. */
function regex(pattern: string): RegExp {
  const bothCases = (_: string, body: string) =>
    `(?:${body.replace(/\[([a-z]+)\]|([a-z])/g, (_match, some = "", one = "") => `[${some + one}${(some + one).toUpperCase()}]`)})`;
  const source = pattern.replace(/\(\?i:([^)]*)\)/g, bothCases).replace(/([?+])\+/g, "$1");
  return new RegExp(source.replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}"), "gu");
}

const NUMBER = { 1: /(\p{N})/gu, 3: /(\p{N}{1,3})/gu };

/** The pieces of a text: numbers first, if the data say so. */
function pieces(text: string, data: string, pattern: string): string[] {
  const parts = data.endsWith("first") ? text.split(NUMBER[data[0] as "1" | "3"]) : [text];
  return parts.flatMap((part) => part.match(regex(pattern)) ?? []);
}

/** The patterns that say what the data of a row do. */
function patternsOf(data: string): string[] {
  const all = [...PATTERNS.matchAll(/^(.+)\n(.+)$/gm)];
  return all.filter(([, first]) => data.startsWith(`${first} `)).map(([, , pattern]) => pattern!);
}

const PARTS = [
  ...[
    "a",
    "Z",
    "aZ",
    "ZZ",
    "\u00e8",
    "\u00c8Z",
    "/",
    "\u4e2d",
    "1",
    "2",
    "\u0663",
    "\u00bd",
    "!",
    ".",
    "\u{1f600}",
    "\ufeff",
  ],
  ...[" ", "  ", "\t", "\n", "\r", "\u00a0", "\u0085", "'", "'s", "'S", "'ll", "'Re"],
];
const texts = fc.array(fc.constantFrom(...PARTS), { maxLength: 24 }).map((parts) => parts.join(""));

test.each(PRE_TOKENIZERS)("$name", ({ names, data }) => {
  const first = data.split(" ").slice(0, 5).join(" ");
  const patterns = patternsOf(data);
  expect(patterns).not.toEqual([]);
  for (const name of names) expect(harness.choose(name), name).toBe(true);
  for (const pattern of patterns) {
    const property = fc.property(texts, (text) => {
      expect(harness.split(text)).toEqual(pieces(text, first, pattern));
    });
    fc.assert(property, { numRuns: 3000 });
  }
});

test.each(PRE_TOKENIZERS)("$name cuts at the same places when the text comes in parts", ({ name }) => {
  // Merges of what stands together only if a piece holds it.
  const pairs = [
    "' l",
    "'l l",
    "' r",
    "'r e",
    "\u0120 1",
    "1 2",
    "\u0120 '",
    "a '",
    "\u010a \u0120",
    "\u0120 \u0120",
    "Z Z",
    "Z \u00c3",
  ];
  const tokens = [...BYTE_ALPHABET, ...pairs.map((pair) => pair.replace(" ", ""))];
  const merging = new TokenizerHarness(module, { tokens, merges: pairs }, { splitter: name });
  const merged = fc.property(texts, fc.integer({ min: 1, max: 7 }), (text, most) => {
    expect(merging.encode(text, 0, () => most)).toEqual(merging.encode(text));
  });
  fc.assert(merged, { numRuns: 1000 });
});

test("every name has one row, and every pattern one at least", () => {
  const names = PRE_TOKENIZERS.flatMap((row) => row.names);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(40);
  const keys = [...PATTERNS.matchAll(/^(.+)\n(.+)$/gm)].map(([, key]) => key);
  for (const key of keys)
    expect(
      PRE_TOKENIZERS.some(({ data }) => data.startsWith(`${key} `)),
      key,
    ).toBe(true);
});

test("an unknown name, or a part of one, chooses nothing", () => {
  for (const name of ["", "llama", "llama-bp", "llama-bpe llama3", "3", "folded", "default"]) {
    expect(harness.choose(name), name).toBe(false);
  }
});
