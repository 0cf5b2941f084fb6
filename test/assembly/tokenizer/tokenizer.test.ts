// The tokenizer against @huggingface/tokenizers on Llama 3.1's tokenizer.json, id for id, and on small vocabularies of its own.

import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ENCODE_LAST, ENCODE_SPECIAL, TEXT_BYTES } from "../../../assembly/layout/abi";
import { MAX_TOKEN_BYTES, TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_USER_DEFINED } from "../../../assembly/layout/gguf";
import { BAD_VOCABULARY, PRETOKEN_TOO_LONG } from "../../../assembly/layout/status";
import { turn } from "../../support/turn";
import {
  BuildError,
  BYTE_ALPHABET,
  compileTokenizer,
  llamaJson,
  TokenizerHarness,
  type Vocabulary,
  vocabularyOf,
} from "./tokenizer_harness";

const SEED = Number(process.env.TOKENIZER_SEED ?? 20260);
const FIRST_CONTROL = 128000;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

let wasm: { module: WebAssembly.Module; text: string };
let llama: TokenizerHarness;
let vocabulary: Vocabulary;
let oracle: Tokenizer;

beforeAll(async () => {
  wasm = await compileTokenizer();
  const json = llamaJson();
  vocabulary = vocabularyOf(json);
  llama = new TokenizerHarness(wasm.module, vocabulary);
  oracle = new Tokenizer(json, {});
});

/** Ids of the oracle. It always parses special tokens. */
function expected(text: string): number[] {
  return oracle.encode(text, { add_special_tokens: false }).ids;
}

function expectSame(text: string): void {
  const want = expected(text);
  const got = llama.encode(text, ENCODE_SPECIAL);
  if (got.length !== want.length || got.some((id, i) => id !== want[i])) {
    expect(got, JSON.stringify(text)).toEqual(want);
  }
}

/** mulberry32: the generated strings are the same everywhere. */
function generator(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n: number) => Math.floor(next() * n);
  return { below, pick: <T>(list: ArrayLike<T>): T => list[below(list.length)] as T };
}
type Random = ReturnType<typeof generator>;

function engineClass(codePoint: number): number {
  const character = String.fromCodePoint(codePoint);
  if (/\p{L}/u.test(character)) return 1;
  if (/\p{N}/u.test(character)) return 2;
  return /\p{White_Space}/u.test(character) ? 3 : 0;
}

/** Code points of which this engine, whose Unicode the oracle uses, says the same as our table: both may know newer ones. */
function comparable(codePoint: number): boolean {
  if (codePoint >= 0xd800 && codePoint < 0xe000) return false;
  return llama.core.classOf(codePoint) === engineClass(codePoint);
}

const RANGES = [
  ...[
    [0x20, 0x7e],
    [0x20, 0x7e],
    [0x61, 0x7a],
    [0x61, 0x7a],
    [0x30, 0x39],
    [0x21, 0x2f],
    [0xa0, 0x17f],
    [0x300, 0x36f],
  ],
  ...[
    [0x370, 0x52f],
    [0x590, 0x6ff],
    [0x900, 0xdff],
    [0xe00, 0xeff],
    [0x1100, 0x11ff],
    [0x2000, 0x206f],
    [0x2070, 0x218f],
  ],
  ...[
    [0x2190, 0x2bff],
    [0x3000, 0x30ff],
    [0x4e00, 0x9fff],
    [0xac00, 0xd7a3],
    [0xe000, 0xe0ff],
    [0xf900, 0xffff],
  ],
  ...[
    [0x10000, 0x107ff],
    [0x1d400, 0x1d7ff],
    [0x1f1e6, 0x1f1ff],
    [0x1f300, 0x1faff],
    [0x20000, 0x3ffff],
    [0xe0000, 0xe01ff],
  ],
  ...[
    [0, 0xff],
    [0, 0xffff],
    [0, 0x10ffff],
  ],
] as [number, number][];
const FRAGMENTS = [
  ..." |  |   |      |\t|\t\t|\n|\n\n|\r\n|\r| \n|\n | \n \n|\u00a0|\u3000|\u2028|'s|'S|'t|'T|'re|'RE|'Re|'ve|'m|'ll|'lL|'d|'D|'x|'r|'|''".split(
    "|",
  ),
  ..."1|12|123|1234|12345|3.14|1,000|½|²|Ⅷ|٣٤٥|१२|😀|👨‍👩‍👧‍👦|🇮🇹|👍🏽|❤️|e\u0301|n\u0303|ñ|ſ|K|İ|ß|ﬁ|Ǆ|…|—|“|”|«|»|!|?!|...|::|=>|{}|();".split(
    "|",
  ),
  ..."ciao|Perché|città|l'acqua|dell'arte|the|The|HELLO|don't|I'll|naïve|мир|Привет|שלום|مرحبا|السلام|नमस्ते|สวัสดี|你好|世界|日本語|カタカナ|한국어".split(
    "|",
  ),
  ..."function|const x = 1;|return|#include|</div>|<|<|>|>|://|www.|.com|@|_|__init__|\\n|%20|<|im_start|>|<|eot_id|".split(
    "|",
  ),
];

