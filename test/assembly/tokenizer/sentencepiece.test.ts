// SentencePiece's vocabularies: against the plain rule, on vocabularies of random tokens and scores.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ENCODE_LAST, ENCODE_SPECIAL, TEXT_BYTES } from "../../../assembly/layout/abi";
import {
  TOKEN_BYTE,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_UNKNOWN,
  TOKEN_USER_DEFINED,
} from "../../../assembly/layout/gguf";
import { compileTokenizer, TokenizerHarness, type Vocabulary } from "./tokenizer_harness";

let module: WebAssembly.Module;

beforeAll(async () => {
  ({ module } = await compileTokenizer());
});

const FIRST_BYTE = 3;
const FIRST_PIECE = FIRST_BYTE + 256;

/** `<unk>`, `<s>`, `</s>`, the bytes, and what is said. */
function vocabularyOf(pieces: readonly [piece: string, score: number, type?: number][]): Vocabulary {
  const byte = (_: unknown, i: number) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`;
  return {
    tokens: ["<unk>", "<s>", "</s>", ...Array.from({ length: 256 }, byte), ...pieces.map(([piece]) => piece)],
    types: [
      ...[TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL, ...Array<number>(256).fill(TOKEN_BYTE)],
      ...pieces.map(([, , type]) => type ?? TOKEN_NORMAL),
    ],
    scores: [...Array<number>(FIRST_PIECE).fill(0), ...pieces.map(([, score]) => score)],
    merges: [],
  };
}

/** The rule as it is told, over all of the text at once. */
function merged({ tokens, scores, types }: Vocabulary, text: string, blank: boolean): number[] {
  if (text === "") return [];
  const ids = new Map(tokens.flatMap((token, id) => (types![id] === TOKEN_NORMAL ? [[token, id] as const] : [])));
  const symbols = [...`${blank ? " " : ""}${text}`.replaceAll(" ", "\u2581")];
  for (;;) {
    let best = -1;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const id = ids.get(symbols[i]! + symbols[i + 1]!);
      if (id === undefined) continue;
      if (best < 0 || scores![id]! > scores![ids.get(symbols[best]! + symbols[best + 1]!)!]!) best = i;
    }
    if (best < 0) break;
    symbols.splice(best, 2, symbols[best]! + symbols[best + 1]!);
  }
  return symbols.flatMap((symbol) => {
    const id = ids.get(symbol);
    return id === undefined ? [...new TextEncoder().encode(symbol)].map((byte) => FIRST_BYTE + byte) : [id];
  });
}

const letters = fc.constantFrom("a", "b", "c", "\u2581", "\u00e8", "\u4e2d", "\u{1f600}");
const piece = fc.array(letters, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(""));
const pieces = fc.uniqueArray(fc.tuple(piece, fc.integer({ min: -6, max: 0 })), {
  selector: ([token]) => token,
  maxLength: 40,
});
const character = fc.constantFrom("a", "b", "c", " ", "\u2581", "\u00e8", "\u4e2d", "\u{1f600}", "x", "\n");
const text = fc.array(character, { maxLength: 60 }).map((parts) => parts.join(""));

describe("encoding", () => {
  it("merges what has the best score, the leftmost on ties, and falls back to bytes, however the text is cut", () => {
    const property = fc.property(
      pieces,
      text,
      fc.boolean(),
      fc.integer({ min: 1, max: 9 }),
      (some, string, blank, most) => {
        const vocabulary = vocabularyOf([...some.filter(([token]) => token !== "\u2581"), ["\u2581", -7]]);
        const core = new TokenizerHarness(module, vocabulary, { blank });
        const expected = merged(vocabulary, string, blank);
        expect(core.encode(string)).toEqual(expected);
        expect(core.encode(string, 0, (i) => 1 + (i % most))).toEqual(expected);
        expect(core.decode(expected)).toBe(string.replaceAll("\u2581", " "));
      },
    );
    fc.assert(property, { numRuns: 400 });
  });

  it("puts a blank before the text and behind special tokens, none where text goes on", () => {
    const core = new TokenizerHarness(
      module,
      vocabularyOf([
        ["\u2581", -3],
        ["a", -2],
        ["\u2581a", -1],
        ["<u>", 0, TOKEN_USER_DEFINED],
      ]),
    );
    const [blank, a, word, user] = [0, 1, 2, 3].map((i) => FIRST_PIECE + i);
    expect(core.encode("a a")).toEqual([word, word]);
    expect(core.encode(" a")).toEqual([blank, word]);
    expect(core.encode("")).toEqual([]);
    expect(core.encode("a<s>a</s> a", ENCODE_SPECIAL)).toEqual([word, 1, word, 2, blank, word]);
    expect(core.encode("a<u>a")).toEqual([word, user, word]);
    expect(core.window(new TextEncoder().encode("a"), ENCODE_LAST | 4).tokens).toEqual([a]);
    expect(new TokenizerHarness(module, vocabularyOf([["a", -2]]), { blank: false }).encode("a")).toEqual([
      FIRST_PIECE,
    ]);
  });

  it("control tokens and byte tokens come from no text, and tokens with a blank of their own from none", () => {
    const core = new TokenizerHarness(
      module,
      vocabularyOf([
        ["a b", 0],
        ["<0", -1],
        ["<0x", -2],
        ["<s", -1],
      ]),
      { blank: false },
    );
    expect(core.encode("<s>")).toHaveLength(2);
    expect(core.encode("<0x0A>")).not.toContain(FIRST_BYTE + 10);
    expect(core.encode("a b")).not.toContain(FIRST_PIECE);
  });

  it("what has no token, not even of its bytes, is the unknown token", () => {
    const vocabulary = vocabularyOf([["a", -1]]);
    const types = vocabulary.types!.map((type) => (type === TOKEN_BYTE ? TOKEN_NORMAL : type));
    const tokens = vocabulary.tokens.map((token, id) =>
      types[id] === TOKEN_NORMAL && id < FIRST_PIECE ? `piece ${id}` : token,
    );
    const core = new TokenizerHarness(module, { ...vocabulary, tokens, types }, { blank: false });
    expect(core.encode("a\u4e2da")).toEqual([FIRST_PIECE, 0, FIRST_PIECE]);
    expect(core.core.encodeDropped()).toBe(3);
  });

  it("takes texts of any length, and invalid UTF-8 as U+FFFD", () => {
    const core = new TokenizerHarness(
      module,
      vocabularyOf([
        ["\u2581", -3],
        ["a", -2],
        ["\u2581a", -1],
      ]),
    );
    const words = "a ".repeat(TEXT_BYTES);
    expect(core.encode(words)).toHaveLength(TEXT_BYTES + 1);
    expect(core.encode("\u4e2d".repeat(TEXT_BYTES))).toHaveLength(3 * TEXT_BYTES + 1);
    expect(core.decode(core.encode(Uint8Array.of(0x61, 0xff, 0xe4, 0xb8)))).toBe("a\ufffd\ufffd");
  });
});

describe("decoding", () => {
  const core = () =>
    new TokenizerHarness(
      module,
      vocabularyOf([
        ["\u2581\u2581", -3],
        ["\u2581a", -1],
        ["<u>", 0, TOKEN_USER_DEFINED],
      ]),
    );
  const [blanks, word, user] = [FIRST_PIECE, FIRST_PIECE + 1, FIRST_PIECE + 2];
  const pieces = (tokens: number[], before?: number) =>
    core()
      .pieces(tokens, before)
      .map((bytes) => new TextDecoder().decode(bytes));

  it("takes off the one blank that encoding has put before a text", () => {
    expect(pieces([word, word])).toEqual(["a", " a", ""]);
    expect(pieces([blanks, word])).toEqual([" ", " a", ""]);
    expect(pieces([word], 1)).toEqual(["a", ""]);
    expect(pieces([word], user)).toEqual(["a", ""]);
    expect(pieces([word], word)).toEqual([" a", ""]);
    expect(pieces([1, word])).toEqual(["", "a", ""]);
  });

  it("joins characters from the tokens of their bytes", () => {
    const bytes = [...new TextEncoder().encode("\u4e2d")].map((byte) => FIRST_BYTE + byte);
    expect(pieces([...bytes, word])).toEqual(["", "", "\u4e2d", " a", ""]);
  });
});
