// Grammars in llama.cpp's GBNF: what they take, what is refused, and that a text always comes to its end.

import { describe, expect, test } from "vitest";
import { createConstraint as compile, finish } from "../../../host/core/grammar/index.js";
import { buildVocabulary } from "../../../host/core/grammar/vocabulary.js";
import { caught } from "../../support/nano.js";
import { turn } from "../../support/turn.js";
import {
  allowed,
  CONTROL,
  createConstraint,
  END,
  grammar,
  isSet,
  newMask,
  takes,
  throwDice,
  vocabulary,
} from "./grammar_harness.js";

const CASES: [name: string, grammar: string, right: string[], wrong: string[]][] = [
  ["a literal", 'root ::= "abc"', ["abc"], ["", "ab", "abcd", "Abc"]],
  ["escapes", String.raw`root ::= "\"\\\n\x41\u00e8\U0001F600"`, ['"\\\nAè😀'], ['"\\\nA']],
  ["alternatives", 'root ::= "a" | "b" "c" | ""', ["", "a", "bc"], ["b", "ab"]],
  ["alternatives over lines", 'root ::=\n  "a" | # first\n  "b" |\n (\n"c"\n)\n\n', ["a", "b", "c"], ["ab"]],
  ["a class", String.raw`root ::= [a-cx\]\-]+`, ["abcx]-"], ["", "d", "["]],
  ["a negated class", 'root ::= [^a-z"]', ["A", "è", "\n", "😀"], ["a", '"', "AB"]],
  ["a class with a hyphen at its end", "root ::= [a-]*", ["a-a"], ["b"]],
  ["any character", "root ::= . .", ["ab", "è😀", "\n\n"], ["a", "abc"]],
  ["repetition", 'root ::= "a"* "b"+ "c"?', ["b", "aabbc"], ["", "a", "bcc"]],
  ["counts", 'root ::= "a"{2} "b"{1,} "c"{,2} "d"{0,1}', ["aab", "aabbccd"], ["ab", "aa", "aabccc"]],
  ["repeated groups", 'root ::= ("a" | "bc"){2,3} "!"', ["aa!", "bcabc!"], ["a!", "aaaa!"]],
  ["nested repetition", 'root ::= (("a"?)* "b")*', ["", "b", "aabab"], ["a"]],
  ["rules", 'root ::= x-1 x_2\nx-1 ::= "a"\nx_2 ::= "b"', ["ab"], ["a", "ba"]],
  ["recursion", 'root ::= "(" root ")" | ""', ["", "()", "((()))"], ["(", ")(", "(()"]],
  ["two ways to go on", 'root ::= "a" root "b" | "a" root "c" | "x"', ["x", "axb", "aaaxbcb"], ["ax", "axbb"]],
  ["empty rules", 'root ::= e e "a" e\ne ::= "" | "-"', ["a", "--a-", "-a"], ["---a"]],
  ["tail calls", 'root ::= "a" root | "b"', ["b", `${"a".repeat(3000)}b`], ["a"]],
  [
    "characters of all lengths",
    String.raw`root ::= [\u0000-\U0010ffff]`,
    ["\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"],
    ["", "aa"],
  ],
  ["characters in the middle", "root ::= [ÿ-Ā߾-ࠁ]", ["ÿ", "Ā", "߾", "߿", "ࠀ", "ࠁ"], ["þ", "ā", "߽", "ࠂ"]],
];