/** Mixed text; `code` decides which code points it may have. */
function mixedText({ below, pick }: Random, allowed: (codePoint: number) => boolean): string {
  let text = "";
  for (let parts = 1 + below(8); parts > 0; parts--) {
    if (below(2)) {
      text += pick(FRAGMENTS);
      continue;
    }
    const [low, high] = pick(RANGES);
    for (let length = 1 + below(below(10) ? 6 : 40); length > 0; length--) {
      const codePoint = low + below(high - low + 1);
      if (allowed(codePoint)) text += String.fromCodePoint(codePoint);
    }
  }
  return text;
}

describe("the Llama-3 vocabulary", () => {
  it("has every token's bytes, and finds every token by them", () => {
    const bytes = new Map(BYTE_ALPHABET.map((character, byte) => [character, byte]));
    vocabulary.tokens.forEach((token, id) => {
      const raw = id < FIRST_CONTROL ? Uint8Array.from(token, (c) => bytes.get(c) as number) : encoder.encode(token);
      if (Buffer.compare(llama.tokenBytes(id), raw) !== 0) expect(llama.tokenBytes(id), token).toEqual(raw);
      if (llama.find(raw) !== id) expect(llama.find(raw), token).toBe(id);
    });
    expect(llama.core.tokenType(0)).toBe(TOKEN_NORMAL);
    expect(llama.core.tokenType(FIRST_CONTROL)).toBe(TOKEN_CONTROL);
    expect(llama.find(encoder.encode("no such token"))).toBe(-1);
    expect(llama.find(encoder.encode("x".repeat(5000)))).toBe(-1);
    expect(llama.find(new Uint8Array())).toBe(-1);
  });

  it("takes at most 10 MB, and the module manages no memory", () => {
    expect(llama.sectionBytes % 64).toBe(0);
    expect(llama.sectionBytes).toBeLessThanOrEqual(10e6);
    expect(wasm.text).not.toContain("~lib/rt");
  });
});

