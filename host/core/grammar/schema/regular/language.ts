// Regular languages of texts as deterministic automata over code points, and their algebra.

import { ANY_CHARACTER, intersection, type Range } from "../../ranges.js";
import { badSchema } from "../errors.js";
import { NO_WORD, WORD } from "./classes.js";
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

const MAX_STATES = 20_000;
const MAX_EDGES = 400_000;
const MAX_WORK = 2_000_000;

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
export const intersect = (a: Language, b: Language, path: string): Language => product(a, b, path, (x, y) => x && y);

/** What is in the first only. */
export const subtract = (a: Language, b: Language, path: string): Language => product(a, b, path, (x, y) => x && !y);

export const isIncluded = (inner: Language, outer: Language, path: string): boolean =>
  isEmpty(subtract(inner, outer, path));

const DEAD = -1;

/** Runs both side by side, the first one as long as it lives. */
function product(a: Language, b: Language, path: string, wanted: (x: boolean, y: boolean) => boolean): Language {
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
  const edges: Edge[][] = [];
  let count = 0;
  for (let i = 0; i < pairs.length; i++) {
    const [x, y] = pairs[i]!;
    const list = meet(a.edges[x]!, y === DEAD ? [] : b.edges[y]!, intern);
    count += list.length;
    if (count > MAX_EDGES) throw tooLarge(path);
    edges.push(list);
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
export function determinize(nfa: Nfa, start: number, end: number, path: string): Language {
  const boundaries = nfa.states.some(({ asserted }) =>
    asserted.some(({ assertion }) => assertion === "boundary" || assertion === "inside"),
  );
  const kinds: [readonly Range[], number][] = boundaries
    ? [[WORD, AFTER_WORD], [NO_WORD, AFTER_OTHER]] // biome-ignore format: pairs
    : [[ANY_CHARACTER, AFTER_OTHER]];
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
  const edges: Edge[][] = [];
  let count = 0;
  for (let i = 0; i < subsets.length; i++) {
    const list = kinds.flatMap(([kind, behind]) =>
      split(moves(nfa, subsets[i]!, kind)).map(({ first, last, targets }) => ({
        first,
        last,
        to: intern(targets, behind),
      })),
    );
    edges.push(list.sort((a, b) => a.first - b.first));
    count += list.length;
    if (count > MAX_EDGES) throw tooLarge(path);
  }
  const accepts = subsets.map((members) => members.some((m) => m >> 2 === end && (m & 3) !== WORD_NEXT));
  return trimmed({ edges, accepts });
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

type Move = { ranges: readonly Range[]; to: number };

/** Where the members of a subset lead with characters of a kind. */
function moves(nfa: Nfa, members: readonly number[], kind: readonly Range[]): Move[] {
  const allowed = [kind, intersection(kind, WORD), intersection(kind, NO_WORD), []];
  return members.flatMap((member) =>
    nfa.states[member >> 2]!.chars.map(({ ranges, to }) => ({
      ranges: intersection(ranges, allowed[member & 3]!),
      to: 4 * to,
    })),
  );
}

/** Ranges that are not cut any more, each with all its targets. */
function split(list: readonly Move[]): { first: number; last: number; targets: number[] }[] {
  const events = list.flatMap(({ ranges, to }) =>
    ranges.flatMap(([first, last]) => [
      { at: first, to, by: 1 },
      { at: last + 1, to, by: -1 },
    ]),
  );
  events.sort((a, b) => a.at - b.at);
  const open = new Map<number, number>();
  const result: { first: number; last: number; targets: number[] }[] = [];
  events.forEach(({ at, to, by }, i) => {
    const count = (open.get(to) ?? 0) + by;
    if (count > 0) open.set(to, count);
    else open.delete(to);
    const next = events[i + 1]?.at;
    if (open.size > 0 && next !== undefined && next > at)
      result.push({ first: at, last: next - 1, targets: [...open.keys()] });
  });
  return result;
}
