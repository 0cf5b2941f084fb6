// The filters of jinja2/filters.py for lists and mappings. Like there, what gives a generator is lazy.

import { subscript } from "./python/attributes.js";
import { binary, equal, less } from "./python/operators.js";
import { type Runtime, TemplateError } from "./python/runtime.js";
import type { Filter } from "./python/signature.js";
import {
  asText,
  Dict,
  DictView,
  Group,
  isTrue,
  iterate,
  Lazy,
  lengthOf,
  likeInput,
  needInteger,
  type Tuple,
  toList,
  typeName,
  Undefined,
  type Value,
} from "./python/values.js";
import { joined, str } from "./python/write.js";

export type Getter = (item: Value) => Value;

const count: Filter = ["obj /", (runtime, value) => BigInt(lengthOf(value, runtime))];
const extreme = (greatest: boolean): Filter => [
  "value case_sensitive? attribute?",
  (runtime, value, exact = false, attribute = null) => best(value, greatest, isTrue(exact), attribute, runtime),
];
export const SEQUENCE_FILTERS: Readonly<Record<string, Filter>> = {
  batch: [
    "value linecount fill_with?",
    (runtime, value, size, fill = null) => new Lazy(batch(value, needInteger(size!, "linecount"), fill, runtime)),
  ],
  count,
  dictsort: [
    "value case_sensitive? by? reverse?",
    (runtime, value, exact = false, by = "key", reverse = false) =>
      sortDict(value, isTrue(exact), by, isTrue(reverse), runtime),
  ],
  first: ["seq", (runtime, value) => firstOf(iterate(value, runtime), "No first item, sequence was empty.")],
  groupby: [
    "value attribute default? case_sensitive?",
    (runtime, value, attribute, other = null, exact = false) =>
      groupBy(value, attribute!, other, isTrue(exact), runtime),
  ],
  items: ["value", (runtime, value) => new Lazy(pairs(value, runtime))],
  join: [
    "value d? attribute?",
    (runtime, value, separator = "", attribute = null) => join(value, separator, attribute, runtime),
  ],
  last: ["seq", (runtime, value) => firstOf(backwards(value, runtime), "No last item, sequence was empty.")],
  length: count,
  list: ["value", (runtime, value) => toList(value, runtime)],
  max: extreme(true),
  min: extreme(false),
  reverse: ["value", (runtime, value) => reverse(value, runtime)],
  slice: [
    "value slices fill_with?",
    (runtime, value, size, fill = null) => new Lazy(columns(value, needInteger(size!, "slices"), fill, runtime)),
  ],
  sort: [
    "value reverse? case_sensitive? attribute?",
    (runtime, value, reversed = false, exact = false, attribute = null) => {
      const key = sortKey(attribute, isTrue(exact), runtime);
      return sorted(toList(value, runtime), key, isTrue(reversed), runtime);
    },
  ],
  sum: [
    "iterable attribute? start?",
    (runtime, value, attribute = null, start = 0n) => sum(value, attribute, start, runtime),
  ],
  unique: [
    "value case_sensitive? attribute?",
    (runtime, value, exact = false, attribute = null) =>
      new Lazy(unique(value, getter(attribute, !isTrue(exact), runtime), runtime)),
  ],
};

function firstOf(items: Iterable<Value>, otherwise: string): Value {
  for (const item of items) return item;
  return new Undefined(otherwise);
}

/** Looks up an attribute, with dots for attributes of attributes; strings become lower case if wanted. */
export function getter(attribute: Value, lower: boolean, runtime: Runtime, otherwise: Value = null): Getter {
  const path = pathOf(attribute, runtime);
  return (item) => {
    let value = item;
    for (const part of path) {
      value = subscript(value, part, runtime);
      if (otherwise !== null && value instanceof Undefined) value = otherwise;
    }
    return lower ? lowered(value, runtime) : value;
  };
}

function pathOf(attribute: Value, runtime: Runtime): Value[] {
  const text = asText(attribute);
  if (text === undefined) return attribute === null ? [] : [attribute];
  runtime.items(text.length);
  return text.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part.slice(0, 16)) : part));
}

function lowered(value: Value, runtime: Runtime): Value {
  const text = asText(value);
  if (text === undefined) return value;
  runtime.allocate(text.length);
  return text.toLowerCase();
}

/** The values of attributes with commas between them, as a list. */
function sortKey(attribute: Value, exact: boolean, runtime: Runtime): Getter {
  const names = asText(attribute)?.split(",") ?? [attribute];
  const getters = names.map((name) => getter(name, !exact, runtime));
  return (item) => getters.map((get) => get(item));
}

/** sorted(): stable, also in reverse. */
function sorted(items: Value[], key: Getter, reverse: boolean, runtime: Runtime): Value[] {
  runtime.items(4 * items.length);
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((a, b) => {
    const [first, second] = reverse ? [b, a] : [a, b];
    if (less(first.key, second.key, runtime)) return -1;
    return less(second.key, first.key, runtime) ? 1 : 0;
  });
  return keyed.map(({ item }) => item);
}

