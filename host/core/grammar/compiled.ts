// An automaton as bytes, for hosts without this code: zagreus.wasm takes them (host/wasi/reactor/grammar). docs/embedding.md has the format.

import type { Automaton } from "./automaton.js";
import { badGrammar } from "./gbnf.js";

/** What a compiled grammar begins with; the last byte is the version. */
export const MAGIC = [0x5a, 0x47, 0x41, 1];
/** Distances and depths that are larger are as good as endless: no context is so long, no text nests so deeply. */
export const ENDLESS = 2 ** 30;
/** What the buffer of zagreus.wasm holds. */
const MAX_BYTES = 2 ** 20;

/**
 * @param missing bytes that no token of the vocabulary writes alone, which the automaton does without
 * @throws ZagreusError BAD_GRAMMAR where it is too large
 */
export function writeCompiled(automaton: Automaton, missing: ReadonlySet<number>): Uint8Array {
  const { classOf, edges, calls, accepts, distance, nesting, start } = automaton;
  const kept = reached(automaton);
  const numbers = new Map(kept.map((state, number) => [state, number]));
  const bytes = [...MAGIC, ...bitSet(missing), ...classOf];
  const write = (...values: number[]) => {
    for (const value of values) writeNumber(bytes, value);
  };
  write(kept.length, numbers.get(start)!);
  for (const state of kept) {
    const runs = runsOf(edges[state]!);
    const list = calls[state]!;
    write(capped(distance[state]!), 2 * capped(nesting[state]!) + Number(accepts[state]), runs.length, list.length / 2);
    let behind = 0; // the last run
    for (const { first, last, target } of runs) {
      write(first - behind, last - first, numbers.get(target)!);
      behind = last + 1;
    }
    for (const target of list) write(numbers.get(target)!);
  }
  if (bytes.length > MAX_BYTES) throw badGrammar(`takes more than ${MAX_BYTES} bytes compiled`, bytes.length);
  return Uint8Array.from(bytes);
}

const capped = (value: number) => Math.min(value, ENDLESS);

/** Classes side by side that lead to the same state. */
function runsOf(edges: Int32Array) {
  const runs: { first: number; last: number; target: number }[] = [];
  for (let i = 0; i < edges.length; i += 2) {
    const [cls, target] = [edges[i]!, edges[i + 1]!];
    const run = runs.at(-1);
    if (run && run.last === cls - 1 && run.target === target) run.last = cls;
    else runs.push({ first: cls, last: cls, target });
  }
  return runs;
}

/** States that a text can come to, in their order, on which the choice between equal ways depends. */
function reached({ start, edges, calls }: Automaton): number[] {
  const seen = new Set([start]);
  for (const state of seen) {
    const [edge, call] = [edges[state]!, calls[state]!];
    for (let i = 1; i < edge.length; i += 2) seen.add(edge[i]!);
    for (const target of call) seen.add(target);
  }
  return [...seen].sort((a, b) => a - b);
}

function bitSet(bytes: ReadonlySet<number>): Uint8Array {
  const set = new Uint8Array(32);
  for (const byte of bytes) set[byte >> 3]! |= 1 << (byte & 7);
  return set;
}

/** LEB128: seven bits a byte, the lowest first. */
function writeNumber(bytes: number[], value: number): void {
  let left = value;
  for (; left > 127; left >>>= 7) bytes.push((left & 127) | 128);
  bytes.push(left);
}
