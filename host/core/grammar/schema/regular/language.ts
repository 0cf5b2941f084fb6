// Regular languages of texts as deterministic automata over code points, and their algebra.

import { ANY_CHARACTER, type Range } from "../../shared/ranges.js";
import { Rest, type Steps } from "../../shared/slices.js";
import { badSchema } from "../read/errors.js";
import { WORD } from "./classes.js";
import type { Assertion, Nfa } from "./nfa.js";

export interface Edge {
  first: number;
  last: number;
  to: number;
}

/** State 0 is the start; what no edge reads is not of the language. */
export interface Language {
  /** Edges of every state, ascending and without overlaps. */
  readonly edges: readonly (readonly Edge[])[];
  readonly accepts: readonly boolean[];
}

const MAX_STATES = 10_000;
const MAX_EDGES = 100_000;
const MAX_WORK = 1_000_000;
/** Members and edges between two steps. */
const WORK_PER_STEP = 10_000;

const everything = (to: number): Edge[] => ANY_CHARACTER.map(([first, last]) => ({ first, last, to }));

/** All texts. */
export const ANY_TEXT: Language = { edges: [everything(0)], accepts: [true] };

export const isEmpty = ({ accepts }: Language): boolean => !accepts.includes(true);

export function includes({ edges, accepts }: Language, text: string): boolean {
  let state = 0;
  for (const char of text) {
    const point = char.codePointAt(0)!;
    const edge = edges[state]!.find(({ first, last }) => first <= point && point <= last);
    if (!edge) return false;
    state = edge.to;
  }
  return accepts[state]!;
}

/** Texts of `min` to `max` characters. */
export function ofLength(min: number, max: number, path: string): Language {
  const last = max === Number.POSITIVE_INFINITY ? min : max;
  if (last >= MAX_STATES) throw badSchema(path, `a length of more than ${MAX_STATES} beside other keywords`, last);
  const edges = Array.from({ length: last + 1 }, (_, i) =>
    i < last ? everything(i + 1) : max === Number.POSITIVE_INFINITY ? everything(i) : [],
  );
  return { edges, accepts: edges.map((_, i) => i >= min) };
}

/** Just these texts, and with `open` all that begin with one of them. */
export function listed(texts: readonly string[], open = false): Language {
  const nodes: { next: Map<number, number>; ends: boolean }[] = [{ next: new Map(), ends: false }];
  for (const text of texts) {
    let at = 0;
    for (const char of text) {
      const point = char.codePointAt(0)!;
      const next = nodes[at]!.next.get(point) ?? nodes.push({ next: new Map(), ends: false }) - 1;
      nodes[at]!.next.set(point, next);
      at = next;
    }
    nodes[at]!.ends = true;
  }
  const edges = nodes.map(({ next, ends }, state) =>
    open && ends
      ? everything(state)
      : [...next].sort(([a], [b]) => a - b).map(([point, to]) => ({ first: point, last: point, to })),
  );
  return { edges, accepts: nodes.map(({ ends }) => ends) };
}

/** What is in both. @throws ZagreusError BAD_SCHEMA with `path` when it gets too large, as all of these do */
export const intersect = (a: Language, b: Language, path: string): Steps<Language> =>
  product(a, b, path, (x, y) => x && y);

/** What is in the first only. */
export const subtract = (a: Language, b: Language, path: string): Steps<Language> =>
  product(a, b, path, (x, y) => x && !y);

export function* isIncluded(inner: Language, outer: Language, path: string): Steps<boolean> {
  return isEmpty(yield* subtract(inner, outer, path));
}

const DEAD = -1;

/** Runs both side by side, the first one as long as it lives. */
function* product(
  a: Language,
  b: Language,
  path: string,
  wanted: (x: boolean, y: boolean) => boolean,
): Steps<Language> {
  const numbers = new Map<string, number>();
  const pairs: [number, number][] = [];
  const intern = (x: number, y: number): number => {
    const key = `${x},${y}`;
    let state = numbers.get(key);
    if (state === undefined) {
      state = pairs.push([x, y]) - 1;
      if (state >= MAX_STATES) throw tooLarge(path);
      numbers.set(key, state);
    }
    return state;
  };
  intern(0, 0);
  const rest = new Rest(WORK_PER_STEP);
  const edges: Edge[][] = [];
  let count = 0;
  for (let i = 0; i < pairs.length; i++) {
    const [x, y] = pairs[i]!;
    const list = meet(a.edges[x]!, y === DEAD ? [] : b.edges[y]!, intern);
    count += list.length;
    if (count > MAX_EDGES) throw tooLarge(path);
    edges.push(list);
    yield* rest.after(list.length);
  }
  return trimmed({ edges, accepts: pairs.map(([x, y]) => wanted(a.accepts[x]!, y !== DEAD && b.accepts[y]!)) });
}