describe("same ids as @huggingface/tokenizers", () => {
  it.each([
    ["nothing", ""],
    ["Italian", "Perché l'acqua è più fredda? Nell'estate del 1984, «città» e virtù: 3,14€."],
    ["English", "The quick brown fox doesn't jump over 12345 lazy dogs -- they're asleep."],
    [
      "contractions",
      "'s 't 're 've 'm 'll 'd I'S I'T WE'RE We'Ve I'M you'LL he'D it's'll o'clock 'round 'x '' 'ſ don’t",
    ],
    ["contractions cut short", "' 'r 'v 'l 'R 'L 're'"],
    ["digits", "0 1 12 123 1234 12345 123456 1234567 3.14159 1,000,000 x1y22z333 ½¾ ²³ Ⅷ ٣٤٥٦ १२३४ 𝟙𝟚𝟛𝟜"],
    ["white space", " a  b   c    d\te\t\tf \t g\u00a0h\u2003\u2003i\u3000j\u2028k   "],
    [
      "white space or not: U+0085 is, U+FEFF is not",
      "a\u0085\u0085b\u0085! \ufeff//x \ufeff\n\ufeff\u0085\n \u0085 1\u180e!",
    ],
    ["only spaces", "          "],
    ["line breaks", "a\nb\n\nc\r\nd\r\n\r\ne\rf \n g\n  h  \n\n  i\n   \n\t\nj!\n\n?\r\n  \n"],
    ["trailing line breaks", "end.\n\n\n"],
    ["emoji", "😀😃 👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇮🇹🇫🇷 ❤️‍🔥 1️⃣ #️⃣ ☕️x 🧑🏿‍🚀"],
    [
      "combining marks",
      "e\u0301 n\u0303o\u0308 Z\u0351\u036b\u0343a\u0363l\u0322g\u034fo\u0489 \u0301x \u0301\u0302 क्षि กำ q\u0307\u0323",
    ],
    [
      "Chinese, Japanese, Korean",
      "你好，世界！日本語のテスト。カタカナ・ひらがな 한국어 텍스트 𠮷野家 ㍿ ㈱ ｆｕｌｌ　ｗｉｄｔｈ",
    ],
    ["Arabic and Hebrew", "السَّلَامُ عَلَيْكُمْ ١٢٣ ـــ مرحبا! שָׁלוֹם עולם \u200fטקסט\u200e"],
    ["other scripts", "Привет мир Ελληνικά հայերեն ქართული አማርኛ ไทย ລາວ ខ្មែរ བོད် தமிழ் 𐍈𐌰 𓀀𓁐 𒀀"],
    ["code", 'for (let i = 0; i < n; i++) {\n\tif (a[i] !== "x\\n") return `$i`; // ok\n}\n\n#include <stdio.h>\n'],
    ["markup", '<div class="a">&nbsp;</div>\n<!-- x --> | a | b |\n|---|---|\n'],
    ["links", "https://example.org/a_b-c?x=1&y=%20#z user@example.com C:\\dir\\file.txt"],
    ["controls", "\u0000\u0001\u001f \u007f\u0080\u009f\u00ad\u200b\u2060\ufffd\uffff\u{10ffff}"],
    ["capitals and cases", "McDONALD'S ǅ ʰ ª º ß ﬁ İı K Å ſ"],
    ["a marker cut short", "<|eot_i <|eot_id <| |> <|eot_id|x <|reserved_special_token_"],
    [
      "a special token's text in other text",
      "<|eot_id|>\n\n<|start_header_id|>user<|end_header_id|>  x <|eot_id|><|eot_id|> 's<|eot_id|>'s",
    ],
    ["spaces before a special token", "a   <|eot_id|>   b \n <|eot_id|> \n "],
  ])("%s", (_, text) => {
    expect(llama.encode(text, ENCODE_SPECIAL)).toEqual(expected(text));
  });

  it("every general category", () => {
    const categories = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split(
      " ",
    );
    const random = generator(SEED);
    for (const category of categories) {
      const pattern = new RegExp(`\\p{${category}}`, "u");
      const members: number[] = [];
      for (let c = 0; c < 0x110000; c++) {
        if ((c < 0xd800 || c >= 0xe000) && pattern.test(String.fromCodePoint(c)) && comparable(c)) members.push(c);
      }
      expect(members.length, category).toBeGreaterThan(0);
      for (let i = 0; i < 60; i++) {
        const character = String.fromCodePoint(i === 0 ? (members[0] as number) : random.pick(members));
        for (const frame of ["@", "@@ @", "a@b", " @", "@1", "1@2", "@!", " !@", "\n@", "@\n", "  @  ", "'@s", "'s@"]) {
          expectSame(frame.replaceAll("@", character));
        }
      }
    }
  });

  it("the prose of the fixtures", () => {
    for (const name of ["held-ita", "held-eng"]) {
      expectSame(readFileSync(new URL(`../../fixtures/text/${name}.txt`, import.meta.url), "utf8"));
    }
  });

  it("long words, and long runs of everything", async () => {
    const random = generator(SEED);
    for (const unit of ["a", "ab", "!", "=", " ", "\n", "\r\n", "à", "世", "😀", "abcdefgh", "\u0301"]) {
      for (const length of [2, 127, 128, 129, 130, 300, 3000]) expectSame(unit.repeat(length));
      await turn();
    }
    for (let i = 0; i < 60; i++) {
      const alphabet = random.pick([
        "ab",
        "aàeèioqrstn",
        "abcdefghijklmnopqrstuvwxyz",
        "的一是不了人我在有他",
        "ABCabc",
        "-=*#/",
      ]);
      expectSame(Array.from({ length: 30 + random.below(1500) }, () => random.pick([...alphabet])).join(""));
      await turn();
    }
  });

  it("100,000 generated strings", async () => {
    console.log(`TOKENIZER_SEED=${SEED}`);
    const random = generator(SEED);
    const allowed = Uint8Array.from({ length: 0x110000 }, (_, codePoint) => Number(comparable(codePoint)));
    for (let i = 0; i < 100_000; i++) {
      expectSame(mixedText(random, (codePoint) => allowed[codePoint] === 1));
      if (i % 1000 === 0) await turn();
    }
  });

  it.skipIf(process.versions.unicode !== "17.0")("the table is this engine's Unicode", () => {
    for (let codePoint = 0; codePoint < 0x110000; codePoint++) {
      if (codePoint >= 0xd800 && codePoint < 0xe000) continue;
      if (llama.core.classOf(codePoint) !== engineClass(codePoint)) {
        expect(llama.core.classOf(codePoint), codePoint.toString(16)).toBe(engineClass(codePoint));
      }
    }
    expect(llama.core.classOf(0x110000)).toBe(0);
    expect(llama.core.classOf(0xffffffff)).toBe(0);
  });
});

