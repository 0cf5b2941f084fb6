// The bytes of a compiled grammar are its automaton: what is read from them takes the same steps.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Automaton, compile } from "../../../host/core/grammar/automaton.js";
import { ENDLESS, MAGIC, writeCompiled } from "../../../host/core/grammar/compiled.js";
import { parseGrammar } from "../../../host/core/grammar/gbnf.js";
import { finish, schemaToGrammar } from "../../../host/core/grammar/index.js";
import { DEAD, END, Machine } from "../../../host/core/grammar/machine.js";
import { randomSchema } from "../../support/random_schemas.mjs";

/** An automaton from bytes, by the format of docs/embedding.md. */
function read(bytes: Uint8Array): { automaton: Automaton; missing: number[] } {
  expect([...bytes.subarray(0, 4)]).toEqual(MAGIC);
  const missing = Array.from({ length: 256 }, (_, i) => i).filter((i) => (bytes[4 + (i >> 3)]! >> (i & 7)) & 1);
  const classOf = bytes.slice(36, 292);
  let at = 292;
  const number = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  const states = number();
  const automaton: Automaton = {
    ...{ classOf, classes: classOf[255]! + 1, edges: [], calls: [], accepts: [] },
    ...{ distance: new Float64Array(states), nesting: new Float64Array(states), start: number(), free: undefined },
  };
  for (let state = 0; state < states; state++) {
    automaton.distance[state] = number();
    const nesting = number();
    automaton.nesting[state] = Math.floor(nesting / 2);
    automaton.accepts.push(nesting % 2 === 1);
    const [runs, calls] = [number(), number()];
    const edges: number[] = [];
    for (let run = 0, behind = 0; run < runs; run++) {
      const first = behind + number();
      behind = first + number() + 1;
      const target = number();
      for (let cls = first; cls < behind; cls++) edges.push(cls, target);
    }
    automaton.edges.push(Int32Array.from(edges));
    automaton.calls.push(Int32Array.from({ length: 2 * calls }, number));
  }
  expect(at).toBe(bytes.length);
  return { automaton, missing };
}

/** Follows random bytes that may come in one automaton, in both. */
function expectAlike(automaton: Automaton, other: Automaton, choices: readonly number[]) {
  const [one, two] = [automaton, other].map((which) => new Machine(which)) as [Machine, Machine];
  let [a, b] = [one.start(automaton.start, END), two.start(other.start, END)];
  for (const choice of choices) {
    const [nexts, others] = [one, two].map((machine, i) =>
      Array.from({ length: 256 }, (_, byte) => machine.step(i ? b : a, machine.automaton.classOf[byte]!)),
    ) as [number[], number[]];
    expect(others.map((next) => next !== DEAD)).toEqual(nexts.map((next) => next !== DEAD));
    const alive = nexts.flatMap((next, byte) => (next === DEAD ? [] : [byte]));
    if (alive.length === 0) break;
    const byte = alive[choice % alive.length]!;
    [a, b] = [nexts[byte]!, others[byte]!];
    expect([two.ends(b), Math.min(two.distance(b), ENDLESS)]).toEqual([
      one.ends(a),
      Math.min(one.distance(a), ENDLESS),
    ]);
  }
}

test("what is written is read again, for random schemas and vocabularies", () => {
  const missing = fc.uniqueArray(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 6 });
  const choices = fc.array(fc.nat(255), { maxLength: 40 });
  let compiled = 0;
  fc.assert(
    fc.property(randomSchema, missing, choices, (schema, lacking, choices) => {
      let automaton: Automaton;
      try {
        const grammar = finish(schemaToGrammar(schema as boolean, "root"));
        automaton = finish(compile(finish(parseGrammar(grammar)), new Uint8Array(), new Set(lacking)));
      } catch (error) {
        expect(["BAD_SCHEMA", "BAD_GRAMMAR"]).toContain((error as { code: string }).code);
        return;
      }
      const { automaton: other, missing } = read(writeCompiled(automaton, new Set(lacking)));
      expect(missing).toEqual([...lacking].sort((a, b) => a - b));
      expectAlike(automaton, other, choices);
      compiled++;
    }),
    { numRuns: 60, seed: 2 },
  );
  expect(compiled).toBeGreaterThan(30);
});

test("a grammar of more than 1 MiB is refused with its size", () => {
  const everySecond = Array.from({ length: 60 }, (_, i) => `\\x${(0x23 + i + (i % 2)).toString(16)}`).join("");
  const automaton = finish(
    compile(finish(parseGrammar(`root ::= ([${everySecond}]{1000}){9}`)), new Uint8Array(), new Set()),
  );
  expect(() => writeCompiled(automaton, new Set())).toThrow(/more than 1048576 bytes/);
});
