// A grammar as a pushdown automaton over bytes. Each rule is a deterministic automaton of its own; what remains open is only
// whether a rule is called or bytes are read, which machine.ts follows side by side.

import { BYTES, distances, OPEN_RULES } from "./distances.js";
import { badGrammar, type Grammar, ruleNames } from "./gbnf.js";
import { buildNfa, type Nfa } from "./nfa.js";
import { Rest, type Steps } from "./shared/slices.js";

export interface Automaton {
  /** Class of every byte: the grammar treats all bytes of a class alike. */
  classOf: Uint8Array;
  classes: number;
  /** Edges of states that read a byte: class and target in turn, ascending. */
  edges: Int32Array[];
  /** Edges that call a rule: start state of the rule, and target, in turn. */
  calls: Int32Array[];
  /** Whether the rule may end in a state. */
  accepts: boolean[];
  /** Bytes that at least follow in a state to the end of its rule; Infinity: it has none. */
  distance: Float64Array;
  /** Rules that at least have to be open at once, beside its own, on the way there. */
  nesting: Float64Array;
  /** Start state of the root rule. */
  start: number;
  /**
   * First of the states of free text, if there is a trigger: as many bytes of the trigger have come as the state is behind it. They stand
   * behind all other states.
   */
  free: number | undefined;
}

const MAX_STATES = 100_000;
const MAX_EDGES = 1_000_000;
const MAX_WORK = 3_000_000;
/** Work between two steps. */
const WORK_PER_STEP = 10_000;
const STATES_PER_STEP = 10_000;

/**
 * @param missing bytes that no text can have
 * @throws ZagreusError BAD_GRAMMAR when it is left-recursive, has no text at all, or gets too large
 */
export function* compile(grammar: Grammar, trigger: Uint8Array, missing: ReadonlySet<number>): Steps<Automaton> {
  const nfa = yield* buildNfa(grammar);
  yield;
  const unwritable = trigger.find((byte) => missing.has(byte));
  if (unwritable !== undefined) throw badGrammar(`the trigger has byte ${unwritable}, which has no token`, unwritable);
  const lost = yield* dropMissing(nfa.states, missing);
  if (trigger.length > 0) yield* dropMissing(addFreeText(nfa, trigger), missing);
  const { classOf, classes } = byteClasses(nfa);
  const { edges, calls, accepts, starts } = yield* determinize(nfa, classOf);
  yield;
  const names = ruleNames(grammar);
  refuseLeftRecursion(names, starts, calls);
  const byStart = yield* mapLists(calls, (list) => list.map((value, i) => (i % 2 === 0 ? starts[value]! : value)));
  const distance = yield* distances(edges, byStart, accepts, BYTES);
  yield;
  if (distance[starts[0]!] === Number.POSITIVE_INFINITY) {
    if (lost === undefined) throw badGrammar("no text of it ever ends", "root");
    throw badGrammar(`no text of it ever ends without byte ${lost}, which has no token`, lost);
  }
  const free = trigger.length > 0 ? starts.at(-1)! : undefined;
  if (free !== undefined) distance.fill(0, free); // free text may end anywhere
  const isAlive = (state: number) => distance[state]! < Number.POSITIVE_INFINITY;
  const alive = (list: Int32Array, called: boolean) =>
    list.filter((_, i) => isAlive(list[i | 1]!) && !(called && !isAlive(list[i & ~1]!)));
  return {
    classOf,
    classes,
    edges: yield* mapLists(edges, (list) => alive(list, false)),
    calls: yield* mapLists(byStart, (list) => alive(list, true)),
    accepts,
    distance,
    nesting: yield* distances(edges, byStart, accepts, OPEN_RULES),
    start: starts[0]!,
    free,
  };
}

function* mapLists(lists: readonly Int32Array[], map: (list: Int32Array) => Int32Array): Steps<Int32Array[]> {
  const mapped: Int32Array[] = [];
  for (const list of lists) {
    if (mapped.length % STATES_PER_STEP === 0) yield;
    mapped.push(map(list));
  }
  return mapped;
}