describe("special tokens", () => {
  it("become their ids on request, in any surroundings", () => {
    for (let id = FIRST_CONTROL; id < vocabulary.tokens.length; id++) {
      const token = vocabulary.tokens[id] as string;
      expect(llama.encode(token, ENCODE_SPECIAL)).toEqual([id]);
      expectSame(`ciao  ${token} mondo${token}${token}\n${token}!`);
    }
  });

  it("stay text without it", () => {
    for (let id = FIRST_CONTROL; id < vocabulary.tokens.length; id++) {
      const text = `ciao ${vocabulary.tokens[id]}\n`;
      const tokens = llama.encode(text);
      expect(Math.max(...tokens)).toBeLessThan(FIRST_CONTROL);
      expect(llama.decode(tokens)).toBe(text);
    }
    const text = "<|eot_id|>";
    expect(llama.encode(text)).toEqual([...expected("<|"), ...expected("eot"), ...expected("_id"), ...expected("|>")]);
  });
});

describe("invalid UTF-8", () => {
  it.each([
    ["lone continuation bytes", [0x61, 0x80, 0xbf, 0x62]],
    ["truncated sequences", [0xc3, 0x20, 0xe2, 0x82, 0x20, 0xf0, 0x9f, 0x98, 0x20, 0xe2, 0xf0, 0x9f]],
    ["a truncated end", [0x61, 0xf0, 0x9f, 0x98]],
    ["overlong forms", [0xc0, 0xaf, 0xe0, 0x80, 0xaf, 0xf0, 0x80, 0x80, 0xaf, 0xc1, 0xbf]],
    ["surrogates", [0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf]],
    ["past U+10FFFF", [0xf4, 0x90, 0x80, 0x80, 0xf5, 0xf8, 0xfe, 0xff]],
  ])("%s become U+FFFD", (_, bytes) => {
    const raw = Uint8Array.from(bytes);
    expect(llama.encode(raw)).toEqual(expected(decoder.decode(raw)));
  });

  it("is decoded as TextDecoder does: 20,000 generated runs of bytes", () => {
    const random = generator(SEED + 1);
    const bytes = [
      0x20, 0x61, 0x31, 0x0a, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xc3, 0xdf, 0xe0, 0xe2,
    ];
    bytes.push(0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff);
    for (let i = 0; i < 20_000; i++) {
      const raw = Uint8Array.from({ length: 1 + random.below(14) }, () => random.pick(bytes));
      const text = decoder.decode(raw);
      if (![...text].every((character) => comparable(character.codePointAt(0) as number))) continue;
      const want = expected(text);
      const got = llama.encode(raw);
      if (got.join() !== want.join()) expect(got, raw.join()).toEqual(want);
    }
  });

  it("grows to more tokens than bytes without leaving the buffer", () => {
    const small = new TokenizerHarness(wasm.module, bytesAnd([])); // three tokens for each U+FFFD
    const raw = Uint8Array.from({ length: TEXT_BYTES }, (_, i) => (i % 2 ? 0x80 : 0x61));
    const tokens = small.encode(raw);
    expect(tokens.length).toBe(TEXT_BYTES * 2);
    expect(small.decode(tokens)).toBe(decoder.decode(raw));
    const one = small.window(new Uint8Array(TEXT_BYTES).fill(0x80), ENCODE_LAST);
    expect(one.status).toBe(-PRETOKEN_TOO_LONG);
  });
});

