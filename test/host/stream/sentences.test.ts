import fc from "fast-check";
import { expect, test } from "vitest";
import { Sentences } from "../../../host/core/stream/sentences";
import { loadNano, PROMPT } from "../../support/nano";

function sentencesOf(...pieces: string[]): string[] {
  const sentences = new Sentences();
  return [...pieces.flatMap((piece) => sentences.add(piece)), ...sentences.end()];
}

test("sentences end where people end them", () => {
  const cases: string[][] = [
    ["Ciao! ", "Come stai? ", "Bene."],
    ["Il dott. Rossi è qui. ", "Il sig. M. Bianchi no."],
    ["See e.g. Dr. Smith. ", 'He said "no." ', "Then he left."],
    ["It is 3.14 at 5 p.m. today... ", "Really?! ", "Yes."],
    ["# Title\n\n", "1. One\n", "2. Two\n\n", "The end"],
    ["“Ah!” disse il re. ", "E rise (forte). ", "Fine"],
    ["你好。", "你好吗？」", "很好"],
    ["\n\nafter lines"],
  ];
  for (const sentences of cases) expect(sentencesOf(sentences.join(""))).toEqual(sentences);
  expect(sentencesOf()).toEqual([]);
});

const word = fc.constantFrom(
  "a",
  "B",
  "Dr",
  "e.g",
  "1",
  ".",
  "!",
  "?",
  "…",
  "。",
  "」",
  " ",
  "  ",
  "\n",
  '"',
  "”",
  ")",
  "ciao",
  "Ciao",
  "😀",
);

test("however a text comes, its sentences are the same, and put together they are the text", () => {
  fc.assert(
    fc.property(fc.array(fc.array(word).map((words) => words.join(""))), (pieces) => {
      const whole = pieces.join("");
      expect(sentencesOf(...pieces)).toEqual(sentencesOf(whole));
      expect(sentencesOf(...pieces).join("")).toBe(whole);
    }),
    { numRuns: 1000 },
  );
});

test("a completion gives its sentences, once; leaving ends it", async () => {
  const model = await loadNano();
  const options = { temperature: 0.7, seed: 1, maxTokens: 200 };
  const text = await model.complete(PROMPT, options).text();
  const sentences: string[] = [];
  const completion = model.complete(PROMPT, options);
  for await (const sentence of completion.sentences()) sentences.push(sentence);
  expect(sentences).toEqual(sentencesOf(text));
  expect(sentences.length).toBeGreaterThan(1);
  await expect(completion.text()).rejects.toMatchObject({ code: "BUSY" });
  const left = model.complete(PROMPT, options);
  for await (const _ of left.sentences()) break;
  expect(left.tokens.length).toBeLessThan(200);
  expect(await model.complete(PROMPT, options).text()).toBe(text);
  model.close();
});