/** Adds a rule that reads any text up to the end of the trigger (Knuth, Morris, Pratt: https://doi.org/10.1137/0206024). */
function addFreeText({ states, rules, nullable }: Nfa, trigger: Uint8Array): Nfa["states"] {
  const start = states.length;
  let fallback = 0; // where the longest end of what was read that begins the trigger leads, in bytes of the trigger
  for (let read = 0; read < trigger.length; read++) {
    const bytes = Array.from({ length: 256 }, (_, byte) => {
      const known = read > 0 ? states[start + fallback]!.bytes[byte]!.to : start;
      return { first: byte, last: byte, to: byte === trigger[read] ? start + read + 1 : known };
    });
    if (read > 0) fallback = states[start + fallback]!.bytes[trigger[read]!]!.to - start;
    states.push({ free: [], bytes, calls: [] });
  }
  states.push({ free: [], bytes: [], calls: [] });
  rules.push({ start, end: start + trigger.length });
  nullable.push(false);
  return states.slice(start);
}

/** Takes bytes out of all edges; returns the first one with which an edge has lost all of its bytes. */
function* dropMissing(states: Nfa["states"], missing: ReadonlySet<number>): Steps<number | undefined> {
  if (missing.size === 0) return undefined;
  const before = new Uint16Array(257); // missing bytes below a byte
  for (let byte = 0; byte < 256; byte++) before[byte + 1] = before[byte]! + (missing.has(byte) ? 1 : 0);
  let lost: number | undefined;
  for (const [i, state] of states.entries()) {
    if (i % STATES_PER_STEP === 0) yield;
    if (!state.bytes.some(({ first, last }) => before[last + 1]! > before[first]!)) continue;
    const kept = state.bytes.map(({ first, last, to }) => runs(first, last, missing).map((run) => ({ ...run, to })));
    const gone = kept.findIndex((left) => left.length === 0);
    if (gone >= 0) lost ??= state.bytes[gone]!.first;
    state.bytes = kept.flat();
  }
  return lost;
}

/** What is left of first..last without some bytes. */
function runs(first: number, last: number, missing: ReadonlySet<number>): { first: number; last: number }[] {
  const left: { first: number; last: number }[] = [];
  for (let byte = first; byte <= last; byte++) {
    if (missing.has(byte)) continue;
    const run = left.at(-1);
    if (run && run.last === byte - 1) run.last = byte;
    else left.push({ first: byte, last: byte });
  }
  return left;
}

/** Bytes that no edge tells apart share a class; classes ascend with their bytes. */
function byteClasses({ states }: Nfa): { classOf: Uint8Array; classes: number } {
  const borders = new Set([0]);
  for (const { bytes } of states) {
    for (const { first, last } of bytes) {
      borders.add(first);
      borders.add(last + 1);
    }
  }
  const classOf = new Uint8Array(256);
  let current = -1;
  for (let byte = 0; byte < 256; byte++) {
    if (borders.has(byte)) current++;
    classOf[byte] = current;
  }
  return { classOf, classes: current + 1 };
}

/** Deterministic automata of all rules. Calls name the rule's number here. */
interface Subsets {
  edges: Int32Array[];
  calls: Int32Array[];
  accepts: boolean[];
  starts: number[];
}

/** The subset construction, rule by rule. */
function* determinize(nfa: Nfa, classOf: Uint8Array): Steps<Subsets> {
  const construction = new SubsetConstruction(nfa, classOf);
  for (const rule of nfa.rules) yield* construction.addRule(rule);
  return construction;
}

/** The number of the subset that seeds reach. */
type Intern = (seeds: Iterable<number>) => Steps<number>;

class SubsetConstruction implements Subsets {
  readonly edges: Int32Array[] = [];
  readonly calls: Int32Array[] = [];
  readonly accepts: boolean[] = [];
  readonly starts: number[] = [];
  readonly #nfa: Nfa;
  readonly #classOf: Uint8Array;
  #edgeCount = 0;
  #work = 0;
  readonly #rest = new Rest(WORK_PER_STEP);

  constructor(nfa: Nfa, classOf: Uint8Array) {
    this.#nfa = nfa;
    this.#classOf = classOf;
  }

