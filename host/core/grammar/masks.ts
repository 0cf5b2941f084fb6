// Which tokens may come in a configuration. What does not depend on the rules that are open below is computed once per state of
// the automaton, over the whole vocabulary; only tokens that leave the state's rule are looked at again, as XGrammar does it
// (https://arxiv.org/abs/2411.15100).

import { DEAD, HOLE, type Machine } from "./machine.js";
import type { Steps } from "./shared/slices.js";
import { SHORT, type Trie, type Vocabulary } from "./vocabulary.js";

/** A set of tokens: a list while it is short, a bit per token otherwise. */
type Tokens = Int32Array | Uint8Array;

/** A node of a trie. */
interface Place {
  trie: Trie;
  node: number;
}

export interface Mask {
  tokens: Tokens;
  /** Most bytes that may be missing after one of the tokens, to the end or to that of the state's rule. */
  furthest: number;
}

interface StateMask extends Mask {
  /** Where the state's rule has ended. */
  exits: Place[];
}

/** Nodes of a trie that are visited at once at most, and work of the machine between two steps. */
const LOOK = 512;
const WORK_PER_STEP = 40_000;
/** Bytes of masks that are kept. */
const KEPT_BYTES = 2 ** 21;

export class Masks {
  readonly #vocabulary: Vocabulary;
  /** By class of states: tokens of at most SHORT bytes. */
  readonly #short = new Kept<StateMask>(KEPT_BYTES);
  readonly #configs = new Kept<Mask>(KEPT_BYTES);
  readonly #classes: Int32Array;
  #machine: Machine;
  readonly #bits: Uint8Array;
  readonly #path: Int32Array;
  /** The machine's work at the last step. */
  #rested = 0;
  /** Nodes of the last #visit(). */
  #visited = 0;

  /** @param classes of states that short tokens do not tell apart */
  constructor(machine: Machine, classes: Int32Array, vocabulary: Vocabulary) {
    this.#machine = machine;
    this.#vocabulary = vocabulary;
    this.#bits = new Uint8Array((vocabulary.size + 7) >> 3);
    this.#path = new Int32Array(vocabulary.longest + 1);
    this.#classes = classes;
  }

  /** Goes on with another machine of the same automaton. */
  moveTo(machine: Machine): void {
    this.#machine = machine;
    this.#configs.clear();
  }

  /** A token begins, whose work the machine counts from 0. */
  startCount(): void {
    this.#machine.startCount();
    this.#rested = 0;
  }

  /** Tokens that may come in `config`, without those that end the text. */
  *of(config: number): Steps<Mask> {
    const known = this.#configs.get(config);
    if (known) return known;
    const mask = yield* this.#machine.isDeep(config) ? this.#looked(config) : this.#composed(config);
    this.#configs.set(config, mask, mask.tokens.byteLength);
    return mask;
  }

  /** From the masks of its states, which know nothing of how many rules are open. */
  *#composed(config: number): Steps<Mask> {
    const items = this.#machine.items(config);
    const parts: { next: number; mask: StateMask }[] = [];
    for (let i = 0; i < items.length; i += 2) {
      const [state, next] = [items[i]!, items[i + 1]!];
      parts.push({ next, mask: yield* this.#shortOf(state) }, { next, mask: yield* this.#longOf(state) });
    }
    const found = this.#found();
    for (const { next, mask } of parts) {
      unite(found.bits, mask.tokens);
      found.furthest = Math.max(found.furthest, mask.furthest + this.#machine.distance(next));
      for (const { trie, node } of mask.exits) yield* this.walk(trie, node, next, found.add);
    }
    return found.mask();
  }

  /** By looking at all tokens. */
  *#looked(config: number): Steps<Mask> {
    const found = this.#found();
    yield* this.walk(this.#vocabulary.trie, 0, config, found.add);
    return found.mask();
  }

  /** Tokens of at most SHORT bytes, which are the same for all states of a class. */
  *#shortOf(state: number): Steps<StateMask> {
    const key = this.#classes[state]!;
    let mask = this.#short.get(key);
    if (!mask) {
      mask = yield* this.#maskOf(state, this.#vocabulary.trie, 0, SHORT);
      this.#short.set(key, mask, mask.tokens.byteLength + 32 * mask.exits.length);
    }
    return mask;
  }

  #longOf(state: number): Steps<StateMask> {
    return this.#maskOf(state, this.#vocabulary.longTrie, SHORT, this.#vocabulary.longest);
  }

