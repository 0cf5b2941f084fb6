// A grammar's rules as automata over bytes and calls of rules, with choices still open.

import { badGrammar, type Grammar, type Node, ruleNames } from "./gbnf.js";
import { Rest, type Steps } from "./shared/slices.js";
import { utf8Sequences } from "./utf8.js";

/** Edges of one state. */
interface NfaState {
  /** Taken without reading anything. */
  free: number[];
  bytes: { first: number; last: number; to: number }[];
  /** A text of the rule is read. */
  calls: { rule: number; to: number }[];
}

export interface Nfa {
  states: NfaState[];
  /** Where each rule starts and ends; rule 0 is the root. */
  rules: { start: number; end: number }[];
  /** Whether a rule has the empty text. */
  nullable: boolean[];
}

const MAX_STATES = 200_000;
/** Rules between two steps. */
const STEP = 100;
const STATES_PER_STEP = 10_000;

/** @throws ZagreusError BAD_GRAMMAR when it gets too large */
export function* buildNfa(grammar: Grammar): Steps<Nfa> {
  const names = ruleNames(grammar);
  const builder = new Builder(names);
  const rules: Nfa["rules"] = [];
  for (const name of names) {
    if (rules.length % STEP === 0) yield;
    const end = builder.state();
    rules.push({ start: yield* builder.add(grammar.get(name)!, end), end });
  }
  return { states: builder.states, rules, nullable: nullableRules(names, grammar) };
}

class Builder {
  readonly states: NfaState[] = [];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #rest = new Rest(STATES_PER_STEP);

  constructor(names: readonly string[]) {
    this.#numbers = new Map(names.map((name, i) => [name, i]));
  }

  state(): number {
    if (this.states.length >= MAX_STATES) throw badGrammar(`needs more than ${MAX_STATES} states`, MAX_STATES);
    return this.states.push({ free: [], bytes: [], calls: [] }) - 1;
  }

  /** Adds paths for `node` that end in `to`, and returns where they start. */
  *add(node: Node, to: number): Steps<number> {
    yield* this.#rest.at(this.states.length);
    switch (node.type) {
      case "chars":
        return this.#chars(node, to);
      case "rule": {
        const from = this.state();
        this.states[from]!.calls.push({ rule: this.#numbers.get(node.name)!, to });
        return from;
      }
      case "sequence":
        return yield* this.#sequence(node, to);
      case "choice": {
        const from = this.state();
        for (const part of node.nodes) this.states[from]!.free.push(yield* this.add(part, to));
        return from;
      }
      case "repeat":
        return yield* this.#repeat(node, to);
    }
  }

  #chars({ ranges }: Node & { type: "chars" }, to: number): number {
    const { states } = this;
    const from = this.state();
    const shared = new Map<string, number>(); // states by the bytes that lead from them to `to`
    for (const [first, last] of ranges) {
      for (const [head, ...tail] of utf8Sequences(first, last)) {
        let next = to;
        let key = "";
        for (const [low, high] of tail.reverse()) {
          key += `${low}-${high} `;
          const before = shared.get(key) ?? this.state();
          if (!shared.has(key)) states[before]!.bytes.push({ first: low, last: high, to: next });
          shared.set(key, before);
          next = before;
        }
        states[from]!.bytes.push({ first: head![0], last: head![1], to: next });
      }
    }
    return from;
  }

  *#sequence({ nodes }: Node & { type: "sequence" }, to: number): Steps<number> {
    let next = to;
    for (let i = nodes.length - 1; i >= 0; i--) next = yield* this.add(nodes[i]!, next);
    return next;
  }

  *#repeat({ node, least, most }: Node & { type: "repeat" }, to: number): Steps<number> {
    let next = to;
    if (most === Number.POSITIVE_INFINITY) {
      next = this.state();
      this.states[next]!.free.push(to, yield* this.add(node, next));
    } else {
      for (let i = least; i < most; i++) {
        const optional = this.state();
        this.states[optional]!.free.push(to, yield* this.add(node, next));
        next = optional;
      }
    }
    for (let i = 0; i < least; i++) {
      const before = yield* this.add(node, next);
      if (before === next) break; // the node is empty
      next = before;
    }
    return next;
  }
}

function nullableRules(names: readonly string[], grammar: Grammar): boolean[] {
  const known = new Set<string>();
  const isNullable = (node: Node): boolean => {
    switch (node.type) {
      case "chars":
        return false;
      case "rule":
        return known.has(node.name);
      case "sequence":
        return node.nodes.every(isNullable);
      case "choice":
        return node.nodes.some(isNullable);
      case "repeat":
        return node.least === 0 || isNullable(node.node);
    }
  };
  const users = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const name of names) for (const used of mentioned(grammar.get(name)!)) users.get(used)!.push(name);
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (known.has(name) || !isNullable(grammar.get(name)!)) continue;
    known.add(name);
    open.push(...users.get(name)!);
  }
  return names.map((name) => known.has(name));
}

/** Names of the rules that a node needs. */
function mentioned(node: Node): string[] {
  if (node.type === "rule") return [node.name];
  if (node.type === "repeat") return mentioned(node.node);
  return node.type === "chars" ? [] : node.nodes.flatMap(mentioned);
}
