// The ways in which a value can be valid against a schema, each as facts that have to hold together. A way that is left out makes
// fewer texts possible, never a wrong one.

import { everyInSteps, filterInSteps, Rest, type Steps } from "../../shared/slices.js";
import { ANY_CELL, cellOf, merge, naturalTypes, unseen } from "../read/cell.js";
import { badSchema } from "../read/errors.js";
import type { Applicators, Cell, Dependent, SchemaNode } from "../read/node.js";
import type { Reader } from "../read/reader.js";
import { OBJECT } from "../read/types.js";
import { negations, type Ways } from "./negation.js";
import { Signatures } from "./signature.js";

/** Ways of one schema. */
const MAX_WAYS = 2000;
/** Beyond so many, of one keyword or of all together, only those go on that people mean. */
const MANY_OPTIONS = 2;
const MANY_WAYS = 64;
/** Pairs of ways that are put together for all of a schema, each counted by its properties. */
const MAX_MERGES = 100_000;
/** Of those, between two steps. */
const MERGES_PER_STEP = 2000;
/** Properties that are looked at in the time of a pair that has none. */
const PROPERTIES_PER_MERGE = 50;
/** Schemas that lead from one to another. */
const MAX_LINKS = 300;
/** Levels of required properties that are looked at for what contradicts itself. */
const MAX_LOOKED = 3;

/** Thrown where a schema is looked at while its own ways are being found. */
const UNFINISHED = Symbol("unfinished");

export class Alternatives implements Ways {
  readonly reader: Reader;
  readonly #known = new Map<string, readonly Cell[]>();
  readonly #open = new Set<string>();
  /** Reasons for which ways were left out, by place. */
  readonly leftOut = new Map<string, string>();
  readonly #signatures = new Signatures();
  readonly #rest = new Rest(MERGES_PER_STEP);
  #merges = 0;
  #looking = 0;

  constructor(reader: Reader) {
    this.reader = reader;
  }

  /** Ways in which a value is valid against all of some schemas. None: no value is. */
  *ofAll(nodes: readonly SchemaNode[]): Steps<readonly Cell[]> {
    const [first, ...more] = nodes;
    if (!first) return [ANY_CELL];
    if (more.length === 0) return yield* this.of(first);
    return yield* this.#remember(`all ${keyOf(nodes)}`, first.path, () => this.#conjunction(nodes));
  }

  /** @param from what leads there */
  of(node: SchemaNode, from = node.path): Steps<readonly Cell[]> {
    return this.#remember(`${node.id}`, from, () => this.#expand(node));
  }

  /** Ways in which it is not. */
  ofNot(node: SchemaNode): Steps<readonly Cell[]> {
    return this.#remember(`not ${node.id}`, node.path, () => negations(node, this));
  }

  /** Ways that go together. */
  *both(a: readonly Cell[], b: readonly Cell[], path: string): Steps<readonly Cell[]> {
    return yield* this.possible(yield* this.#both(a, b, path));
  }

  /** Those of some ways that do not contradict themselves, as far as that is looked at. */
  possible(ways: readonly Cell[]): Steps<readonly Cell[]> {
    return filterInSteps(ways, (cell) => this.#isPossible(cell));
  }

  /** Whether every property that is required can be. */
  *#isPossible(cell: Cell): Steps<boolean> {
    const { types, required, properties } = cell;
    if ((types & ~OBJECT) !== 0 || !required || !properties || this.#looking >= MAX_LOOKED) return true;
    this.#looking++;
    try {
      return yield* everyInSteps(required, (name) => this.#canBe(name, properties));
    } catch (error) {
      if (error !== UNFINISHED) throw error;
      return true;
    } finally {
      this.#looking--;
    }
  }

  /** Whether all that is said of a property goes together. */
  *#canBe(name: string, properties: NonNullable<Cell["properties"]>): Steps<boolean> {
    yield* this.#rest.after(properties.length / PROPERTIES_PER_MERGE);
    const said = properties.filter((property) => property.name === name).map(({ schema }) => schema);
    if (said.length === 0) return true;
    for (const inner of yield* this.ofAll(said)) if (yield* this.#isPossible(inner)) return true;
    return false;
  }

  *#remember(key: string, path: string, find: () => Steps<readonly Cell[]>): Steps<readonly Cell[]> {
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#open.has(key)) {
      if (this.#looking > 0) throw UNFINISHED;
      throw badSchema(path, "refers to itself");
    }
    if (this.#open.size >= MAX_LINKS)
      throw badSchema(path, `more than ${MAX_LINKS} schemas apply to one value`, MAX_LINKS);
    this.#open.add(key);
    try {
      const ways = yield* this.#unique(yield* find());
      if (ways.length > MAX_WAYS) throw tooMany(path);
      this.#known.set(key, ways);
      return ways;
    } finally {
      this.#open.delete(key);
    }
  }

  *#unique(ways: readonly Cell[]): Steps<readonly Cell[]> {
    if (ways.length < 2) return ways;
    const found = new Map<number, Cell>();
    for (const cell of ways) {
      yield* this.#rest.after(1 + (10 * sizeOf([cell])) / PROPERTIES_PER_MERGE);
      const signature = this.#signatures.of(cell);
      if (!found.has(signature)) found.set(signature, cell);
    }
    return [...found.values()];
  }

  *#conjunction(nodes: readonly SchemaNode[]): Steps<readonly Cell[]> {
    let ways: readonly Cell[] = [ANY_CELL];
    for (const node of nodes) ways = yield* this.#both(ways, yield* this.of(node), node.path);
    return ways;
  }

  /** Ways of several schemas of which one holds. */
  *#ofAny(nodes: readonly SchemaNode[]): Steps<readonly Cell[]> {
    const ways: Cell[] = [];
    for (const node of nodes) ways.push(...(yield* this.of(node)));
    return ways;
  }