/** The edges of `a`, cut where those of `b` begin and end. */
function meet(a: readonly Edge[], b: readonly Edge[], intern: (x: number, y: number) => number): Edge[] {
  const result: Edge[] = [];
  let j = 0;
  for (const { first, last, to } of a) {
    let from = first;
    while (from <= last) {
      while (j < b.length && b[j]!.last < from) j++;
      const other = b[j];
      const inside = other !== undefined && other.first <= from;
      const end = inside ? Math.min(last, other.last) : Math.min(last, other ? other.first - 1 : last);
      result.push({ first: from, last: end, to: intern(to, inside ? other.to : DEAD) });
      from = end + 1;
    }
  }
  return result;
}

/** Without what leads nowhere. */
function trimmed({ edges, accepts }: Language): Language {
  const before: number[][] = edges.map(() => []);
  edges.forEach((list, from) => {
    for (const { to } of list) before[to]!.push(from);
  });
  const alive = new Set(accepts.flatMap((accept, state) => (accept ? [state] : [])));
  for (const state of alive) for (const from of before[state]!) alive.add(from);
  if (!alive.has(0)) return { edges: [[]], accepts: [false] };
  const numbers = new Map([0, ...[...alive].filter((state) => state !== 0)].map((state, i) => [state, i]));
  const kept = [...numbers.keys()];
  return {
    edges: kept.map((state) =>
      edges[state]!.flatMap(({ first, last, to }) => (numbers.has(to) ? [{ first, last, to: numbers.get(to)! }] : [])),
    ),
    accepts: kept.map((state) => accepts[state]!),
  };
}

const tooLarge = (path: string) => badSchema(path, `needs more than ${MAX_STATES} states, or ${MAX_EDGES} edges`);

/** What is asked of the character that comes next. */
const [ANYTHING, WORD_NEXT, NO_WORD_NEXT, NOTHING_NEXT] = [0, 1, 2, 3];
/** What stands before. */
const [TEXT_START, AFTER_WORD, AFTER_OTHER] = [0, 1, 2];

/** The subset construction. A member is a state and what it asks of the next character, as 4 x state + that. */
export function* determinize(nfa: Nfa, start: number, end: number, path: string): Steps<Language> {
  const alphabet = new Alphabet(nfa);
  const known = new Map<string, number>();
  const subsets: number[][] = [];
  let work = 0;
  const intern = (seeds: readonly number[], behind: number): number => {
    const members = closure(nfa, seeds, behind);
    work += members.length;
    if (work > MAX_WORK) throw badSchema(path, "is too ambiguous a pattern", MAX_WORK);
    const key = members.join();
    const found = known.get(key);
    if (found !== undefined) return found;
    known.set(key, subsets.length);
    if (subsets.length >= MAX_STATES) throw tooLarge(path);
    return subsets.push(members) - 1;
  };
  intern([4 * start], TEXT_START);
  const rest = new Rest(WORK_PER_STEP);
  const edges: Edge[][] = [];
  let count = 0;
  for (let i = 0; i < subsets.length; i++) {
    const list = [...targets(nfa, alphabet, subsets[i]!)].flatMap(([letter, seeds]) => {
      const to = intern([...seeds], alphabet.isWord(letter) ? AFTER_WORD : AFTER_OTHER);
      return alphabet.ranges(letter).map(([first, last]) => ({ first, last, to }));
    });
    edges.push(list.sort((a, b) => a.first - b.first));
    count += list.length;
    if (count > MAX_EDGES) throw tooLarge(path);
    yield* rest.at(work + count);
  }
  const accepts = subsets.map((members) => members.some((m) => m >> 2 === end && (m & 3) !== WORD_NEXT));
  return trimmed({ edges, accepts });
}

