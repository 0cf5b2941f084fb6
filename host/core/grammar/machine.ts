// Runs a pushdown automaton along all paths at once. A configuration is a set of (state, what follows its rule) with at most one
// entry per state, what follows being a configuration itself; equal ones have the same number, and what is computed of one stays.

import type { Automaton } from "./automaton.js";
import { badGrammar } from "./gbnf.js";

/** No text goes on from here. */
export const DEAD = 0;
/** The text is at its end. */
export const END = 1;
/** What follows is not known: for tables that hold whatever follows. */
export const HOLE = 2;

const ENDS = 1;
const OPENS = 2;
/** Open rules at most. What would need more does not come. */
const MAX_DEPTH = 1000;
const MAX_CELLS = 2 ** 20;
/** Bytes that configurations take before they are forgotten, and beyond which there is no going on. */
const FULL_BYTES = 2 ** 23;
const MAX_BYTES = 2 ** 26;
/** Of a configuration, and of an entry in it, with what they are found by. */
const CONFIG_BYTES = 250;
const ITEM_BYTES = 24;
/** Entries that are looked at for one token: 0.1 s. */
const MAX_WORK = 750_000;
/** And for one byte, in one go: 30 ms. */
const MAX_BYTE_WORK = 200_000;
/** Entries that take as long as a union, and as one of its own. */
const UNION = 8;
const UNITED = 3;
/** Nodes of a trie that take as long as an entry. */
const NODES = 2;

export class Machine {
  readonly automaton: Automaton;
  /** State and configuration in turn, ascending by state. */
  readonly #items: Int32Array[] = [];
  readonly #flags: number[] = [];
  readonly #distance: number[] = [];
  readonly #depth: number[] = [];
  readonly #closures: (Int32Array | undefined)[] = [];
  #table = new Int32Array(2 ** 14);
  readonly #known = new Map<string, number>();
  readonly #pushed = new Map<number, number>();
  readonly #united = new Map<number, number>();
  #bytes = 0;
  #work = 0;
  /** What it was when the byte began. */
  #workBefore = 0;
  /** A state that stands for a configuration. */
  #alias: { state: number; config: number } | undefined;

  constructor(automaton: Automaton) {
    this.automaton = automaton;
    this.#add([], 0);
    this.#add([], ENDS);
    this.#add([], OPENS);
  }

  /** Whether so much has been computed that it is better forgotten. */
  get isFull(): boolean {
    return this.#items.length * this.automaton.classes > MAX_CELLS || this.#bytes > FULL_BYTES;
  }

  /** What the token has cost so far. */
  get work(): number {
    return this.#work;
  }

  /** Begins to count what the next token costs. */
  startCount(): void {
    this.#work = 0;
    this.#workBefore = 0;
  }

