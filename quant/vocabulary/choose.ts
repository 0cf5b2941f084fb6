// Which tokens stay: those that are left when the one that texts miss least has gone, again and again. Only what no other token that is still there
// is made of can go (derivation.ts), and its occurrences become those of its parts.

import { ZagreusError } from "../../host/core/api/errors.js";
import type { Derivation } from "./derivation.js";

export interface Choice {
  derivation: Derivation;
  /** By token id: how often texts have it. */
  counts: Float64Array;
  /** Ids that stay in any case; what they are made of does too. */
  required: Iterable<number>;
  /** Tokens that stay. */
  rows: number;
}

/**
 * Ids of the tokens that stay, ascending. Of tokens that texts miss equally those with the lowest ids stay: vocabularies begin with the most frequent.
 * @throws ZagreusError INVALID_OPTION when `rows` are too few for those that are required, or not fewer than there are
 */
export function chooseTokens({ derivation, counts, required, rows }: Choice): Uint32Array<ArrayBuffer> {
  const size = derivation.length;
  const stays = withParts(required, derivation);
  checkRows(rows, stays.size, size);
  const occurrences = counts.slice();
  const dependents = new Uint32Array(size);
  for (const parts of derivation) for (const part of parts) dependents[part]!++;
  /** Tokens that a text has more when this one is gone. */
  const cost = (id: number) => occurrences[id]! * Math.max(1, derivation[id]!.length - 1);
  const leaves = new Heap();
  const offer = (id: number) => {
    if (dependents[id] === 0 && !stays.has(id)) leaves.push({ id, cost: cost(id) });
  };
  for (let id = 0; id < size; id++) offer(id);
  const gone = new Uint8Array(size);
  for (let left = size; left > rows; ) {
    const leaf = leaves.pop()!;
    if (leaf.cost !== cost(leaf.id)) {
      leaves.push({ id: leaf.id, cost: cost(leaf.id) }); // parts of others that have gone meanwhile
      continue;
    }
    gone[leaf.id] = 1;
    left--;
    for (const part of derivation[leaf.id]!) {
      occurrences[part]! += occurrences[leaf.id]!;
      dependents[part]!--;
      offer(part);
    }
  }
  return Uint32Array.from({ length: size }, (_, id) => id).filter((id) => gone[id] === 0);
}

/** Ids with all that they are made of. */
function withParts(ids: Iterable<number>, derivation: Derivation): Set<number> {
  const all = new Set<number>();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (all.has(id)) continue;
    all.add(id);
    open.push(...derivation[id]!);
  }
  return all;
}

function checkRows(rows: number, required: number, size: number): void {
  if (Number.isInteger(rows) && rows >= required && rows < size) return;
  const message = `tokens is ${rows}, must be at least ${required}, which bytes, special tokens, the chat template, numbers and JSON need, and less than the ${size} of the model`;
  throw new ZagreusError("INVALID_OPTION", message, { field: "tokens", value: rows, expected: [required, size - 1] });
}

interface Leaf {
  id: number;
  cost: number;
}

const sooner = (a: Leaf, b: Leaf) => a.cost < b.cost || (a.cost === b.cost && a.id > b.id);

/** The leaf that goes first is on top. */
class Heap {
  readonly #items: Leaf[] = [];

  push(item: Leaf): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    for (let above = (at - 1) >> 1; at > 0 && sooner(item, items[above]!); above = (at - 1) >> 1) {
      items[at] = items[above]!;
      at = above;
    }
    items[at] = item;
  }

  pop(): Leaf | undefined {
    const items = this.#items;
    const top = items[0];
    const item = items.pop();
    if (items.length === 0 || !item) return top;
    let at = 0;
    for (let below = 1; below < items.length; below = 2 * at + 1) {
      if (below + 1 < items.length && sooner(items[below + 1]!, items[below]!)) below++;
      if (!sooner(items[below]!, item)) break;
      items[at] = items[below]!;
      at = below;
    }
    items[at] = item;
    return top;
  }
}
