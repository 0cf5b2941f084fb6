// Patterns as languages. Lookaround and anchors are read from the outside in; what stands in a repetition has to do without.

import { ANY_CHARACTER, type Range } from "../../shared/ranges.js";
import { mapInSteps, type Steps } from "../../shared/slices.js";
import { badSchema } from "../read/errors.js";
import { ANY_TEXT, determinize, intersect, type Language, listed, subtract } from "./language.js";
import { Nfa } from "./nfa.js";
import { type Expression, parsePattern } from "./pattern.js";

const ANYTHING: Expression = {
  type: "repeat",
  inner: { type: "chars", ranges: ANY_CHARACTER },
  min: 0,
  max: Number.POSITIVE_INFINITY,
};

/** The texts in which a pattern is found. @throws ZagreusError BAD_SCHEMA */
export function* patternLanguage(pattern: string, path: string): Steps<Language> {
  const expression = parsePattern(pattern, path);
  if (!hasLook(expression)) return yield* plain([ANYTHING, expression, ANYTHING], path);
  const options = expression.type === "choice" ? expression.options : [expression];
  return yield* unionOf(yield* mapInSteps(options, (option) => searched(partsOf(option), path)), path);
}

/** The texts in which the parts are found one behind the other, the first one anywhere unless it is "^". */
function searched(parts: readonly Expression[], path: string): Steps<Language> {
  const isAnchored = parts[0]?.type === "start";
  return continued(isAnchored ? parts.slice(1) : [ANYTHING, ...parts], isAnchored, path);
}

/** What may stand from here to the end of the text. @param atStart whether here is the beginning */
function* continued(parts: readonly Expression[], atStart: boolean, path: string): Steps<Language> {
  const at = parts.findIndex(hasLook);
  if (at < 0) return yield* plain([...parts, ANYTHING], path);
  const before = parts.slice(0, at);
  const part = parts[at]!;
  const after = parts.slice(at + 1);
  if (part.type === "choice") {
    const ways = yield* mapInSteps(part.options, (option) =>
      continued([...before, ...partsOf(option), ...after], atStart, path),
    );
    return yield* unionOf(ways, path);
  }
  if (part.type === "sequence") return yield* continued([...before, ...part.parts, ...after], atStart, path);
  if (part.type !== "look") throw badSchema(path, "lookaround is understood outside of repetitions only");
  refuseContext(before, path);
  const rest = yield* continued(after, atStart && before.length === 0, path);
  const keep = part.negated ? subtract : intersect;
  if (!part.behind) {
    const seen = yield* hasLook(part.inner)
      ? continued([part.inner], false, path)
      : plain([part.inner, ANYTHING], path);
    return yield* joined(yield* plain(before, path), yield* keep(rest, seen, path), path);
  }
  if (!atStart && before[0] !== ANYTHING)
    throw badSchema(path, "lookbehind is understood with nothing but lookahead before it");
  const seen = yield* plain([ANYTHING, part.inner], path);
  return yield* joined(yield* keep(yield* plain(before, path), seen, path), rest, path);
}

/** What asks for its surroundings cannot be cut off from them. */
function refuseContext(parts: readonly Expression[], path: string): void {
  const asks = (expression: Expression): boolean =>
    ["start", "end", "boundary"].includes(expression.type) || inner(expression).some(asks);
  if (parts.some(asks)) throw badSchema(path, "^, $ and \\b before lookaround are understood at the start only");
}

/** The texts that are made of the parts from their beginning to their end. */
function plain(parts: readonly Expression[], path: string): Steps<Language> {
  const nfa = new Nfa(path);
  const end = nfa.state();
  return determinize(nfa, nfa.add({ type: "sequence", parts }, end), end, path);
}

/** A text of the first, then one of the second. */
function joined(first: Language, second: Language, path: string): Steps<Language> {
  const nfa = new Nfa(path);
  const end = nfa.state();
  return determinize(nfa, embed(nfa, first, embed(nfa, second, end)), end, path);
}

/** What is in any of some languages. */
export function* unionOf(languages: readonly Language[], path: string): Steps<Language> {
  let all = languages[0] ?? listed([]);
  for (const language of languages.slice(1)) all = yield* union(all, language, path);
  return all;
}

function union(a: Language, b: Language, path: string): Steps<Language> {
  const nfa = new Nfa(path);
  const end = nfa.state();
  const start = nfa.state();
  nfa.states[start]!.free.push(embed(nfa, a, end), embed(nfa, b, end));
  return determinize(nfa, start, end, path);
}

/** Adds a language in front of `to`. */
function embed(nfa: Nfa, { edges, accepts }: Language, to: number): number {
  const numbers = edges.map(() => nfa.state());
  edges.forEach((list, state) => {
    const { free, chars } = nfa.states[numbers[state]!]!;
    const byTarget = new Map<number, Range[]>();
    for (const { first, last, to } of list) {
      const ranges = byTarget.get(to) ?? [];
      ranges.push([first, last]);
      byTarget.set(to, ranges);
    }
    for (const [target, ranges] of byTarget) chars.push({ ranges, to: numbers[target]! });
    if (accepts[state]) free.push(to);
  });
  return numbers[0]!;
}

const partsOf = (expression: Expression): readonly Expression[] =>
  expression.type === "sequence" ? expression.parts : [expression];

function inner(expression: Expression): readonly Expression[] {
  switch (expression.type) {
    case "sequence":
      return expression.parts;
    case "choice":
      return expression.options;
    case "repeat":
    case "look":
      return [expression.inner];
    default:
      return [];
  }
}

const hasLook = (expression: Expression): boolean => expression.type === "look" || inner(expression).some(hasLook);

export { ANY_TEXT, type Language };
