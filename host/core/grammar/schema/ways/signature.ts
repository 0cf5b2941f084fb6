// What tells ways apart: where facts stand does not.

import { type Cell, textOf } from "../read/node.js";
import { canonical } from "../read/types.js";

/**
 * Numbers of facts, equal for equal ones. Lists are numbered item by item, so that no key gets long: V8 hashes strings of more than 16,383
 * characters by their length alone.
 */
export class Signatures {
  readonly #numbers = new Map<string, number>();
  /** Ways share most of their facts. */
  readonly #known = new WeakMap<object, number>();

  /** The same for cells that say the same. */
  of(cell: Cell): number {
    const facts = Object.entries(cell).map(([key, fact]) => `${key} ${this.#fact(fact, key === "values")}`);
    return this.#number(facts.join());
  }

  #fact(fact: unknown, isValues: boolean): number {
    if (fact === null || typeof fact !== "object") return this.#number(textOf({ fact }));
    let number = this.#known.get(fact);
    if (number === undefined) {
      number = Array.isArray(fact) ? this.#list(fact, isValues) : this.#number(textOf({ fact }));
      this.#known.set(fact, number);
    }
    return number;
  }

  #list(items: readonly unknown[], isValues: boolean): number {
    return items.reduce<number>((before, item) => {
      const last = isValues ? this.#number(canonical(item)) : this.#fact(item, false);
      return this.#number(`${before} ${last}`);
    }, this.#number("[]"));
  }

  #number(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(text, number);
    }
    return number;
  }
}
