// What is not valid against a schema: each thing that it asks for can fail. What cannot be said of a text that way is left out.

import type { Steps } from "../../shared/slices.js";
import { ANY_CELL, cellOf, merge, unseen } from "../read/cell.js";
import type { Cell, Facts, SchemaNode } from "../read/node.js";
import type { Reader } from "../read/reader.js";
import {
  ALL_TYPES,
  ARRAY,
  BOOLEAN,
  FRACTION,
  INTEGER,
  isObject,
  NUMBER,
  OBJECT,
  STRING,
  typeOf,
} from "../read/types.js";

/** What negations need to know of other schemas. */
export interface Ways {
  readonly reader: Reader;
  /** Reasons for which ways were left out, by place. */
  readonly leftOut: Map<string, string>;
  /** Ways in which a value is valid, */
  of(node: SchemaNode): Steps<readonly Cell[]>;
  /** and in which it is not. */
  ofNot(node: SchemaNode): Steps<readonly Cell[]>;
  /** Ways that go together. */
  both(a: readonly Cell[], b: readonly Cell[], path: string): Steps<readonly Cell[]>;
}

/** Ways in which a value is not valid against a schema, or at least some of them. */
export function* negations(node: SchemaNode, ways: Ways): Steps<Cell[]> {
  const { own, parts } = node;
  if (!own) return [ANY_CELL];
  const found = yield* negatedCell(own, node.path, ways);
  const { references = [], allOf = [], anyOf, oneOf, not, condition, dependents = [] } = parts;
  for (const reference of references) found.push(...(yield* ways.ofNot(yield* ways.reader.target(reference))));
  for (const part of allOf) found.push(...(yield* ways.ofNot(part)));
  if (anyOf) found.push(...(yield* noneOf(anyOf, ways, node.path)));
  if (oneOf) found.push(...(yield* noneOf(oneOf, ways, node.path)), ...(yield* twoOf(oneOf, ways, node.path)));
  if (not) found.push(...(yield* ways.of(not)));
  if (condition) {
    const { test, yes = ways.reader.anything, no = ways.reader.anything } = condition;
    found.push(...(yield* ways.both(yield* ways.of(test), yield* ways.ofNot(yes), node.path)));
    found.push(...(yield* ways.both(yield* ways.ofNot(test), yield* ways.ofNot(no), node.path)));
  }
  for (const { name, schema } of dependents) {
    const present = cellOf(OBJECT, { required: [name] });
    found.push(...(yield* ways.both([present], yield* ways.ofNot(schema), node.path)));
  }
  for (const keyword of ["unevaluatedItems", "unevaluatedProperties"] as const) {
    if (parts[keyword] && parts[keyword] !== ways.reader.anything)
      ways.leftOut.set(node.path, `the opposite of ${keyword}`);
  }
  return found.map(unseen);
}

function* noneOf(nodes: readonly SchemaNode[], ways: Ways, path: string): Steps<readonly Cell[]> {
  let all: readonly Cell[] = [ANY_CELL];
  for (const node of nodes) all = yield* ways.both(all, yield* ways.ofNot(node), path);
  return all;
}

function* twoOf(nodes: readonly SchemaNode[], ways: Ways, path: string): Steps<Cell[]> {
  const found: Cell[] = [];
  for (const [i, a] of nodes.entries()) {
    for (const b of nodes.slice(0, i)) found.push(...(yield* ways.both(yield* ways.of(a), yield* ways.of(b), path)));
  }
  return found;
}

type Negation<K extends keyof Facts> = (fact: Facts[K], path: string, ways: Ways) => Cell[];

/** The one fact of a negation, of values of a type. */
const only = (type: number, facts: Partial<Facts>): Cell[] => [cellOf(type, facts)];

/** How each fact fails; how listed values do takes steps. */
const NEGATIONS: { [K in keyof Facts]?: Negation<K> } = {
  minimum: ({ value, exclusive }) => only(NUMBER, { maximum: { value, exclusive: !exclusive } }),
  maximum: ({ value, exclusive }) => only(NUMBER, { minimum: { value, exclusive: !exclusive } }),
  multipleOf: (steps) => steps.flatMap((step) => only(NUMBER, { notMultipleOf: [step] })),
  minLength: (min) => (min > 0 ? only(STRING, { maxLength: min - 1 }) : []),
  maxLength: (max) => only(STRING, { minLength: max + 1 }),
  patterns: (patterns) => patterns.flatMap((fact) => only(STRING, { patterns: [{ ...fact, negated: !fact.negated }] })),
  formats: (formats, path, ways) => leave(`the opposite of format "${formats[0]!.format}"`, path, ways),
  minItems: (min) => (min > 0 ? only(ARRAY, { maxItems: min - 1 }) : []),
  maxItems: (max) => only(ARRAY, { minItems: max + 1 }),
  uniqueItems: (_, path, ways) => leave("the opposite of uniqueItems", path, ways),
  items: (items, _, ways) =>
    items.flatMap(({ from, to, schema }) => {
      const wrong = ways.reader.not(schema);
      if (wrong === ways.reader.nothing) return [];
      if (from === 0 && to === Number.POSITIVE_INFINITY) return only(ARRAY, { contains: [atLeast(wrong, 1)] });
      return only(ARRAY, { minItems: from + 1, items: [{ from, to: from + 1, schema: wrong }] });
    }),
  contains: (contains) =>
    contains.flatMap(({ schema, min, max }) => [
      ...(min > 0 ? only(ARRAY, { contains: [{ schema, min: 0, max: min - 1 }] }) : []),
      ...(max < Number.POSITIVE_INFINITY ? only(ARRAY, { contains: [atLeast(schema, max + 1)] }) : []),
    ]),
  minProperties: (min) => (min > 0 ? only(OBJECT, { maxProperties: min - 1 }) : []),
  maxProperties: (max) => only(OBJECT, { minProperties: max + 1 }),
  required: (names, _, { reader }) =>
    names.flatMap((name) => only(OBJECT, { properties: [{ name, schema: reader.nothing, hidden: true }] })),
  properties: (properties, _, { reader }) =>
    properties.flatMap(({ name, schema }) => {
      const wrong = reader.not(schema);
      if (wrong === reader.nothing) return [];
      return only(OBJECT, { required: [name], properties: [{ name, schema: wrong, hidden: true }] });
    }),
  patternProperties: (_, path, ways) => leave("the opposite of patternProperties", path, ways),
  others: (others, path, ways) =>
    others.every(({ schema }) => schema === ways.reader.anything)
      ? []
      : leave("the opposite of additionalProperties", path, ways),
  propertyNames: (names, path, ways) =>
    names.every((schema) => schema === ways.reader.anything) ? [] : leave("the opposite of propertyNames", path, ways),
};