describe("GBNF", () => {
  test.each(CASES)("%s", (_, text, right, wrong) => {
    for (const sample of right) expect(takes(grammar(text), sample), sample).toBe(true);
    for (const sample of wrong) expect(takes(grammar(text), sample), sample).toBe(false);
  });

  const MISTAKES: [grammar: string, message: RegExp][] = [
    ["", /"root" is missing/],
    ['a ::= "b"', /"root" is missing/],
    ["root = x", /line 1: expected "::="/],
    ['root ::= "a', /a literal or class has no end/],
    ["root ::= [a-", /a literal or class has no end/],
    ["root ::= [z-a]", /runs backwards/],
    ['root ::= "a"\n\nroot ::= "b"', /line 3: rule "root" is defined twice/],
    ["root ::= x", /rule "x" is not defined/],
    ["root ::= (", /expected "\)"/],
    ['root ::= "a" )', /expected a line break/],
    ['root ::= "a"{}', /repetition/],
    ['root ::= "a"{3,1}', /runs backwards/],
    ['root ::= "a"{1000000}', /at most/],
    [String.raw`root ::= "\q"`, /unknown escape/],
    [String.raw`root ::= "\ud800"`, /no character/],
    ['root ::= root "a" | "b"', /left-recursive/],
    ['root ::= a\na ::= b "x"\nb ::= "y" | c\nc ::= a', /left-recursive/],
    ['root ::= e root | "a"\ne ::= "x"?', /left-recursive/],
    ['root ::= "a" root', /no text of it ever ends/],
    [`root ::= ${"(".repeat(200)}"a"${")".repeat(200)}`, /deeper than/],
    ['root ::= (("a"{1000}){1000}){1000}', /states/],
    [`root ::= ("a" | "b")* "a" ${'("a" | "b") '.repeat(40)}`, /states|ambiguous/],
    [`root ::= ${"(".repeat(50)}""${"){100000}".repeat(50)}|"x"?"{`, /expected|literal/],
  ];
  test.each(MISTAKES)("%s is refused quickly", async (text, message) => {
    const begun = performance.now();
    const error = await caught(() => createConstraint(grammar(text), vocabulary));
    expect(error).toMatchObject({ name: "ZagreusError", code: "BAD_GRAMMAR", message: expect.stringMatching(message) });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test("what is larger than a grammar may be is refused", async () => {
    const error = await caught(() => createConstraint(grammar(`root ::= "${"a".repeat(2 ** 21)}"`), vocabulary));
    expect(error).toMatchObject({ code: "BAD_GRAMMAR" });
  });

  test("repetitions are written out in steps, whichever of their bounds is large", () => {
    for (const bounds of ["{1000}", "{0,1000}"]) {
      const steps = compile(grammar(`root ::= (("a"${bounds})${bounds})${bounds}`), vocabulary);
      let count = 0;
      const runAll = () => {
        while (!steps.next().done) count++;
      };
      expect(runAll).toThrow(/states/);
      expect(count).toBeGreaterThan(10);
    }
  });
});

describe("masks", () => {
  test("tokens of many bytes are allowed exactly where all their bytes are", () => {
    const texts = new TextDecoder("latin1");
    const format = grammar('root ::= [a-z]{2,25} | "#" [aè]{12,22} | "true" [0-9] | "{\\"" [^x]* "è" "€"');
    const { data, offsets } = vocabulary;
    for (const before of [
      "",
      "t",
      "tru",
      "true",
      "hel",
      "helloh",
      "#",
      "#aa",
      "#aaa",
      "#aèaèaèaèaèaèaè",
      '{"',
      '{"a',
      '{"aè',
    ]) {
      const may = new Set(allowed(format, before));
      for (let token = 0; token < CONTROL; token++) {
        const bytes = data.subarray(offsets[token]!, offsets[token + 1]!);
        let step = createConstraint(format, vocabulary);
        for (const byte of [...new TextEncoder().encode(before), ...bytes]) {
          try {
            step?.accept(byte);
          } catch {
            step = undefined;
          }
        }
        expect(may.has(token), `${before}|${texts.decode(bytes)}`).toBe(step !== undefined);
      }
    }
  });

  test("control tokens never come, the end token only where the text may end", () => {
    const format = grammar('root ::= "ab" "c"?');
    expect(allowed(format)).not.toContain(CONTROL);
    expect(allowed(format, "a")).toEqual(["b".charCodeAt(0)]);
    expect(allowed(format, "ab")).toEqual(["c".charCodeAt(0), END]);
    expect(allowed(format, "abc")).toEqual([END]);
  });

  test("rules nest only as deep as they can be followed, and the text can always be finished", async () => {
    for (const bytes of ["(", '["', '{"":', '[{"a":']) {
      const format =
        bytes === "(" ? grammar('root ::= "(" root ")" | "x"') : ({ type: "json_schema", schema: true } as const);
      const constraint = createConstraint(format, vocabulary)!;
      const mask = newMask();
      const may = (token: number) => isSet(mask, token);
      let wanted = 0;
      for (let i = 0; i < 20_000; i++) {
        constraint.allow(mask, 1e6);
        const token = bytes.charCodeAt(wanted++ % bytes.length);
        if (!may(token)) break;
        constraint.accept(token);
      }
      expect(wanted).toBeGreaterThan(bytes.length === 2 ? 2 : 300);
      expect(wanted).toBeLessThan(10_000);
      for (let left = constraint.shortest + 10; !constraint.complete; left--) {
        expect(left).toBeGreaterThan(0);
        constraint.allow(mask, left);
        constraint.accept([...Array(vocabulary.size).keys()].find(may)!);
      }
      await turn();
    }
  });

  test("what was computed is forgotten when it gets much, and nothing else changes", () => {
    const letters = [..."abcdefghijklmnopqrst"].map((letter) => `"${letter}"`).join(" | ");
    const constraint = createConstraint(grammar(`root ::= letter{0,60000} "!"\nletter ::= ${letters}`), vocabulary)!;
    const mask = newMask();
    for (let i = 0; i < 60_000; i++) {
      if (i % 5000 === 0) expect(constraint.allow(mask, 1e6)).toBe(true);
      constraint.accept("a".charCodeAt(0));
    }
    constraint.allow(mask, 1e6);
    expect([...Array(vocabulary.size).keys()].filter((token) => isSet(mask, token))).toEqual([33]);
    constraint.accept(33);
    expect(constraint.finished).toBe(true);
  });

  test("ambiguity does not pile up", () => {
    const format = grammar('root ::= a* "!"\na ::= "x" | "xx" | b\nb ::= "x" b "y" | "x" b "z" | "x"');
    const begun = performance.now();
    expect(takes(format, `${"x".repeat(400)}!`)).toBe(true);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  describe("bytes without a token", () => {
    const missing = [0x04, 0xf1, 0xff];
    const bytes = Array.from({ length: 256 }, (_, byte) => (missing.includes(byte) ? [] : [byte]));
    // A token that has one of them among others is of no use either: the text could not go on behind a part of it.
    const some = finish(
      buildVocabulary(
        [...bytes, [0x61, 0x04, 0x62], []].map((text) => Uint8Array.from(text)),
        [257],
      ),
    );
    const first = (format: ReturnType<typeof grammar>) => {
      const mask = new Uint8Array((some.size + 7) >> 3);
      finish(compile(format, some))!.allow(mask, 1e6);
      return Array.from({ length: some.size }, (_, token) => token).filter((token) => isSet(mask, token));
    };

    test("no text has them", () => {
      expect([...some.missing]).toEqual(missing);
      expect(first(grammar("root ::= [^a]"))).not.toContain(0x04);
      expect(first(grammar(String.raw`root ::= "\x04" | "b"`))).toEqual([0x62]);
      expect(first(grammar(String.raw`root ::= "a" "\x04" "b" | "ac"`))).toEqual([0x61]);
      expect(first(grammar(String.raw`root ::= [\U00040000-\U00040001] | "\U0001F600"`))).toEqual([0xf0]);
      expect(first({ type: "json_object" })).toContain(0x7b);
    });

    test("a grammar that needs one is refused, with the byte", async () => {
      for (const [text, byte] of [
        [String.raw`root ::= "a" "\x04" "b"`, 0x04],
        [String.raw`root ::= "a" r\nr ::= "\U00040000" | "b" r`.replace("\\n", "\n"), 0xf1],
      ] as const) {
        const error = await caught(() => finish(compile(grammar(text), some)));
        expect(error).toMatchObject({ code: "BAD_GRAMMAR", value: byte });
        expect(String(error)).toContain(`byte ${byte}`);
      }
      const triggered = { ...grammar(String.raw`root ::= "<\x04>" "a"`), trigger: "<\x04>" };
      expect(await caught(() => finish(compile(triggered, some)))).toMatchObject({ code: "BAD_GRAMMAR", value: 4 });
    });

    test("free text has none, and comes to its trigger", () => {
      const format = { ...grammar('root ::= "<a>" [0-9]+'), trigger: "<a>" };
      const allowed = first(format);
      expect(allowed).toContain(0x3c);
      expect(allowed).not.toContain(256); // "a\x04b"
      expect(allowed).toContain(257);
    });
  });
});

describe("a text comes to its end within its tokens", () => {
  const FORMATS = {
    recursion: grammar('root ::= "(" root ")" | "[" root root "]" | [a-z]+'),
    "long words": grammar('root ::= ("hello"{3} | [^b]{5,40}) ("èè" | "true")+ "!"'),
    "two lengths": grammar('root ::= "a"{0,30} ("b"{20} | "c" root)'),
    json: { type: "json_object" } as const,
  };
  test.each(Object.entries(FORMATS))("%s", (_, format) => {
    const { shortest } = createConstraint(format, vocabulary)!;
    for (let seed = 0; seed < 60; seed++) {
      const { text, complete } = throwDice(format, shortest + (seed % 30), seed);
      expect(complete, text).toBe(true);
      expect(takes(format, text), text).toBe(true);
    }
  });

  test("`shortest` counts tokens, not bytes", () => {
    expect(createConstraint(grammar('root ::= "hellotrue" "hello"'), vocabulary)!.shortest).toBe(3);
  });
});

describe("a trigger", () => {
  const format = grammar('root ::= "<tool>" [a-c]{2,4} "</tool>"', "<tool>");
  const code = (char: string) => char.charCodeAt(0);

  test("before it everything may come", () => {
    expect(allowed(format)).toHaveLength(vocabulary.size);
    expect(allowed(format, "free <<too text")).toHaveLength(vocabulary.size);
  });

  test("behind it only the grammar's text, also after false starts", () => {
    expect(allowed(format, "free <tool>")).toEqual(["a", "b", "c"].map(code));
    expect(allowed(format, "<<tool>")).toEqual(["a", "b", "c"].map(code));
    expect(allowed(format, "<to<tool>aa</tool>")).toEqual([END]);
  });

  test("is not begun when its text would not fit any more", () => {
    const ool = vocabulary.size - 2 - 5; // the token "ool>"
    expect(allowed(format, "x<t", 12)).toContain(ool);
    expect(allowed(format, "x<t", 5)).not.toContain(ool);
    expect(allowed(format, "x<t", 5)).toContain(code("x"));
  });

  test("has to begin the grammar's text", async () => {
    const error = await caught(() => createConstraint(grammar('root ::= "a"', "b"), vocabulary));
    expect(error).toMatchObject({ code: "BAD_GRAMMAR", message: expect.stringContaining("trigger") });
  });
});