function needDict(value: Value): Dict {
  if (value instanceof Undefined) throw value.fail();
  if (value instanceof Dict) return value;
  throw new TemplateError(`'${typeName(value)}' object has no attribute 'items'`);
}

function sortDict(value: Value, exact: boolean, by: Value, reverse: boolean, runtime: Runtime): Value[] {
  if (by !== "key" && by !== "value") throw new TemplateError('You can only sort by either "key" or "value"');
  const entries = toList(new DictView("items", needDict(value)), runtime);
  const key = (item: Value) => {
    const part = (item as Tuple).items[by === "key" ? 0 : 1]!;
    return exact ? part : lowered(part, runtime);
  };
  return sorted(entries, key, reverse, runtime);
}

function* pairs(value: Value, runtime: Runtime): Generator<Value> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) throw new TemplateError("Can only get item pairs from a mapping.");
  yield* iterate(new DictView("items", value), runtime);
}

function* batch(value: Value, size: number, fill: Value, runtime: Runtime): Generator<Value> {
  let row: Value[] = [];
  for (const item of iterate(value, runtime)) {
    if (row.length === size) {
      yield row;
      row = [];
    }
    row.push(item);
  }
  if (row.length === 0) return;
  const missing = fill === null ? 0 : Math.max(0, size - row.length);
  runtime.items(missing);
  yield [...row, ...Array<Value>(missing).fill(fill)];
}

function* columns(value: Value, slices: number, fill: Value, runtime: Runtime): Generator<Value> {
  const items = toList(value, runtime);
  if (slices === 0) throw new TemplateError("integer division or modulo by zero");
  const each = Math.floor(items.length / slices);
  const longer = items.length % slices;
  for (let i = 0, at = 0; i < slices; i++) {
    const size = each + (i < longer ? 1 : 0);
    runtime.items(size + 1);
    const column = items.slice(at, at + size);
    at += size;
    yield fill !== null && i >= longer ? [...column, fill] : column;
  }
}

function groupBy(value: Value, attribute: Value, otherwise: Value, exact: boolean, runtime: Runtime): Value[] {
  const key = getter(attribute, !exact, runtime, otherwise);
  const shown = getter(attribute, false, runtime, otherwise);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(toList(value, runtime), key, false, runtime)) {
    const itsKey = key(item);
    const last = groups.at(-1);
    if (last && equal(last.key, itsKey, runtime)) last.items.push(item);
    else groups.push({ key: itsKey, items: [item] });
  }
  return groups.map(({ key: grouper, items }) => new Group([exact ? grouper : shown(items[0]!), items]));
}

function join(value: Value, separator: Value, attribute: Value, runtime: Runtime): string {
  const get = attribute === null ? undefined : getter(attribute, false, runtime);
  const parts: string[] = [];
  for (const item of iterate(value, runtime)) parts.push(str(get ? get(item) : item, runtime));
  return joined(parts, runtime, str(separator, runtime));
}

/** reversed(). @throws TemplateError for what has no last item */
function backwards(value: Value, runtime: Runtime): Iterable<Value> {
  if (value instanceof Lazy || (typeof value !== "object" && typeof value !== "string") || value === null) {
    throw new TemplateError(`'${typeName(value)}' object is not reversible`);
  }
  return toList(value, runtime).reverse();
}

function reverse(value: Value, runtime: Runtime): Value {
  const text = asText(value);
  if (text === undefined) {
    if (value instanceof Lazy) return toList(value, runtime).reverse();
    return new Lazy(backwards(value, runtime));
  }
  return likeInput(value, joined((toList(text, runtime) as string[]).reverse(), runtime));
}

function best(value: Value, greatest: boolean, exact: boolean, attribute: Value, runtime: Runtime): Value {
  const key = getter(attribute, !exact, runtime);
  let found: { item: Value; key: Value } | undefined;
  for (const item of iterate(value, runtime)) {
    const itsKey = key(item);
    if (!found || (greatest ? less(found.key, itsKey, runtime, ">") : less(itsKey, found.key, runtime))) {
      found = { item, key: itsKey };
    }
  }
  return found ? found.item : new Undefined("No aggregated item, sequence was empty.");
}

function sum(value: Value, attribute: Value, start: Value, runtime: Runtime): Value {
  if (asText(start) !== undefined) throw new TemplateError("sum() can't sum strings [use ''.join(seq) instead]");
  const get = attribute === null ? undefined : getter(attribute, false, runtime);
  let total = start;
  for (const item of iterate(value, runtime)) total = binary("+", total, get ? get(item) : item, runtime);
  return total;
}

function* unique(value: Value, key: Getter, runtime: Runtime): Generator<Value> {
  const seen = new Dict(runtime);
  for (const item of iterate(value, runtime)) {
    const itsKey = key(item);
    if (seen.has(itsKey)) continue;
    seen.set(itsKey, true);
    yield item;
  }
}
