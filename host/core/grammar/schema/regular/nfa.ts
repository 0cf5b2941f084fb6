// Expressions as nondeterministic automata over code points.

import type { Range } from "../../shared/ranges.js";
import { badSchema } from "../read/errors.js";
import type { Expression } from "./pattern.js";

/** What must hold where a state is passed. */
export type Assertion = "start" | "end" | "boundary" | "inside";

export interface NfaState {
  /** Passed without reading anything. */
  free: number[];
  asserted: { assertion: Assertion; to: number }[];
  chars: { ranges: readonly Range[]; to: number }[];
}

const MAX_STATES = 50_000;

/** States that grow as expressions are added, each in front of what follows it. */
export class Nfa {
  readonly states: NfaState[] = [];
  readonly #path: string;

  /** @param path named when there are too many states */
  constructor(path: string) {
    this.#path = path;
  }

  state(): number {
    if (this.states.length >= MAX_STATES) throw badSchema(this.#path, `a pattern of more than ${MAX_STATES} states`);
    return this.states.push({ free: [], asserted: [], chars: [] }) - 1;
  }

  /** Adds paths for an expression that end in `to`, and returns where they start. */
  add(expression: Expression, to: number): number {
    switch (expression.type) {
      case "chars": {
        const from = this.state();
        this.states[from]!.chars.push({ ranges: expression.ranges, to });
        return from;
      }
      case "sequence":
        return expression.parts.reduceRight((next, part) => this.add(part, next), to);
      case "choice": {
        const from = this.state();
        for (const option of expression.options) this.states[from]!.free.push(this.add(option, to));
        return from;
      }
      case "repeat":
        return this.#repeat(expression, to);
      case "start":
      case "end":
        return this.#assert(expression.type, to);
      case "boundary":
        return this.#assert(expression.negated ? "inside" : "boundary", to);
      case "look":
        throw badSchema(this.#path, "lookaround is understood outside of repetitions only");
    }
  }

  #assert(assertion: Assertion, to: number): number {
    const from = this.state();
    this.states[from]!.asserted.push({ assertion, to });
    return from;
  }

  #repeat({ inner, min, max }: Expression & { type: "repeat" }, to: number): number {
    let next = to;
    if (max === Number.POSITIVE_INFINITY) {
      next = this.state();
      this.states[next]!.free.push(to, this.add(inner, next));
    } else {
      for (let i = min; i < max; i++) {
        const optional = this.state();
        this.states[optional]!.free.push(to, this.add(inner, next));
        next = optional;
      }
    }
    for (let i = 0; i < min; i++) {
      const before = this.add(inner, next);
      if (before === next) break; // it is empty
      next = before;
    }
    return next;
  }
}
