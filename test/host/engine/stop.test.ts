import fc from "fast-check";
import { expect, test } from "vitest";
import { StopMatcher } from "../../../host/core/engine/stop";

/** Runs pieces through a matcher; returns what came out of it. */
function shown(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const matcher = new StopMatcher(stops);
  let text = "";
  for (const piece of pieces) text += matcher.push(piece);
  text += matcher.flush();
  return { text, stopped: matcher.stopped };
}

/** What must come out: everything before the stop string that is complete first. */
function reference(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const ended = stops.filter((stop) => text.slice(0, end).endsWith(stop)).map((stop) => stop.length);
    if (ended.length > 0) return { text: text.slice(0, end - Math.max(...ended)), stopped: true };
  }
  return { text, stopped: false };
}

/** Few letters, so that stop strings and their beginnings occur. */
const letters = (minLength: number, maxLength: number) =>
  fc.array(fc.constantFrom("a", "b", "é", "\n"), { minLength, maxLength }).map((list) => list.join(""));

test("any cut of a text gives what the whole text gives", () => {
  const cuts = fc.array(letters(0, 5), { maxLength: 12 });
  const stops = fc.array(letters(1, 4), { maxLength: 3 });
  fc.assert(
    fc.property(cuts, stops, (pieces, list) => {
      expect(shown(pieces, list)).toEqual(reference(pieces.join(""), list));
    }),
    { numRuns: 2000 },
  );
});

test("no part of a stop string is passed on before it is certain", () => {
  const matcher = new StopMatcher(["\nUser:"]);
  expect(matcher.push("Sì.\nUs")).toBe("Sì.");
  expect(matcher.push("er")).toBe("");
  expect(matcher.push(": ciao")).toBe("");
  expect(matcher.stopped).toBe(true);
  expect(matcher.flush()).toBe("");
});

test("what only looked like a stop string comes through whole", () => {
  const matcher = new StopMatcher(["abab!"]);
  expect(matcher.push("xabab")).toBe("x");
  expect(matcher.push("ab")).toBe("ab");
  expect(matcher.push("c")).toBe("ababc");
  expect(matcher.push("ab")).toBe("");
  expect(matcher.flush()).toBe("ab");
});

test("without stop strings nothing is held back", () => {
  const matcher = new StopMatcher([]);
  expect(matcher.push("ab")).toBe("ab");
  expect(matcher.flush()).toBe("");
});