  *#expand({ own, parts, path }: SchemaNode): Steps<readonly Cell[]> {
    if (!own) return [];
    const { references = [], allOf = [], anyOf, oneOf, not, condition, dependents = [] } = parts;
    let ways: readonly Cell[] = [own];
    const both = this.#both.bind(this);
    function* add(more: readonly Cell[]): Steps<void> {
      ways = fewer(yield* both(ways, more, path), MANY_WAYS);
    }
    for (const reference of references)
      yield* add(yield* this.of(yield* this.reader.target(reference), reference.path));
    for (const part of allOf) yield* add(yield* this.of(part));
    if (anyOf) yield* add((yield* this.#ofAny(anyOf)).map(forgetItems));
    if (oneOf) ways = yield* this.#oneOf(ways, oneOf, path);
    if (condition) ways = yield* this.#condition(ways, condition, path);
    for (const dependent of dependents) ways = yield* this.#dependent(ways, dependent, path);
    if (not) ways = yield* this.both(ways, yield* this.ofNot(not), path);
    return this.#unevaluated(ways, parts);
  }

  /** Valid against one, and not against any other that could be valid too. */
  *#oneOf(ways: readonly Cell[], options: readonly SchemaNode[], path: string): Steps<readonly Cell[]> {
    const all: Cell[] = [];
    for (const [i, option] of options.entries()) {
      let chosen = yield* this.#both(ways, yield* this.of(option), path);
      for (const [j, other] of options.entries()) {
        if (j !== i) chosen = fewer(yield* this.#without(chosen, other, path), MANY_OPTIONS);
      }
      all.push(...chosen);
    }
    return all;
  }

  /** Ways in which another schema does not hold. */
  *#without(ways: readonly Cell[], other: SchemaNode, path: string): Steps<readonly Cell[]> {
    const left: Cell[] = [];
    for (const cell of ways) {
      const clashes = (yield* this.both([cell], yield* this.of(other), path)).length > 0;
      left.push(...(clashes ? yield* this.both([cell], yield* this.ofNot(other), path) : [cell]));
    }
    return left;
  }

