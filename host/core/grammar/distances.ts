// What a rule needs at least to come to its end, from each of its states: Knuth's generalization of Dijkstra's algorithm
// (https://doi.org/10.1016/0020-0190(77)90002-3).

import type { Steps } from "./shared/slices.js";

/** What a byte costs, and a call of a rule of some cost when what follows has another. */
interface Costs {
  byte: number;
  call(rule: number, rest: number, isLast: boolean): number;
}
/** Bytes in all. */
export const BYTES: Costs = { byte: 1, call: (rule, rest) => rule + rest };
/** Rules that are open at once; one behind whose call nothing comes is left before it. */
export const OPEN_RULES: Costs = { byte: 0, call: (rule, rest, isLast) => (isLast ? rule : Math.max(rule + 1, rest)) };

/** States between two steps. */
const STEP = 5000;

/**
 * @param edges class and target in turn
 * @param calls start state of the called rule and target in turn
 */
export function* distances(
  edges: readonly Int32Array[],
  calls: readonly Int32Array[],
  accepts: readonly boolean[],
  { byte, call }: Costs,
): Steps<Float64Array> {
  const distance = new Float64Array(accepts.length).fill(Number.POSITIVE_INFINITY);
  const settled = new Uint8Array(accepts.length);
  const before = yield* statesBefore(edges);
  const callers = yield* callersOf(calls);
  const heap = new Heap();
  accepts.forEach((accept, state) => {
    if (accept) heap.push(0, state);
  });
  let popped = 0;
  for (let entry = heap.pop(); entry; entry = heap.pop()) {
    if (++popped % STEP === 0) yield;
    const [cost, state] = entry;
    if (settled[state]) continue;
    settled[state] = 1;
    distance[state] = cost;
    for (const from of before[state]!) if (!settled[from]) heap.push(cost + byte, from);
    const waiting = callers[state]!;
    for (let i = 0; i < waiting.length; i += 2) {
      const [from, at] = [waiting[i]!, waiting[i + 1]!];
      const [called, target] = [calls[from]![at]!, calls[from]![at + 1]!];
      if (!settled[called] || !settled[target] || settled[from]) continue;
      const isLast = accepts[target]! && edges[target]!.length + calls[target]!.length === 0;
      heap.push(call(distance[called]!, distance[target]!, isLast), from);
    }
  }
  return distance;
}

/** For every state, those with an edge to it. */
function* statesBefore(edges: readonly Int32Array[]): Steps<number[][]> {
  const before: number[][] = edges.map(() => []);
  for (const [state, list] of edges.entries()) {
    if (state % STEP === 0) yield;
    for (let i = 1; i < list.length; i += 2) before[list[i]!]!.push(state);
  }
  return before;
}

/** For every state, the calls that need it, to call or to go on: state and index in turn. */
function* callersOf(calls: readonly Int32Array[]): Steps<number[][]> {
  const callers: number[][] = calls.map(() => []);
  for (const [state, list] of calls.entries()) {
    if (state % STEP === 0) yield;
    for (let i = 0; i < list.length; i++) callers[list[i]!]!.push(state, i & ~1);
  }
  return callers;
}

/** A binary heap, the least key first. */
class Heap {
  readonly #entries: (readonly [key: number, value: number])[] = [];

  push(key: number, value: number): void {
    const entries = this.#entries;
    let at = entries.length;
    entries.push([key, value]);
    for (let up = (at - 1) >> 1; at > 0 && entries[up]![0] > key; up = (at - 1) >> 1) {
      entries[at] = entries[up]!;
      at = up;
    }
    entries[at] = [key, value];
  }

  pop(): readonly [key: number, value: number] | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (!top || !last || entries.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= entries.length) break;
      if (down + 1 < entries.length && entries[down + 1]![0] < entries[down]![0]) down++;
      if (entries[down]![0] >= last[0]) break;
      entries[at] = entries[down]!;
      at = down;
    }
    entries[at] = last;
    return top;
  }
}