describe("windows", () => {
  it("tokens do not depend on how text is cut", () => {
    const random = generator(SEED + 2);
    const controls = vocabulary.tokens.slice(FIRST_CONTROL, FIRST_CONTROL + 12);
    for (let i = 0; i < 5000; i++) {
      let bytes = encoder.encode(
        Array.from({ length: 1 + random.below(4) }, () =>
          random.below(3) ? mixedText(random, (c) => c < 0xd800 || c > 0xdfff) : random.pick(controls),
        ).join(""),
      );
      if (random.below(4) === 0) bytes = bytes.map((byte) => (random.below(12) ? byte : random.below(256)));
      const most = random.pick([1, 2, 5, 20, 100]);
      for (const flags of [0, ENCODE_SPECIAL]) {
        const want = llama.encode(bytes, flags);
        const got = llama.encode(bytes, flags, () => 1 + random.below(most));
        if (got.join() !== want.join()) expect(got, JSON.stringify(decoder.decode(bytes))).toEqual(want);
      }
    }
  });

  it("never stop for good in ordinary text", () => {
    const text = readFileSync(new URL("../../fixtures/text/held-ita.txt", import.meta.url));
    expect(llama.encode(text, 0, () => 64)).toEqual(llama.encode(text));
    const { consumed } = llama.window(text.subarray(0, 1000), 0);
    expect(consumed).toBeGreaterThan(950);
  });

  it("take a pre-token of TEXT_BYTES, and refuse a longer one", () => {
    const bytes = new Uint8Array(TEXT_BYTES).fill(0x61);
    const started = performance.now();
    const { status, tokens, consumed } = llama.window(bytes, ENCODE_LAST);
    console.log(`a pre-token of ${TEXT_BYTES} bytes: ${(performance.now() - started).toFixed(0)} ms`);
    expect(status).toBe(tokens.length);
    expect(consumed).toBe(TEXT_BYTES);
    expect(tokens).toEqual(Array(TEXT_BYTES / 8).fill(expected("aaaaaaaa")[0]));
    expect(llama.window(bytes, 0).status).toBe(-PRETOKEN_TOO_LONG);
    expect(() => llama.encode("a".repeat(TEXT_BYTES + 1))).toThrow(String(PRETOKEN_TOO_LONG));
    expect(llama.window(new Uint8Array(TEXT_BYTES + 1), 0).status).toBeLessThan(0);
    expect(llama.encode("still works")).toEqual(expected("still works"));
  });
});

/** A vocabulary of the 256 bytes and what is said. */
function bytesAnd(more: [token: string, type: number][], merges: string[] = []): Vocabulary {
  return {
    tokens: [...BYTE_ALPHABET, ...more.map(([token]) => token)],
    types: [...BYTE_ALPHABET.map(() => TOKEN_NORMAL as number), ...more.map(([, type]) => type)],
    merges,
  };
}