  *#condition(
    ways: readonly Cell[],
    { test, yes, no }: NonNullable<Applicators["condition"]>,
    path: string,
  ): Steps<readonly Cell[]> {
    // What a test without `then` looks at is not seen by all validators: less is seen to be sure.
    const found = yield* this.of(test);
    const tested = yield* this.both(ways, yes ? found : found.map(unseen), path);
    const then = yield* this.both(tested, yield* this.of(yes ?? this.reader.anything), path);
    const otherwise = yield* this.of(no ?? this.reader.anything);
    if (otherwise.length === 0) return then;
    const untested = yield* this.both(ways, otherwise, path);
    const rest = yield* this.both(untested, yield* this.ofNot(test), path);
    return fewer([...then, ...rest], MANY_OPTIONS);
  }

  /** Either the property is not there, or what depends on it holds. */
  *#dependent(ways: readonly Cell[], { name, schema }: Dependent, path: string): Steps<readonly Cell[]> {
    const absent = cellOf(OBJECT, { properties: [{ name, schema: this.reader.nothing, hidden: true }] });
    const present = cellOf(OBJECT, { required: [name] });
    const other = ways.flatMap((cell) => {
      const rest = merge(cell, cellOf(~OBJECT));
      return rest ? [rest] : [];
    });
    const without = yield* this.both(ways, [absent], path);
    const others = without.length > 0 ? other : [];
    const within = yield* this.both(yield* this.both(ways, [present], path), yield* this.of(schema), path);
    return [...within, ...without, ...others];
  }

  /** Adds what is asked of the properties and items that nothing has looked at. */
  #unevaluated(ways: readonly Cell[], { unevaluatedItems, unevaluatedProperties }: Applicators): readonly Cell[] {
    if (!unevaluatedItems && !unevaluatedProperties) return ways;
    return ways.flatMap((cell) => {
      const rest: Cell = { ...ANY_CELL };
      if (unevaluatedProperties && !cell.seenAll) {
        const { seenNames = [], seenPatterns = [] } = cell;
        rest.others = [{ names: seenNames, patterns: seenPatterns, schema: unevaluatedProperties }];
      }
      const { seenItems = 0, seenContains = [] } = cell;
      if (unevaluatedItems && seenItems < Number.POSITIVE_INFINITY) {
        const schema = this.reader.anyOf([...seenContains, unevaluatedItems]);
        rest.items = [{ from: seenItems, to: Number.POSITIVE_INFINITY, schema }];
      }
      if (unevaluatedProperties) rest.seenAll = true;
      if (unevaluatedItems) rest.seenItems = Number.POSITIVE_INFINITY;
      const merged = merge(cell, rest);
      return merged ? [merged] : [];
    });
  }

  *#both(a: readonly Cell[], b: readonly Cell[], path: string): Steps<readonly Cell[]> {
    const cost = 1 + (sizeOf(a) + sizeOf(b)) / PROPERTIES_PER_MERGE;
    this.#merges += a.length * b.length * cost;
    if (this.#merges > MAX_MERGES)
      throw badSchema(path, `more than ${MAX_MERGES} combinations of its parts`, this.#merges);
    const ways: Cell[] = [];
    for (const x of a) {
      for (const y of b) {
        const merged = x === ANY_CELL ? y : y === ANY_CELL ? x : merge(x, y);
        if (merged) ways.push(merged);
        yield* this.#rest.after(cost);
      }
    }
    if (ways.length > MAX_WAYS) throw tooMany(path);
    return ways;
  }
}

/** Of several ways those that people mean, of the types that keywords speak of; where there are none, all. */
export function natural(ways: readonly Cell[]): readonly Cell[] {
  const found = ways.filter(isNatural);
  return found.length > 0 ? found.map((cell) => ({ ...cell, types: naturalTypes(cell) })) : ways;
}

const isNatural = (cell: Cell): boolean => naturalTypes(cell) !== 0 && !isForced(cell);

function fewer(ways: readonly Cell[], most: number): readonly Cell[] {
  const found = ways.length > most ? ways.filter(isNatural) : [];
  return found.length > 0 ? found : ways;
}

/** Whether a property that nobody speaks of is there only to be wrong for another schema. */
function isForced({ required = [], properties = [] }: Cell): boolean {
  const hidden = new Set(properties.filter((property) => property.hidden).map(({ name }) => name));
  for (const property of properties) if (!property.hidden) hidden.delete(property.name);
  return required.some((name) => hidden.has(name));
}

/** That an option looks at all items is not seen by all validators. */
function forgetItems({ seenItems, ...cell }: Cell): Cell {
  return seenItems === undefined || seenItems === Number.POSITIVE_INFINITY ? cell : { ...cell, seenItems };
}

const sizeOf = ([first]: readonly Cell[]): number => (first?.properties?.length ?? 0) + (first?.required?.length ?? 0);

const tooMany = (path: string) => badSchema(path, `more than ${MAX_WAYS} ways to be valid`, MAX_WAYS);

/** A name for what all of some schemas ask. */
export const keyOf = (nodes: readonly SchemaNode[]): string =>
  [...new Set(nodes.map(({ id }) => id))].sort((a, b) => a - b).join();
