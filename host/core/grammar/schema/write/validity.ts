// Whether values that a schema lists are valid against the rest of it.

import { everyInSteps, filterInSteps, Rest, type Steps } from "../../shared/slices.js";
import type { Cell, ContainsFact, SchemaNode } from "../read/node.js";
import { canonical, isObject, NUMBER, STRING, typeOf } from "../read/types.js";
import type { Alternatives } from "../ways/alternatives.js";
import { isNumberOf } from "./numbers.js";
import { isStringOf, type Languages } from "./strings.js";

/** What a cell lists, to be found at once. */
interface Index {
  values: ReadonlySet<string>;
  byName: Map<string, SchemaNode[]>;
  others: readonly { names: ReadonlySet<string>; patterns: readonly string[]; schema: SchemaNode }[];
}

/** Values that are held against a cell between two steps. */
const VALUES_PER_STEP = 1000;

export class Validity {
  readonly #indexes = new WeakMap<Cell, Index>();
  readonly #rest = new Rest(VALUES_PER_STEP);
  readonly #ways: Alternatives;
  readonly #languages: Languages;

  constructor(ways: Alternatives, languages: Languages) {
    this.#ways = ways;
    this.#languages = languages;
  }

  /** Whether a value is sure to be valid against all of some schemas. */
  *isValid(value: unknown, nodes: readonly SchemaNode[]): Steps<boolean> {
    for (const cell of yield* this.#ways.ofAll(nodes)) {
      if (yield* this.isOf(value, cell, nodes[0]?.path ?? "#")) return true;
    }
    return false;
  }

  *isOf(value: unknown, cell: Cell, path: string): Steps<boolean> {
    yield* this.#rest.after(1);
    const type = typeOf(value);
    if ((type & cell.types) === 0) return false;
    if (cell.values && !this.#indexOf(cell).values.has(canonical(value))) return false;
    if (type & NUMBER) return isNumberOf(cell, value as number);
    if (type & STRING) return yield* isStringOf(cell, value as string, path, this.#languages);
    if (Array.isArray(value)) return yield* this.#isArrayOf(value, cell);
    return isObject(value) ? yield* this.#isObjectOf(value, cell) : true;
  }

  *#isArrayOf(value: readonly unknown[], cell: Cell): Steps<boolean> {
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items = [], contains = [] } = cell;
    return (
      value.length >= minItems &&
      value.length <= maxItems &&
      (yield* everyInSteps(value.entries(), ([i, item]) => this.isValid(item, itemNodes(items, i)))) &&
      (yield* everyInSteps(contains, (fact) => this.#contains(value, fact))) &&
      !(cell.uniqueItems && new Set(value.map(canonical)).size < value.length)
    );
  }

  /** Both what is sure to be valid and what is sure not to be are counted: what is neither counts against it. */
  *#contains(value: readonly unknown[], { schema, min, max }: ContainsFact): Steps<boolean> {
    const valid = yield* filterInSteps(value, (item) => this.isValid(item, [schema]));
    const invalid = yield* filterInSteps(value, (item) => this.isValid(item, [this.#ways.reader.not(schema)]));
    return valid.length >= min && value.length - invalid.length <= max;
  }

  *#isObjectOf(value: Readonly<Record<string, unknown>>, cell: Cell): Steps<boolean> {
    const names = Object.keys(value);
    const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY, required = [], propertyNames = [] } = cell;
    return (
      names.length >= minProperties &&
      names.length <= maxProperties &&
      required.every((name) => Object.hasOwn(value, name)) &&
      (yield* everyInSteps(names, (name) => this.isValid(name, propertyNames))) &&
      (yield* everyInSteps(names, (name) => this.#isMember(value[name], name, cell)))
    );
  }

  /** All that is asked of the value of a property. */
  *propertyNodes(cell: Cell, name: string): Steps<readonly SchemaNode[]> {
    const { byName, others } = this.#indexOf(cell);
    const matches = (pattern: string, path: string) => this.#languages.matches(pattern, name, path);
    const matching = yield* filterInSteps(cell.patternProperties ?? [], ({ pattern, schema }) =>
      matches(pattern, schema.path),
    );
    const rest = yield* filterInSteps(others, function* ({ names, patterns, schema }) {
      if (names.has(name)) return false;
      for (const pattern of patterns) if (yield* matches(pattern, schema.path)) return false;
      return true;
    });
    return [...(byName.get(name) ?? []), ...[...matching, ...rest].map(({ schema }) => schema)];
  }

  *#isMember(value: unknown, name: string, cell: Cell): Steps<boolean> {
    return yield* this.isValid(value, yield* this.propertyNodes(cell, name));
  }

  #indexOf(cell: Cell): Index {
    let index = this.#indexes.get(cell);
    if (!index) {
      index = { values: new Set(cell.values?.map(canonical)), byName: new Map(), others: [] };
      for (const { name, schema } of cell.properties ?? []) {
        const known = index.byName.get(name);
        if (known) known.push(schema);
        else index.byName.set(name, [schema]);
      }
      index.others = (cell.others ?? []).map((other) => ({ ...other, names: new Set(other.names) }));
      this.#indexes.set(cell, index);
    }
    return index;
  }
}

/** All that is asked of the item at a place. */
export const itemNodes = (items: NonNullable<Cell["items"]>, place: number): readonly SchemaNode[] =>
  items.filter(({ from, to }) => from <= place && place < to).map(({ schema }) => schema);
