// Arrays and tuples.

import type { Steps } from "../../shared/slices.js";
import type { Cell } from "../read/node.js";
import type { Context } from "./context.js";
import { countedArray, type Places } from "./counted_arrays.js";
import { repeat } from "./gbnf_text.js";
import { COMMA } from "./rules.js";
import { itemNodes } from "./validity.js";

/** Items that are looked through in the time of a property. */
const ITEMS_PER_PROPERTY = 100;

/** Undefined when there is no such array. */
export function* arrayGrammar(cell: Cell, path: string, context: Context): Steps<string | undefined> {
  const places = placesOf(cell);
  const counts = (cell.contains ?? []).filter(({ min, max }) => min > 0 || max < Number.POSITIVE_INFINITY);
  const isUnique = cell.uniqueItems === true && places.max > 1;
  if (counts.length > 0 || isUnique) return yield* countedArray(cell, counts, isUnique, places, path, context);
  return yield* simpleArray(cell, places, path, context);
}

function placesOf({ items = [], contains = [], minItems: min = 0, maxItems = Number.POSITIVE_INFINITY }: Cell): Places {
  const borders = items.map(({ from, to }) => (to < Number.POSITIVE_INFINITY ? to : from));
  const prefix = Math.max(0, ...borders);
  // Behind a tuple, others come only if the schema speaks of them, or cannot do without.
  const isOpen =
    prefix === 0 || min > prefix || contains.length > 0 || items.some(({ to }) => to === Number.POSITIVE_INFINITY);
  return { prefix, min, max: isOpen ? maxItems : Math.min(maxItems, prefix) };
}

function* simpleArray(
  { items = [] }: Cell,
  { prefix, min, max }: Places,
  path: string,
  context: Context,
): Steps<string | undefined> {
  const { rules } = context;
  let most = max;
  const first: string[] = [];
  for (let place = 0; place < Math.min(prefix, most); place++) {
    const grammar = yield* context.write(itemNodes(items, place), `${path}/prefixItems/${place}`);
    yield* context.rest.after(1 + items.length / ITEMS_PER_PROPERTY);
    if (grammar === undefined) most = place;
    else first.push(grammar);
  }
  const other = most > first.length ? yield* context.write(itemNodes(items, prefix), `${path}/items`) : undefined;
  if (other === undefined) most = Math.min(most, first.length);
  if (min > most) return undefined;
  // From the end: what follows when something stands before it, and when nothing does.
  const left = { min: Math.max(min - first.length, 0), max: most - first.length };
  let behind = other === undefined ? '""' : repeat(`${COMMA} ${other}`, left.min, left.max);
  if (first.length === 0) {
    if (other === undefined) return '"[" "]"';
    const more = repeat(`${COMMA} ${other}`, Math.max(left.min - 1, 0), left.max - 1);
    return `"[" (${other} ${more})${min > 0 ? "" : "?"} "]"`;
  }
  for (let place = first.length - 1; place > 0; place--) {
    const item = `${COMMA} ${first[place]} ${rules.rule(behind)}`;
    behind = place < min ? item : `(${item})?`;
    yield* context.rest.after(1);
  }
  return `"[" (${first[0]} ${rules.rule(behind)})${min > 0 ? "" : "?"} "]"`;
}
