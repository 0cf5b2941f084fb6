// What is asked of a value without any choice left: a conjunction of facts.

import type { Bound, Cell, Facts } from "./node.js";
import { ALL_TYPES, ARRAY, canonical, FRACTION, INTEGER, NUMBER, OBJECT, STRING, typeOf } from "./types.js";

export const ANY_CELL: Cell = { types: ALL_TYPES, said: false, spoken: 0 };

type Merger<K extends keyof Facts> = (a: Facts[K], b: Facts[K]) => Facts[K];

/** Items that are looked for one by one. */
const FEW = 4;

function joined<T>(a: readonly T[], b: readonly T[]): readonly T[] {
  const known = b.length > FEW ? new Set(a) : undefined;
  return [...a, ...b.filter((item) => !(known ? known.has(item) : a.includes(item)))];
}
const larger = (a: number, b: number) => Math.max(a, b);
const smaller = (a: number, b: number) => Math.min(a, b);
const either = (a: boolean, b: boolean) => a || b;

/** What two facts of a kind are together. */
const MERGERS: { [K in keyof Facts]: Merger<K> } = {
  values(a, b) {
    const known = new Set(b.map(canonical));
    return a.filter((value) => known.has(canonical(value)));
  },
  minimum: (a, b) => (a.value > b.value || (a.value === b.value && a.exclusive) ? a : b),
  maximum: (a, b) => (a.value < b.value || (a.value === b.value && a.exclusive) ? a : b),
  multipleOf: joined,
  notMultipleOf: joined,
  minLength: larger,
  maxLength: smaller,
  patterns: (a, b) => [...a, ...b.filter((x) => !a.some((y) => x.pattern === y.pattern && x.negated === y.negated))],
  formats: (a, b) => [...a, ...b.filter((x) => !a.some((y) => x.format === y.format))],
  excluded: joined,
  minItems: larger,
  maxItems: smaller,
  uniqueItems: either,
  items: joined,
  contains: joined,
  minProperties: larger,
  maxProperties: smaller,
  required: joined,
  properties: joined,
  patternProperties: joined,
  others: joined,
  propertyNames: joined,
  seenNames: joined,
  seenPatterns: joined,
  seenAll: either,
  seenItems: larger,
  seenContains: joined,
};

/** Both at once; undefined when nothing can be both. */
export function merge(a: Cell, b: Cell): Cell | undefined {
  const types = a.types & b.types;
  if (types === 0) return undefined;
  const merged: Cell = { ...a, ...b, types, said: a.said || b.said, spoken: a.spoken | b.spoken };
  for (const key of Object.keys(b) as (keyof Facts)[]) mergeFact(merged, a, b, key);
  return possible(merged);
}

function mergeFact<K extends keyof Facts>(merged: Partial<Facts>, a: Partial<Facts>, b: Partial<Facts>, key: K): void {
  const [x, y] = [a[key], b[key]];
  if (MERGERS[key] && x !== undefined && y !== undefined) merged[key] = MERGERS[key](x as Facts[K], y as Facts[K]);
}

/** Without types of which there is no value; undefined when none is left. */
function possible(cell: Cell): Cell | undefined {
  let { types, values } = cell;
  const { minimum: low, maximum: high } = cell;
  if (low && high && (low.value > high.value || (low.value === high.value && (low.exclusive || high.exclusive))))
    types &= ~NUMBER;
  if (cell.multipleOf?.some(Number.isInteger)) types &= ~FRACTION;
  if ((types & NUMBER) === INTEGER && low && high && firstInteger(low) > -firstInteger(opposite(high)))
    types &= ~INTEGER;
  if ((cell.minLength ?? 0) > (cell.maxLength ?? Number.POSITIVE_INFINITY)) types &= ~STRING;
  if ((cell.minItems ?? 0) > (cell.maxItems ?? Number.POSITIVE_INFINITY)) types &= ~ARRAY;
  const needed = Math.max(cell.minProperties ?? 0, cell.required?.length ?? 0);
  if (needed > (cell.maxProperties ?? Number.POSITIVE_INFINITY)) types &= ~OBJECT;
  if (values) {
    values = values.filter((value) => (typeOf(value) & types) !== 0);
    types &= values.reduce<number>((union, value) => union | typeOf(value), 0);
  }
  if (types === 0) return undefined;
  return values ? { ...cell, types, values } : { ...cell, types };
}

const firstInteger = ({ value, exclusive }: Bound) =>
  exclusive && Number.isInteger(value) ? value + 1 : Math.ceil(value);
const opposite = ({ value, exclusive }: Bound): Bound => ({ value: -value, exclusive });

/** A cell of some facts. */
export const cellOf = (types: number, facts: Partial<Facts> = {}): Cell => ({ ...ANY_CELL, types, ...facts });

/** The same where nothing is seen to be evaluated. */
export function unseen({ seenNames, seenPatterns, seenAll, seenItems, seenContains, ...rest }: Cell): Cell {
  return rest;
}

/** Types that a value should have: those that are said, or else those that keywords speak of, or else any. */
export const naturalTypes = ({ types, said, spoken }: Cell): number => (said || spoken === 0 ? types : types & spoken);