/** The letters that some members read, and where each leads. */
function targets(nfa: Nfa, alphabet: Alphabet, members: readonly number[]): Map<number, Set<number>> {
  const found = new Map<number, Set<number>>();
  for (const member of members) {
    const asked = member & 3;
    if (asked === NOTHING_NEXT) continue;
    for (const { ranges, to } of nfa.states[member >> 2]!.chars) {
      for (const letter of alphabet.letters(ranges)) {
        if (asked !== ANYTHING && alphabet.isWord(letter) !== (asked === WORD_NEXT)) continue;
        const seeds = found.get(letter) ?? new Set();
        found.set(letter, seeds.add(4 * to));
      }
    }
  }
  return found;
}

/** The characters that an automaton tells apart: those of a letter are alike to it. */
class Alphabet {
  readonly #ranges: Range[][] = [];
  readonly #isWord: boolean[] = [];
  readonly #letters = new Map<readonly Range[], number[]>();

  constructor({ states }: Nfa) {
    const asksForWords = states.some(({ asserted }) =>
      asserted.some(({ assertion }) => assertion === "boundary" || assertion === "inside"),
    );
    const classes = new Set(states.flatMap(({ chars }) => chars.map(({ ranges }) => ranges)));
    for (const ranges of classes) this.#letters.set(ranges, []);
    if (asksForWords) classes.add(WORD);
    const sides = [...classes].flatMap((of) =>
      of.flatMap(([first, last]) => [
        { at: first, of, opens: true },
        { at: last + 1, of, opens: false },
      ]),
    );
    sides.sort((a, b) => a.at - b.at);
    this.#sweep(sides, [...classes]);
  }

  letters(ranges: readonly Range[]): readonly number[] {
    return this.#letters.get(ranges)!;
  }
  ranges(letter: number): readonly Range[] {
    return this.#ranges[letter]!;
  }
  isWord(letter: number): boolean {
    return this.#isWord[letter]!;
  }

  /** From one side of a range to the next: where the same classes are open, it is the same letter. */
  #sweep(
    sides: readonly { at: number; of: readonly Range[]; opens: boolean }[],
    classes: readonly (readonly Range[])[],
  ) {
    const numbers = new Map(classes.map((ranges, i) => [ranges, i]));
    const known = new Map<string, number>();
    const open = new Set<number>();
    sides.forEach(({ at, of, opens }, i) => {
      if (opens) open.add(numbers.get(of)!);
      else open.delete(numbers.get(of)!);
      const next = sides[i + 1]?.at ?? at;
      if (open.size === 0 || next === at) return;
      const key = [...open].sort((a, b) => a - b).join();
      const letter = known.get(key) ?? this.#add(key, known, open, classes);
      this.#ranges[letter]!.push([at, next - 1]);
    });
  }

  #add(
    key: string,
    known: Map<string, number>,
    open: ReadonlySet<number>,
    classes: readonly (readonly Range[])[],
  ): number {
    const letter = this.#ranges.push([]) - 1;
    known.set(key, letter);
    this.#isWord.push([...open].some((i) => classes[i] === WORD));
    for (const i of open) this.#letters.get(classes[i]!)?.push(letter);
    return letter;
  }
}

function closure(nfa: Nfa, seeds: readonly number[], behind: number): number[] {
  const members = new Set(seeds);
  for (const member of members) {
    const { free, asserted } = nfa.states[member >> 2]!;
    for (const to of free) members.add(4 * to + (member & 3));
    for (const { assertion, to } of asserted) {
      const next = both(member & 3, asks(assertion, behind));
      if (next !== undefined) members.add(4 * to + next);
    }
  }
  return [...members].sort((a, b) => a - b);
}

/** What an assertion asks of the next character behind one of a kind; undefined: it does not hold. */
function asks(assertion: Assertion, behind: number): number | undefined {
  switch (assertion) {
    case "start":
      return behind === TEXT_START ? ANYTHING : undefined;
    case "end":
      return NOTHING_NEXT;
    case "boundary":
      return behind === AFTER_WORD ? NO_WORD_NEXT : WORD_NEXT;
    case "inside":
      return behind === AFTER_WORD ? WORD_NEXT : NO_WORD_NEXT;
  }
}

function both(a: number, b: number | undefined): number | undefined {
  if (b === undefined) return undefined;
  if (a === ANYTHING || a === b) return b;
  if (b === ANYTHING) return a;
  const lowest = Math.min(a, b);
  return lowest === NO_WORD_NEXT ? NOTHING_NEXT : undefined;
}
