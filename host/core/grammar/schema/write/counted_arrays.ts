// Arrays in which items of some kind are counted (contains), or may not come twice (uniqueItems): a rule for each place and what has
// come before it.

import { filterInSteps, mapInSteps, type Steps } from "../../shared/slices.js";
import { badSchema } from "../read/errors.js";
import type { Cell, ContainsFact, SchemaNode } from "../read/node.js";
import { BOOLEAN, canonical, INTEGER, NULL } from "../read/types.js";
import type { Context } from "./context.js";
import { choice, literal } from "./gbnf_text.js";
import { COMMA } from "./rules.js";
import { itemNodes } from "./validity.js";

const MAX_STATES = 5000;
const MAX_ITEMS = 20_000;
const MAX_CONTAINS = 4;
/** Values of which any order may come; of more, they come in the order of the schema. */
const MAX_SHUFFLED = 8;
const MAX_VALUES = 200;

/** What may stand at each place of an array. */
export interface Places {
  /** Places that differ from those behind them. */
  prefix: number;
  min: number;
  max: number;
}

/** What has come: items, of each kind that is counted so many, and of the values that may come once these. */
interface State {
  place: number;
  counts: readonly number[];
  /** A bit for each value; or the first one that may still come. */
  used: number;
}

interface Item {
  grammar: string;
  next: State;
}

export function* countedArray(
  cell: Cell,
  contains: readonly ContainsFact[],
  isUnique: boolean,
  places: Places,
  path: string,
  context: Context,
): Steps<string | undefined> {
  if (contains.length > MAX_CONTAINS)
    throw badSchema(`${path}/contains`, `more than ${MAX_CONTAINS} schemas`, contains.length);
  const after = isUnique
    ? yield* uniqueItems(cell, contains, places, path, context)
    : countedItems(cell, contains, places, path, context);
  const ends = ({ place, counts }: State) =>
    place >= places.min && counts.every((count, i) => count >= contains[i]!.min);
  const start: State = { place: 0, counts: contains.map(() => 0), used: 0 };
  const names = new Map<string, string>();
  const open: State[] = [];
  const nameOf = (state: State): string => {
    const key = `${state.place} ${state.counts} ${state.used}`;
    let name = names.get(key);
    if (name === undefined) {
      if (names.size >= MAX_STATES) throw badSchema(path, `an array of more than ${MAX_STATES} states`, names.size);
      name = context.rules.reserve();
      names.set(key, name);
      open.push(state);
    }
    return name;
  };
  const first = nameOf(start);
  let count = 0;
  for (let state = open.pop(); state; state = open.pop()) {
    const items = state.place < places.max ? yield* after(state) : [];
    count += items.length;
    yield* context.rest.after(1 + items.length);
    if (count > MAX_ITEMS) throw badSchema(path, `an array of more than ${MAX_ITEMS} choices`, count);
    const comma = state.place > 0 ? `${COMMA} ` : "";
    const ways = items.map(({ grammar, next }) => `${comma}${grammar} ${nameOf(next)}`);
    const name = nameOf(state);
    context.rules.define(name, choice([...ways, ends(state) ? '""' : undefined]) ?? `"x" ${name}`);
  }
  return `"[" ${first} "]"`;
}

/** Places beyond which all are alike. */
const lastPlace = ({ prefix, min, max }: Places) => (max < Number.POSITIVE_INFINITY ? max : Math.max(prefix, min, 1));

/** One more of the kinds in `matched`; undefined where that is too many. */
function counted(contains: readonly ContainsFact[], counts: readonly number[], matched: (kind: number) => boolean) {
  const next = counts.map((count, kind) => count + (matched(kind) ? 1 : 0));
  if (next.some((count, kind) => count > contains[kind]!.max)) return undefined;
  return next.map((count, kind) => {
    const { min, max } = contains[kind]!;
    return max < Number.POSITIVE_INFINITY ? count : Math.min(count, min);
  });
}