describe("small vocabularies", () => {
  it("a pre-token that is a token becomes it at once, merges or not", () => {
    const core = new TokenizerHarness(
      wasm.module,
      bytesAnd(
        [
          ["abc", TOKEN_NORMAL],
          ["bc", TOKEN_NORMAL],
        ],
        ["b c"],
      ),
    );
    expect(core.encode("abc")).toEqual([256]);
    expect(core.encode("abcd")).toEqual([97, 257, 100]);
  });

  it("the lowest rank merges first, the leftmost of equals", () => {
    const merges = ["b c", "a b", "a a"];
    const more: [string, number][] = [
      ["bc", TOKEN_NORMAL],
      ["ab", TOKEN_NORMAL],
      ["aa", TOKEN_NORMAL],
    ];
    const core = new TokenizerHarness(wasm.module, bytesAnd(more, merges));
    expect(core.encode("abcab")).toEqual([97, 256, 257]);
    expect(core.encode("aaaaa")).toEqual([258, 258, 97]);
    expect(core.encode("aaaaa".repeat(41))).toEqual([...Array(102).fill(258), 97]); // through the heap
  });

  it("user-defined tokens always match, control tokens on request, the longest of those that start first", () => {
    const core = new TokenizerHarness(
      wasm.module,
      bytesAnd([
        ["<a>", TOKEN_USER_DEFINED],
        ["<a><b>", TOKEN_USER_DEFINED],
        ["<b>", TOKEN_CONTROL],
        ["a>", TOKEN_CONTROL],
      ]),
    );
    const text = (string: string) => [...encoder.encode(string)].map((byte) => core.find(Uint8Array.of(byte)));
    expect(core.encode("x<a>y")).toEqual([...text("x"), 256, ...text("y")]);
    expect(core.encode("<a><b><b>")).toEqual([257, ...text("<b>")]);
    expect(core.encode("<a><b><b>", ENCODE_SPECIAL)).toEqual([257, 258]);
    expect(core.encode("<a><", ENCODE_SPECIAL)).toEqual([256, ...text("<")]);
    expect(core.encode("aa><a>", ENCODE_SPECIAL)).toEqual([...text("a"), 259, 256]);
    // More text could still make it the longer one.
    expect(core.window(encoder.encode("!<a><"), 0)).toMatchObject({ tokens: [], consumed: 0 });
    expect(core.window(encoder.encode("!\n x<a>..."), 0).tokens).toEqual([...text("!\n x"), 256]);
    for (const cut of [1, 2, 3]) expect(core.encode("<a><b><a>", 0, () => cut)).toEqual([257, 256]);
  });

  it("special tokens are found as by trying each at every byte, however the text is cut", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[ab<]{2,9}$/), { minLength: 1, maxLength: 30 }),
        fc.array(fc.constantFrom(TOKEN_CONTROL, TOKEN_USER_DEFINED), { minLength: 30, maxLength: 30 }),
        fc.stringMatching(/^[ab<]{0,80}$/),
        fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
        (specials, types, text, cuts) => {
          const core = new TokenizerHarness(wasm.module, bytesAnd(specials.map((token, i) => [token, types[i]!])));
          for (const flags of [0, ENCODE_SPECIAL]) {
            const wanted = specials.map((_, i) => flags === ENCODE_SPECIAL || types[i] === TOKEN_USER_DEFINED);
            const expected: number[] = [];
            for (let at = 0; at < text.length; ) {
              let best = -1;
              for (const [i, token] of specials.entries())
                if (wanted[i] && text.startsWith(token, at) && token.length > (specials[best]?.length ?? 0)) best = i;
              expected.push(best < 0 ? text.charCodeAt(at) : 256 + best);
              at += specials[best]?.length ?? 1;
            }
            expect(core.encode(text, flags)).toEqual(expected);
            expect(core.encode(text, flags, () => cuts.next().value)).toEqual(expected);
          }
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("and as @huggingface/tokenizers finds added tokens", () => {
    const json = {
      ...{ decoder: null, normalizer: null, post_processor: null },
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      model: { type: "BPE", vocab: Object.fromEntries(BYTE_ALPHABET.map((byte, id) => [byte, id])), merges: [] },
    };
    const specials = fc.uniqueArray(fc.stringMatching(/^[ab<]{2,9}$/), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(specials, fc.stringMatching(/^[ab<]{0,80}$/), (tokens, text) => {
        const added_tokens = tokens.map((content, i) => ({ id: 256 + i, content, special: true }));
        const { ids } = new Tokenizer({ ...json, added_tokens }, {}).encode(text, { add_special_tokens: false });
        const core = new TokenizerHarness(wasm.module, bytesAnd(tokens.map((token) => [token, TOKEN_CONTROL])));
        expect(core.encode(text, ENCODE_SPECIAL)).toEqual(ids);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it("special tokens with long beginnings and ends in common take the time that short ones take", () => {
    const seconds = (tokens: string[], text: string) => {
      const core = new TokenizerHarness(wasm.module, bytesAnd(tokens.map((token) => [token, TOKEN_CONTROL])));
      const bytes = encoder.encode(text);
      return Math.min(
        ...Array.from({ length: 5 }, () => {
          const started = performance.now();
          core.window(bytes, ENCODE_SPECIAL | ENCODE_LAST);
          return performance.now() - started;
        }),
      );
    };
    const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
    const usual = seconds(["<|end|>", "<|start|>"], "a <|start|> <b> ".repeat(TEXT_BYTES / 16));
    const run = "a".repeat(TEXT_BYTES);
    const hostile: [string[], string][] = [
      [numbers(1000).map((i) => `${"a".repeat(1000 - i)}b`), run],
      [numbers(1000).map((i) => `b${"a".repeat(1000 - i)}`), run],
      [numbers(4000).map((i) => `${"ab".repeat(500)}${i}`), "ab".repeat(TEXT_BYTES / 2)],
      [["a", `${"a".repeat(1000)}b`], run],
      [numbers(60).map((i) => `${"a".repeat(17 * i)}${i}`), run],
    ];
    for (const [tokens, text] of hostile) expect(seconds(tokens, text) / usual).toBeLessThan(20);
  });

  it("text never becomes a control token that is spelled like a word", () => {
    const core = new TokenizerHarness(wasm.module, bytesAnd([["hello", TOKEN_CONTROL]]));
    expect(core.encode("hello")).toHaveLength(5);
    expect(core.encode("hello", ENCODE_SPECIAL)).toEqual([256]);
    expect(core.find(encoder.encode("hello"))).toBe(256);
  });

  it("a token that ends texts is a control token, though the file types it as user-defined", () => {
    const ends = ["<|im_end|>", "</s>", "<|im_start|>"].map((token): [string, number] => [token, TOKEN_USER_DEFINED]);
    const core = new TokenizerHarness(wasm.module, bytesAnd(ends));
    expect([256, 257, 258].map((id) => core.core.tokenType(id))).toEqual([3, 3, 4]);
    expect(core.encode("<|im_end|><|im_start|></s>")).toHaveLength("<|im_end|></s>".length + 1);
    expect(core.encode("<|im_end|></s>", ENCODE_SPECIAL)).toEqual([256, 257]);
  });

  it("a file without types has normal tokens", () => {
    const { tokens, merges } = bytesAnd([["ab", TOKEN_NORMAL]], ["a b"]);
    const core = new TokenizerHarness(wasm.module, { tokens, merges });
    expect(core.encode("abb")).toHaveLength(2);
  });

  it("bytes without a token keep their neighbours from merging, and are gone and counted", () => {
    const missing = (byte: number) => byte === 4 || byte === 0xf1;
    const { tokens, merges } = bytesAnd([["ab", TOKEN_NORMAL]], ["a b"]);
    const kept = tokens.filter((_, id) => !missing(id));
    const core = new TokenizerHarness(wasm.module, { tokens: kept, merges }, { splitter: "smollm" });
    const of = (text: string | Uint8Array) => {
      const ids = core.encode(text);
      return [ids.map((id) => decoder.decode(core.tokenBytes(id))).join("|"), core.core.encodeDropped()];
    };
    expect(of("ab")).toEqual(["ab", 0]);
    expect(of("a\x04b")).toEqual(["a|b", 1]);
    expect(of("\x04\x04")).toEqual(["", 2]);
    expect(of("\x04ab\x04")).toEqual(["ab", 2]);
    expect(core.encode("\u{40000}")).toHaveLength(3); // f1 80 80 80
    expect(of(`\x04${"ab".repeat(200)}`)).toEqual([Array(200).fill("ab").join("|"), 1]); // through the heap
  });

  it.each(["a b", "\u65e5", "\u00ad", "\u0144", "\u0000"])(
    "a normal token outside the alphabet is none that texts have: %j",
    (token) => {
      const core = new TokenizerHarness(wasm.module, bytesAnd([[token, TOKEN_NORMAL]]));
      expect(core.encode(token)).not.toContain(256);
      expect(core.decode([256])).toBe(token);
    },
  );

  it("a word that is a token becomes it at once only where the pre-tokenizer says so", () => {
    const vocabulary = bytesAnd([["abc", TOKEN_NORMAL]]);
    for (const [splitter, ids] of [
      ["llama-bpe", 1],
      ["minicpm5", 1],
      ["smaug-bpe", 3],
      ["smollm", 3],
      ["gpt-2", 3],
    ] as const) {
      expect(new TokenizerHarness(wasm.module, vocabulary, { splitter }).encode("abc"), splitter).toHaveLength(ids);
    }
  });

  const TOKENS = "tokenizer.ggml.tokens";
  const MERGES = "tokenizer.ggml.merges";
  it.each<[string, Vocabulary, string, number]>([
    [
      "a duplicate",
      bytesAnd([
        ["ab", TOKEN_NORMAL],
        ["cd", TOKEN_NORMAL],
        ["ab", TOKEN_NORMAL],
      ]),
      TOKENS,
      258,
    ],
    [
      "a duplicate control token",
      bytesAnd([
        ["ab", TOKEN_CONTROL],
        ["ab", TOKEN_CONTROL],
      ]),
      TOKENS,
      257,
    ],
    ["an unknown type", bytesAnd([["ab", 7]]), "tokenizer.ggml.token_type", 256],
    ["a negative type", bytesAnd([["ab", -1]]), "tokenizer.ggml.token_type", 256],
    ["a merge without a space", bytesAnd([["ab", TOKEN_NORMAL]], ["a b", "ab"]), MERGES, 1],
    ["a merge with two", bytesAnd([["ab", TOKEN_NORMAL]], ["a b "]), MERGES, 0],
    ["a merge of nothing", bytesAnd([], [""]), MERGES, 0],
    ["a merge without a left side", bytesAnd([], [" a"]), MERGES, 0],
    ["a merge without a right side", bytesAnd([], ["a "]), MERGES, 0],
    ["a merge of what is no token", bytesAnd([["abc", TOKEN_NORMAL]], ["ab c"]), MERGES, 0],
    ["a merge to what is no token", bytesAnd([], ["a b"]), MERGES, 0],
    ["a merge to a control token", bytesAnd([["ab", TOKEN_CONTROL]], ["a b"]), MERGES, 0],
    ["a merge twice", bytesAnd([["ab", TOKEN_NORMAL]], ["a b", "a b"]), MERGES, 1],
    ["a merge outside the alphabet", bytesAnd([["ab", TOKEN_NORMAL]], ["a 日"]), MERGES, 0],
    ["a merge longer than any token", bytesAnd([], [`${"a".repeat(70_000)} b`]), MERGES, 0],
  ])("refuse %s", (_, hostile, field, value) => {
    let error: unknown;
    try {
      new TokenizerHarness(wasm.module, hostile);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(BuildError);
    expect(error).toMatchObject({ status: BAD_VOCABULARY, field, value });
  });

  it("accept the longest token, an empty one, and bytes with a high bit", () => {
    const long = "x".repeat(MAX_TOKEN_BYTES);
    const core = new TokenizerHarness(
      wasm.module,
      bytesAnd(
        [
          [long, TOKEN_NORMAL],
          ["", TOKEN_CONTROL],
          ["Ãł", TOKEN_NORMAL],
        ],
        ["Ã ł"],
      ),
    );
    expect(core.encode(long)).toEqual([256]);
    expect(core.encode("à<", ENCODE_SPECIAL)).toEqual([258, 60]);
  });
});

describe("detokenizer", () => {
  it("gives back every text, in pieces of whole characters", () => {
    const random = generator(SEED + 3);
    for (let i = 0; i < 3000; i++) {
      const text = mixedText(random, (c) => c < 0xd800 || c > 0xdfff);
      const pieces = llama.pieces(llama.encode(text));
      const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      const joined = pieces.map((piece) => strict.decode(piece)).join("");
      if (joined !== text) expect(joined).toBe(text);
    }
  });

  it("holds back at most an incomplete character, and nothing that cannot become one", () => {
    const core = new TokenizerHarness(
      wasm.module,
      bytesAnd([
        ["<s>", TOKEN_CONTROL],
        ["<u>", TOKEN_USER_DEFINED],
      ]),
    );
    const ids = Array.from({ length: 256 }, (_, byte) => core.find(Uint8Array.of(byte)));
    const pieces = (bytes: number[]) =>
      core.pieces(bytes.map((b) => (b < 256 ? (ids[b] as number) : b))).map((p) => [...p]);
    expect(pieces([0x61, 0xf0, 0x9f, 0x98, 0x80])).toEqual([[0x61], [], [], [], [0xf0, 0x9f, 0x98, 0x80], []]);
    expect(pieces([0xf0, 0x9f, 0x61])).toEqual([[], [], [0xf0, 0x9f, 0x61], []]);
    expect(pieces([0xc3, 0xc3, 0xa0])).toEqual([[], [0xc3], [0xc3, 0xa0], []]);
    expect(pieces([0xe0, 0x80])).toEqual([[], [0xe0, 0x80], []]);
    expect(pieces([0xed, 0xa0])).toEqual([[], [0xed, 0xa0], []]);
    expect(pieces([0x80, 0xff, 0xc0, 0xf5])).toEqual([[0x80], [0xff], [0xc0], [0xf5], []]);
    expect(pieces([0xe2, 0x82])).toEqual([[], [], [0xe2, 0x82]]);
    expect(pieces([0xc3, 256, 0xa0, 256])).toEqual([[], [], [0xc3, 0xa0], [], []]);
    expect(pieces([257])).toEqual([[...encoder.encode("<u>")], []]);
    expect(pieces([0x61])).toEqual([[0x61], []]); // nothing is left of earlier streams
  });

  it("decodes any bytes as TextDecoder does in one go", () => {
    const random = generator(SEED + 4);
    const core = new TokenizerHarness(wasm.module, bytesAnd([]));
    const ids = Array.from({ length: 256 }, (_, byte) => core.find(Uint8Array.of(byte)));
    for (let i = 0; i < 5000; i++) {
      const bytes = Array.from({ length: 1 + random.below(12) }, () =>
        random.pick([0x61, 0x80, 0xa0, 0xc3, 0xe2, 0xed, 0xf0, 0xf4]),
      );
      const pieces = core.pieces(bytes.map((byte) => ids[byte] as number));
      expect(Buffer.concat(pieces).equals(Uint8Array.from(bytes))).toBe(true);
      const separately = pieces.map((piece) => decoder.decode(piece)).join("");
      expect(separately).toBe(decoder.decode(Uint8Array.from(bytes)));
    }
  });

  it("refuses ids outside the vocabulary", () => {
    for (const id of [-1, vocabulary.tokens.length, 2 ** 31 - 1]) expect(() => llama.pieces([id])).toThrow("status");
  });
});