  /** What is behind exits of `above` bytes and less is not looked at: it is another's. */
  *#maskOf(state: number, trie: Trie, above: number, deepest: number): Steps<StateMask> {
    const found = this.#found();
    const exits: Place[] = [];
    const left = (node: number) => {
      if (trie.depth[node]! > above) exits.push({ trie, node });
    };
    yield* this.walk(trie, 0, this.#machine.open(state, HOLE), found.add, left, deepest);
    return { ...found.mask(), exits };
  }

  /** An empty mask; there is one at a time. */
  #found() {
    const machine = this.#machine;
    const found = {
      bits: this.#bits.fill(0),
      furthest: 0,
      add(token: number, after: number) {
        found.bits[token >> 3]! |= 1 << (token & 7);
        found.furthest = Math.max(found.furthest, machine.distance(after));
      },
      mask: (): Mask => ({ tokens: compact(found.bits), furthest: found.furthest }),
    };
    return found;
  }

  /**
   * Visits the tokens below a node of a trie that may come when `config` is where the node is, with where they lead.
   * @param left called with nodes where what is not known would follow
   * @param deepest bytes from the root that are looked at
   */
  *walk(
    trie: Trie,
    node: number,
    config: number,
    visit: (token: number, after: number) => void,
    left: (node: number) => void = () => {},
    deepest = this.#vocabulary.longest,
  ): Steps<void> {
    const machine = this.#machine;
    this.#path[trie.depth[node]!] = config;
    for (let at = node + 1, end = trie.after[node]!; at < end; ) {
      at = this.#visit(trie, at, end, visit, left, deepest);
      machine.visited(this.#visited);
      if (machine.work - this.#rested < WORK_PER_STEP) continue;
      this.#rested = machine.work;
      yield;
    }
  }

  /** Goes on with up to LOOK nodes from `at` on, fewer if they cost more than a step. @returns the next one */
  #visit(
    { byte, depth, token, after }: Trie,
    first: number,
    end: number,
    visit: (token: number, after: number) => void,
    left: (node: number) => void,
    deepest: number,
  ): number {
    const machine = this.#machine;
    const { classOf } = machine.automaton;
    const path = this.#path;
    let at = first;
    let visited = 0;
    for (; at < end && visited < LOOK && machine.work - this.#rested < WORK_PER_STEP; visited++) {
      const below = depth[at]!;
      const next = machine.step(path[below - 1]!, classOf[byte[at]!]!);
      if (next === DEAD) {
        at = after[at]!;
        continue;
      }
      path[below] = next;
      if (token[at]! >= 0) visit(token[at]!, next);
      if (machine.opens(next)) left(at);
      at = below < deepest ? at + 1 : after[at]!;
    }
    this.#visited = visited;
    return at;
  }
}

/** Adds tokens to a bit mask. */
export function unite(bits: Uint8Array, tokens: Tokens): void {
  if (tokens instanceof Int32Array) {
    for (const token of tokens) bits[token >> 3]! |= 1 << (token & 7);
  } else {
    for (let i = 0; i < tokens.length; i++) bits[i]! |= tokens[i]!;
  }
}

/** A copy of a bit mask. */
function compact(bits: Uint8Array): Tokens {
  const tokens: number[] = [];
  for (let i = 0; i < bits.length; i++) {
    if (bits[i] === 0) continue;
    for (let bit = 0; bit < 8; bit++) if (bits[i]! & (1 << bit)) tokens.push(8 * i + bit);
    if (4 * tokens.length >= bits.length) return bits.slice();
  }
  return Int32Array.from(tokens);
}

/** A cache of so many bytes; what was not used for longest goes first. */
class Kept<T> {
  readonly #entries = new Map<number, { value: T; bytes: number }>();
  readonly #most: number;
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: number): T | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: number, value: T, bytes: number): void {
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#most) break;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
