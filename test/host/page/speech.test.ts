import fc from "fast-check";
import { expect, test } from "vitest";
import { plain, utterances } from "../../../host/page/speech/aloud";
import { heard } from "../../../host/page/speech/dictation";

test("Markdown is not read out", () => {
  expect(plain("## A **bold** [link](https://x.org) and `code`.\n- item")).toBe("A bold link and code . item");
  expect(utterances("...")).toEqual([]);
});

test("utterances are short, cut between words, and leave nothing out", () => {
  const words = fc.array(fc.stringMatching(/^[\p{L}0-9.,]{1,12}$/u), { maxLength: 80 });
  fc.assert(
    fc.property(words, (words) => {
      const text = words.join(" ");
      const parts = utterances(text);
      expect(parts.join(" ")).toBe(/[\p{L}\p{N}]/u.test(text) ? text : "");
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(400); // in UTF-16, of 200 characters
    }),
  );
  expect(utterances("x".repeat(500)).map(({ length }) => length)).toEqual([200, 200, 100]);
});

test("what was heard: one result after the other, or each with those before", () => {
  const results = (...texts: string[]) => texts.map((transcript) => [{ transcript }] as const);
  expect(heard(results("ciao", " come stai"))).toBe("ciao come stai");
  expect(heard(results("ciao", "ciao come", "ciao come stai"))).toBe("ciao come stai");
  expect(heard(results("ciao", "ciao"))).toBe("ciao");
  expect(heard(results(""))).toBe("");
});