function countedItems(
  { items = [] }: Cell,
  contains: readonly ContainsFact[],
  places: Places,
  path: string,
  context: Context,
) {
  const last = lastPlace(places);
  const kinds = Array.from({ length: 2 ** contains.length }, (_, bits) => (kind: number) => ((bits >> kind) & 1) === 1);
  return function* ({ place, counts }: State): Steps<Item[]> {
    const nodes = itemNodes(items, place);
    const found: Item[] = [];
    for (const matched of kinds) {
      const next = counted(contains, counts, matched);
      // One more where enough have come is as good as any item.
      const isIdle = contains.some(
        ({ min, max }, kind) => matched(kind) && max === Number.POSITIVE_INFINITY && counts[kind]! >= min,
      );
      if (!next || isIdle) continue;
      const asked = contains.flatMap(({ schema, max }, kind): SchemaNode[] => {
        if (matched(kind)) return [schema];
        return max < Number.POSITIVE_INFINITY ? [context.reader.not(schema)] : [];
      });
      const grammar = yield* context.write([...nodes, ...asked], `${path}/contains`);
      if (grammar === undefined) continue;
      found.push({ grammar, next: { place: Math.min(place + 1, last), counts: next, used: 0 } });
    }
    return found;
  };
}

function* uniqueItems(cell: Cell, contains: readonly ContainsFact[], places: Places, path: string, context: Context) {
  const { items = [] } = cell;
  const last = lastPlace(places);
  const different = Array.from({ length: places.prefix + (places.max > places.prefix ? 1 : 0) }, (_, place) => place);
  const listed = yield* mapInSteps(different, (place) =>
    finiteValues(itemNodes(items, place), `${path}/uniqueItems`, context),
  );
  const universe = [...new Map(listed.flat().map((value) => [canonical(value), value])).values()];
  if (universe.length > MAX_VALUES)
    throw badSchema(`${path}/uniqueItems`, `more than ${MAX_VALUES} values`, universe.length);
  const isShuffled = universe.length <= MAX_SHUFFLED;
  const kindsOf = yield* mapInSteps(universe, (value) =>
    mapInSteps(contains, ({ schema }) => kindOf(value, schema, context)),
  );
  return function* ({ place, counts, used }: State): Steps<Item[]> {
    const nodes = itemNodes(items, place);
    const found: Item[] = [];
    for (const [i, value] of universe.entries()) {
      const isFree = isShuffled ? ((used >> i) & 1) === 0 : i >= used;
      if (!isFree || !(yield* context.validity.isValid(value, nodes))) continue;
      const kinds = kindsOf[i]!;
      const next = kinds.includes(undefined) ? undefined : counted(contains, counts, (kind) => kinds[kind] === true);
      if (!next) continue;
      const state = { place: Math.min(place + 1, last), counts: next, used: isShuffled ? used | (1 << i) : i + 1 };
      found.push({ grammar: literal(JSON.stringify(value)), next: state });
    }
    return found;
  };
}

/** Whether a value is valid; undefined: that is not sure. */
function* kindOf(value: unknown, schema: SchemaNode, context: Context): Steps<boolean | undefined> {
  if (yield* context.validity.isValid(value, [schema])) return true;
  return (yield* context.validity.isValid(value, [context.reader.not(schema)])) ? false : undefined;
}

/** All values that are valid. @throws ZagreusError BAD_SCHEMA where they are not listed */
function* finiteValues(nodes: readonly SchemaNode[], path: string, context: Context): Steps<unknown[]> {
  const found: unknown[] = [];
  for (const cell of yield* context.ways.ofAll(nodes)) {
    const listed = listedValues(cell);
    if (!listed) throw badSchema(path, "different items can be guaranteed only of listed values");
    found.push(...(yield* filterInSteps(listed, (value) => context.validity.isOf(value, cell, path))));
  }
  return found;
}

/** All values that a cell may have, and perhaps more; undefined where they are not listed, and no few. */
function listedValues({ types, values, minimum, maximum }: Cell): readonly unknown[] | undefined {
  if (values) return values;
  if ((types & ~(NULL | BOOLEAN | INTEGER)) !== 0) return undefined;
  const found: unknown[] = types & BOOLEAN ? [true, false] : [];
  if (types & NULL) found.push(null);
  if ((types & INTEGER) === 0) return found;
  if (!minimum || !maximum || maximum.value - minimum.value > MAX_VALUES) return undefined;
  for (let value = Math.ceil(minimum.value); value <= maximum.value; value++) found.push(value);
  return found;
}
