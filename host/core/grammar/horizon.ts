// States that cannot be told apart by short texts, such as those in the middle of a long repetition.

import type { Automaton } from "./automaton.js";
import type { Steps } from "./shared/slices.js";

/** States of automata that are not worth looking at. */
const MAX_STATES = 50_000;

/**
 * Numbers the states so that equal numbers mean: texts of at most `bytes` bytes lead out of the state's rule, on in it, or nowhere
 * alike, and to equal distances. (Partition refinement, with one round for each byte.)
 */
export function* horizonClasses({ edges, calls, accepts, distance }: Automaton, bytes: number): Steps<Int32Array> {
  const count = accepts.length;
  if (count > MAX_STATES) return Int32Array.from({ length: count }, (_, state) => state);
  const first = yield* numbered(count, (state) => `${accepts[state]} ${distance[state]}`);
  let classes = first;
  for (let round = 0; round < bytes; round++) {
    yield;
    const before = classes;
    const known = (list: Int32Array) => list.map((value, i) => (i % 2 ? before[value]! : value)).join();
    classes = yield* numbered(count, (state) => `${first[state]}|${known(edges[state]!)}|${known(calls[state]!)}`);
    if (classes.every((value, state) => value === before[state])) break;
  }
  return classes;
}

/** States between two steps. */
const STEP = 2000;

function* numbered(count: number, keyOf: (state: number) => string): Steps<Int32Array> {
  const numbers = new Map<string, number>();
  const result = new Int32Array(count);
  for (let state = 0; state < count; state++) {
    if (state % STEP === 0) yield;
    const key = keyOf(state);
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    result[state] = known;
  }
  return result;
}