const atLeast = (schema: SchemaNode, min: number) => ({ schema, min, max: Number.POSITIVE_INFINITY });

function leave(what: string, path: string, ways: Ways): Cell[] {
  ways.leftOut.set(path, what);
  return [];
}

function* negatedCell(cell: Cell, path: string, ways: Ways): Steps<Cell[]> {
  const types = ALL_TYPES & ~cell.types;
  // Types that listed values leave out come with the values.
  const found = types !== 0 && !cell.values ? [cellOf(types)] : [];
  if (cell.values) found.push(...(yield* otherValues(cell.values, path, ways)));
  for (const key of Object.keys(NEGATIONS) as (keyof Facts)[]) found.push(...negatedFact(key, cell, path, ways));
  return found;
}

function negatedFact<K extends keyof Facts>(key: K, cell: Cell, path: string, ways: Ways): Cell[] {
  const fact = cell[key] as Facts[K] | undefined;
  return fact === undefined ? [] : NEGATIONS[key]!(fact, path, ways);
}

/** All values but these. */
function* otherValues(values: readonly unknown[], path: string, ways: Ways): Steps<Cell[]> {
  const listed = values.reduce<number>((types, value) => types | typeOf(value), 0);
  const types = ALL_TYPES & ~listed;
  const found = types !== 0 ? [cellOf(types)] : [];
  const excluded = values.filter((value) => typeof value === "string");
  if (listed & STRING) found.push(cellOf(STRING, { excluded }));
  if (listed & NUMBER) found.push(...otherNumbers(values.filter((value) => typeof value === "number"), types)); // biome-ignore format: one line
  if (listed & BOOLEAN) {
    const left = [true, false].filter((value) => !values.includes(value));
    if (left.length > 0) found.push({ ...cellOf(BOOLEAN, { values: left }), said: true });
  }
  for (const type of [ARRAY, OBJECT]) {
    const structures = values.filter((value) => typeOf(value) === type);
    if (structures.length === 0) continue;
    let others: readonly Cell[] = [cellOf(type)];
    for (const value of structures) others = yield* ways.both(others, yield* otherStructure(value, path, ways), path);
    found.push(...others);
  }
  return found;
}

/** The intervals between numbers. @param apart types that are possible as a whole already */
function otherNumbers(numbers: readonly number[], apart: number): Cell[] {
  const type = NUMBER & ~(apart & (INTEGER | FRACTION));
  const borders = [...new Set(numbers)].sort((a, b) => a - b);
  const below = [...borders, undefined];
  return below.flatMap((high, i) => {
    const low = borders[i - 1];
    const interval = merge(
      cellOf(type, low === undefined ? {} : { minimum: { value: low, exclusive: true } }),
      cellOf(type, high === undefined ? {} : { maximum: { value: high, exclusive: true } }),
    );
    return interval ? [interval] : [];
  });
}

/** Arrays, or objects, that differ from one in their size or in a part. */
function* otherStructure(value: unknown, path: string, ways: Ways): Steps<Cell[]> {
  const { reader } = ways;
  const facts: Partial<Facts> = Array.isArray(value)
    ? {
        minItems: value.length,
        maxItems: value.length,
        items: value.map((item, i) => ({ from: i, to: i + 1, schema: reader.constant(item, path) })),
      }
    : {
        required: Object.keys(value as object),
        maxProperties: Object.keys(value as object).length,
        properties: isObject(value)
          ? Object.keys(value).map((name) => ({ name, schema: reader.constant(value[name], path), hidden: true }))
          : [],
      };
  const found = yield* negatedCell({ ...cellOf(Array.isArray(value) ? ARRAY : OBJECT, facts) }, path, ways);
  return found.filter(
    ({ types }) =>
      (types & (ARRAY | OBJECT)) !== 0 && types !== (ALL_TYPES & ~ARRAY) && types !== (ALL_TYPES & ~OBJECT),
  );
}