  /** @throws ZagreusError BAD_GRAMMAR for more than a token may cost */
  #count(entries: number): void {
    this.#work += entries;
    if (this.#work > MAX_WORK)
      throw badGrammar(`a token takes more than ${MAX_WORK} steps, it is too ambiguous`, MAX_WORK);
    if (this.#work - this.#workBefore > MAX_BYTE_WORK)
      throw badGrammar(`a byte takes more than ${MAX_BYTE_WORK} steps, it is too ambiguous`, MAX_BYTE_WORK);
  }

  /** Nodes of a trie have been visited. @throws ZagreusError BAD_GRAMMAR */
  visited(nodes: number): void {
    this.#workBefore = this.#work;
    this.#count(nodes / NODES);
  }

  /** Where texts of a rule start, and `next` follows. */
  start(state: number, next: number): number {
    return this.#push(state, next);
  }
  /** The same without the texts that are empty. */
  open(state: number, next: number): number {
    return this.#intern([state, next], 0);
  }
  /** From now on `state` stands for `config`. */
  alias(state: number, config: number): void {
    this.#alias = { state, config };
  }

  /** State and configuration behind its rule in turn. */
  items(config: number): Int32Array {
    return this.#items[config]!;
  }
  /** Whether the text may end. */
  ends(config: number): boolean {
    return (this.#flags[config]! & ENDS) !== 0;
  }
  /** Whether what follows is what is not known. */
  opens(config: number): boolean {
    return (this.#flags[config]! & OPENS) !== 0;
  }
  /** Bytes that at least follow; Infinity: none can. */
  distance(config: number): number {
    return this.#distance[config]!;
  }

  /** Whether so many rules are open that it may matter. */
  isDeep(config: number): boolean {
    return this.#depth[config]! > MAX_DEPTH / 2;
  }

  /** After one more byte, of class `cls`. */
  step(config: number, cls: number): number {
    const cell = config * this.automaton.classes + cls;
    const known = this.#table[cell]!;
    if (known !== 0) return known - 1;
    this.#workBefore = this.#work;
    const next = this.#next(config, cls);
    this.#table[cell] = next + 1;
    return next;
  }

  /** After a text. */
  run(config: number, bytes: Uint8Array): number {
    let at = config;
    for (const byte of bytes) {
      if (at === DEAD) break;
      at = this.step(at, this.automaton.classOf[byte]!);
    }
    return at;
  }

  /** The same configuration in another machine of the same automaton. */
  copyTo(other: Machine, config: number, copies = new Map([DEAD, END, HOLE].map((fixed) => [fixed, fixed]))): number {
    const known = copies.get(config);
    if (known !== undefined) return known;
    const items = [...this.items(config)].map((value, i) => (i % 2 ? this.copyTo(other, value, copies) : value));
    const copy = other.#intern(items, this.#flags[config]!);
    copies.set(config, copy);
    return copy;
  }

  #next(config: number, cls: number): number {
    const { edges } = this.automaton;
    const closure = this.#closure(config);
    this.#count(closure.length >> 1);
    let next = DEAD;
    for (let i = 0; i < closure.length; i += 2) {
      const target = find(edges[closure[i]!]!, cls);
      if (target >= 0) next = this.#unite(next, this.#push(target, closure[i + 1]!));
    }
    return next;
  }

  /** The entries of a configuration, and those of all rules that can be called there. */
  #closure(config: number): Int32Array {
    const known = this.#closures[config];
    if (known) return known;
    const { calls } = this.automaton;
    const entries = new Map<number, number>();
    const open: number[] = [];
    const add = (state: number, next: number) => {
      const before = entries.get(state) ?? DEAD;
      const united = this.#unite(before, next);
      if (united === before) return;
      entries.set(state, united);
      open.push(state);
    };
    const items = this.items(config);
    for (let i = 0; i < items.length; i += 2) add(items[i]!, items[i + 1]!);
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      const next = entries.get(state)!;
      const list = calls[state]!;
      for (let i = 0; i < list.length; i += 2) {
        const behind = this.#push(list[i + 1]!, next);
        if (behind !== DEAD && this.#fits(list[i]!, behind)) add(list[i]!, behind);
      }
    }
    const closure = Int32Array.from([...entries].flat());
    this.#bytes += ITEM_BYTES * entries.size;
    this.#count(entries.size);
    this.#closures[config] = closure;
    return closure;
  }

  /** At `state` of a rule, and `next` behind it: a rule that can end is left as well, one that must is only left. */
  #push(state: number, next: number): number {
    if (this.#alias?.state === state) return this.#alias.config;
    const { edges, calls, accepts } = this.automaton;
    if (!this.#fits(state, next)) return DEAD;
    if (edges[state]!.length + calls[state]!.length === 0) return accepts[state] ? next : DEAD;
    const key = state * 2 ** 26 + next;
    let config = this.#pushed.get(key);
    if (config === undefined) {
      config = this.#intern([state, next], 0);
      if (accepts[state]) config = this.#unite(config, next);
      this.#pushed.set(key, config);
    }
    return config;
  }

  /** Whether a state's rule can come to its end without too many open rules. */
  #fits(state: number, next: number): boolean {
    return this.#depth[next]! + this.automaton.nesting[state]! < MAX_DEPTH;
  }

  #unite(a: number, b: number): number {
    if (a === b || b === DEAD) return a;
    if (a === DEAD) return b;
    const key = Math.min(a, b) * 2 ** 26 + Math.max(a, b);
    let config = this.#united.get(key);
    if (config === undefined) {
      const items = new Map<number, number>();
      for (const list of [this.items(a), this.items(b)]) {
        for (let i = 0; i < list.length; i += 2) {
          items.set(list[i]!, this.#unite(items.get(list[i]!) ?? DEAD, list[i + 1]!));
        }
      }
      this.#count(UNION + UNITED * items.size);
      const sorted = [...items].sort((x, y) => x[0] - y[0]);
      config = this.#intern(sorted.flat(), this.#flags[a]! | this.#flags[b]!);
      this.#united.set(key, config);
    }
    return config;
  }

  #intern(items: readonly number[], flags: number): number {
    const key = `${flags}:${items.join()}`;
    return this.#known.get(key) ?? this.#add(items, flags, key);
  }

  #add(items: readonly number[], flags: number, key = `${flags}:`): number {
    const config = this.#items.length;
    let distance = flags ? 0 : Number.POSITIVE_INFINITY;
    let depth = 0;
    for (let i = 0; i < items.length; i += 2) {
      const [state, next] = [items[i]!, items[i + 1]!];
      distance = Math.min(distance, this.automaton.distance[state]! + this.#distance[next]!);
      depth = Math.max(depth, this.#depth[next]! + 1);
    }
    this.#bytes += CONFIG_BYTES + ITEM_BYTES * items.length;
    if (this.#bytes > MAX_BYTES)
      throw badGrammar(`a token takes more than ${MAX_BYTES} bytes, it is too ambiguous`, MAX_BYTES);
    this.#items.push(Int32Array.from(items));
    this.#flags.push(flags);
    this.#distance.push(distance);
    this.#depth.push(depth);
    this.#known.set(key, config);
    const cells = this.#items.length * this.automaton.classes;
    if (cells > this.#table.length) {
      const larger = new Int32Array(Math.max(2 * this.#table.length, cells));
      larger.set(this.#table);
      this.#table = larger;
    }
    // DEAD stays dead.
    if (config === DEAD) this.#table.fill(DEAD + 1, 0, this.automaton.classes);
    return config;
  }
}

/** The target of a key in a list of keys and targets in turn, or -1. */
function find(list: Int32Array, key: number): number {
  let low = 0;
  let high = list.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[2 * middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low < list.length >> 1 && list[2 * low] === key ? list[2 * low + 1]! : -1;
}