  *addRule({ start, end }: Nfa["rules"][number]): Steps<void> {
    const known = new Map<string, number>();
    const open: number[][] = [];
    const closure = (seeds: Iterable<number>) => this.#closure(seeds);
    const addState = (accepts: boolean) => this.#addState(accepts);
    const intern = function* (seeds: Iterable<number>): Steps<number> {
      const members = yield* closure(seeds);
      const key = members.join();
      const found = known.get(key);
      if (found !== undefined) return found;
      const state = addState(members.includes(end));
      known.set(key, state);
      open.push(members);
      return state;
    };
    this.starts.push(yield* intern([start]));
    for (let i = 0; i < open.length; i++) {
      yield* this.#addMoves(open[i]!, intern);
      open[i] = [];
    }
  }

  /** What `seeds` reach without reading anything. */
  *#closure(seeds: Iterable<number>): Steps<number[]> {
    const { states, nullable } = this.#nfa;
    const seen = new Set(seeds);
    let left = WORK_PER_STEP;
    for (const state of seen) {
      const { free, calls } = states[state]!;
      left -= 1 + free.length + calls.length;
      if (left < 0) {
        left = WORK_PER_STEP;
        yield;
      }
      for (const to of free) seen.add(to);
      for (const { rule, to } of calls) if (nullable[rule]) seen.add(to);
    }
    this.#work += seen.size;
    if (this.#work > MAX_WORK) throw badGrammar("is too ambiguous to be prepared", MAX_WORK);
    return [...seen].sort((a, b) => a - b);
  }

  #addState(accepts: boolean): number {
    const state = this.accepts.push(accepts) - 1;
    if (state >= MAX_STATES) throw badGrammar(`needs more than ${MAX_STATES} states`, MAX_STATES);
    return state;
  }

  /** The edges and calls of the next state. */
  *#addMoves(members: readonly number[], intern: Intern): Steps<void> {
    this.#work += members.length;
    const { byClass, byRule } = moves(this.#nfa.states, members, this.#classOf);
    this.edges.push(yield* this.#targets(byClass, intern));
    this.calls.push(yield* this.#targets(byRule, intern));
    this.#edgeCount += byClass.size + byRule.size;
    if (this.#edgeCount > MAX_EDGES) throw badGrammar(`needs more than ${MAX_EDGES} edges`, MAX_EDGES);
  }

  *#targets(map: Map<number, Set<number>>, intern: Intern): Steps<Int32Array> {
    const list: number[] = [];
    for (const key of [...map.keys()].sort((a, b) => a - b)) {
      yield* this.#rest.at(this.#work);
      list.push(key, yield* intern(map.get(key)!));
    }
    return Int32Array.from(list);
  }
}

/** Where the members of a subset lead, by class of bytes and by rule that is called. */
function moves(states: Nfa["states"], members: readonly number[], classOf: Uint8Array) {
  const byClass = new Map<number, Set<number>>();
  const byRule = new Map<number, Set<number>>();
  for (const member of members) {
    for (const { first, last, to } of states[member]!.bytes) {
      for (let c = classOf[first]!; c <= classOf[last]!; c++) addTo(byClass, c, to);
    }
    for (const { rule, to } of states[member]!.calls) addTo(byRule, rule, to);
  }
  return { byClass, byRule };
}

function addTo(map: Map<number, Set<number>>, key: number, value: number): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}

/** A rule that calls itself before it has read anything would call itself for ever. */
function refuseLeftRecursion(names: readonly string[], starts: readonly number[], calls: readonly Int32Array[]): void {
  const done = new Uint8Array(starts.length);
  for (let root = 0; root < starts.length; root++) {
    const path: { rule: number; next: number }[] = [{ rule: root, next: 0 }];
    const onPath = new Set([root]);
    while (path.length > 0) {
      const top = path.at(-1)!;
      const called = done[top.rule] ? undefined : calls[starts[top.rule]!]![top.next];
      top.next += 2;
      if (called === undefined) {
        done[top.rule] = 1;
        onPath.delete(top.rule);
        path.pop();
      } else if (onPath.has(called)) {
        throw badGrammar(`rule "${names[called]}" is left-recursive`, names[called]);
      } else {
        onPath.add(called);
        path.push({ rule: called, next: 0 });
      }
    }
  }
}
