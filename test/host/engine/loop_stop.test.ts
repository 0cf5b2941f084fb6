import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { LoopStop } from "../../../host/core/engine/text/loop_stop";
import { loadNano } from "../../support/nano";

/** How much of a text has come when it is heard; undefined: never. */
function heard(text: string): number | undefined {
  const loop = new LoopStop();
  const at = [...text].findIndex((character) => loop.push(character));
  return at < 0 ? undefined : at + 1;
}

/** The same, told by looking. */
function seen(text: string): number | undefined {
  for (let end = 1; end <= text.length; end++) {
    for (let length = 8; length * 4 <= end; length++) {
      const copy = text.slice(end - length, end);
      if (/\p{L}/u.test(copy) && text.slice(0, end).endsWith(copy.repeat(4))) return end;
    }
  }
  return undefined;
}

test.each<[text: string, end: number | undefined]>([
  [`Ciao. ${"Buona giornata! ".repeat(12)}`, 5 + 4 * 16],
  [`Ciao. ${"Buona giornata! ".repeat(3)}Ecco.`, undefined],
  ["ah ".repeat(20), 36], // 12 copies of 3 are 4 of 9
  [`${"-".repeat(80)}\n| ${"--- | ".repeat(20)}`, undefined],
  ["1, 0, ".repeat(40), undefined],
  ["parola, ".repeat(4), 32],
  [`${"a".repeat(399)}b`.repeat(4), 32],
  [`${Array.from({ length: 100 }, (_, i) => `w${i} `).join("")}`.repeat(4), 390 * 4],
  [`${Array.from({ length: 110 }, (_, i) => `w${i} `).join("")}`.repeat(6), undefined],
])("%#: %j", (text, end) => {
  expect(heard(text)).toBe(end);
});

test("any text, in any pieces", () => {
  const unit = fc.string({ unit: fc.constantFrom("a", "b", " ", "-"), minLength: 1, maxLength: 12 });
  const text = fc
    .array(fc.tuple(unit, fc.integer({ min: 1, max: 9 })), { maxLength: 5 })
    .map((parts) => parts.map(([unit, count]) => unit.repeat(count)).join(""));
  fc.assert(
    fc.property(text, (text) => {
      expect(heard(text)).toBe(seen(text));
      expect(new LoopStop().push(text)).toBe(seen(text) !== undefined);
    }),
    { numRuns: 2000 },
  );
});

let model: Model;
beforeAll(async () => {
  model = await loadNano();
});
afterAll(() => model.close());

const GREEDY = { temperature: 0, repetitionPenalty: 1, maxTokens: 300 };

test("a generation ends in the loop that it goes round in, and not within what a format wants", async () => {
  const whole = model.complete("C'era una volta", GREEDY);
  const text = await whole.text();
  const end = seen(text);
  expect([whole.finishReason, end]).toEqual(["length", expect.any(Number)]); // this model loops
  const stopped = model.complete("C'era una volta", { ...GREEDY, loopStop: true });
  const shown = await stopped.text();
  expect(stopped.finishReason).toBe("loop");
  expect(text.startsWith(shown)).toBe(true);
  expect(shown.length).toBeGreaterThanOrEqual(end!);
  expect(stopped.tokens.length).toBeLessThan(300);
  const grammar = { type: "grammar", grammar: 'root ::= "Buona giornata! "{20}' } as const;
  const structured = model.complete("", { ...GREEDY, loopStop: true, responseFormat: grammar });
  expect(await structured.text()).toBe("Buona giornata! ".repeat(20));
});
