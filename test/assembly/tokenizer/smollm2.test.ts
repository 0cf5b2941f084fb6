// SmolLM2's token ids, llama.cpp's: a vocabulary of a real model, whose pre-tokenizer cuts numbers first and which has no tokens for 21 bytes.

import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { ENCODE_SPECIAL } from "../../../assembly/layout/abi";
import { compileTokenizer, TokenizerHarness } from "./tokenizer_harness";

interface Golden {
  pre: string;
  /** Those that the texts need. */
  tokens: [id: number, token: string, type: number][];
  merges: string[];
  texts: { text: string; special: boolean; ids: number[] }[];
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("../../fixtures/smollm2/tokenizer.json", import.meta.url), "utf8"),
);
const ids = golden.tokens.map(([id]) => id);
let core: TokenizerHarness;

beforeAll(async () => {
  const { module } = await compileTokenizer();
  const [tokens, types] = [golden.tokens.map(([, token]) => token), golden.tokens.map(([, , type]) => type)];
  core = new TokenizerHarness(module, { tokens, types, merges: golden.merges }, { splitter: golden.pre });
});

test("no token id differs, however the text is cut", () => {
  expect(golden.texts.length).toBeGreaterThan(250);
  for (const { text, special, ids: expected } of golden.texts) {
    const flags = special ? ENCODE_SPECIAL : 0;
    for (const most of [65536, 1, 3]) {
      const got = core.encode(text, flags, () => most).map((token) => ids[token]);
      expect(got, JSON.stringify(text)).toEqual(expected);
    }
  }
});

test("texts come back but for the bytes that have no token", () => {
  const lossy = golden.texts.filter(({ text, special }) => {
    const tokens = core.encode(text, special ? ENCODE_SPECIAL : 0);
    const dropped = core.core.encodeDropped();
    if (special) return false;
    expect(core.decode(tokens) === text, JSON.stringify(text)).toBe(dropped === 0);
    return dropped > 0;
  });
  expect(lossy.length).toBeGreaterThan(10);
});
