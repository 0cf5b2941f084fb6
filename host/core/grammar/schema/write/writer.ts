// Writes the rules of a schema, one array or object after the other: what is in them waits for its turn, so that nothing recurses.

import { filterInSteps, mapInSteps, Rest, type Steps } from "../../shared/slices.js";
import { badSchema, MAX_VALUES } from "../read/errors.js";
import type { Cell, SchemaNode } from "../read/node.js";
import { Reader } from "../read/reader.js";
import { ALL_TYPES, ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING } from "../read/types.js";
import { Alternatives, keyOf, natural } from "../ways/alternatives.js";
import { arrayGrammar } from "./arrays.js";
import type { Context } from "./context.js";
import { choice, literal } from "./gbnf_text.js";
import { numberGrammar } from "./numbers.js";
import { objectGrammar } from "./objects.js";
import { Rules } from "./rules.js";
import { Languages, stringGrammar } from "./strings.js";
import { Validity } from "./validity.js";

/** Properties, items or values that are written between two steps. */
const PROPERTIES_PER_STEP = 100;

/** A rule that is still to be written. */
interface Task {
  name: string;
  ways: readonly Cell[];
  path: string;
}

export class Writer implements Context {
  readonly reader: Reader;
  readonly ways: Alternatives;
  readonly languages = new Languages();
  readonly validity: Validity;
  readonly rules: Rules;
  readonly rest = new Rest(PROPERTIES_PER_STEP);
  readonly #name: string;
  readonly #open: Task[] = [];
  /** What write() returned, by what was asked. */
  readonly #known = new Map<string, string | undefined>();

  /** @param name of the rule that is the whole schema; those of all others start with it and a hyphen */
  constructor(schema: unknown, name: string) {
    this.reader = new Reader(schema);
    this.ways = new Alternatives(this.reader);
    this.validity = new Validity(this.ways, this.languages);
    this.rules = new Rules(name);
    this.#name = name;
  }

  /** Writes a rule at every step. @returns all rules, the root first */
  *run(): Steps<string> {
    const schema = yield* this.reader.root();
    const root = yield* this.write([schema], "#");
    if (root === undefined) throw badSchema(yield* this.#blame(schema), this.#nothing());
    this.rules.define(this.#name, root);
    for (let task = this.#open.pop(); task; task = this.#open.pop()) {
      const { name, ways, path } = task;
      const grammars: (string | undefined)[] = [];
      for (const cell of ways) {
        yield;
        grammars.push(yield* this.#writeCell(cell, path));
      }
      const grammar = choice(grammars);
      this.rules.define(name, grammar ?? `"x" ${name}`); // which has no end
    }
    return this.rules.toString();
  }

  /** A grammar of the values that are valid against all of some schemas; undefined when there is none. */
  *write(nodes: readonly SchemaNode[], path: string): Steps<string | undefined> {
    const key = keyOf(nodes);
    if (this.#known.has(key)) return this.#known.get(key);
    if (this.#known.size >= MAX_VALUES)
      throw badSchema(path, `more than ${MAX_VALUES} schemas with what they refer to`);
    const ways = yield* this.ways.possible(natural(yield* this.ways.ofAll(nodes)));
    const grammar = yield* this.#begin(ways, path);
    this.#known.set(key, grammar);
    return grammar;
  }

  *#begin(ways: readonly Cell[], path: string): Steps<string | undefined> {
    if (ways.length === 0) return undefined;
    if (ways.some(isAnything)) return this.rules.primitive("value");
    if (ways.every((cell) => cell.values !== undefined || isLight(cell)))
      return choice(yield* mapInSteps(ways, (cell) => this.#writeCell(cell, path)));
    const name = this.rules.reserve();
    this.#open.push({ name, ways, path });
    return name;
  }

  *#writeCell(cell: Cell, path: string): Steps<string | undefined> {
    const { types, values } = cell;
    if (values) {
      const fitting = yield* filterInSteps(values, (value) => this.validity.isOf(value, cell, path));
      return choice(fitting.map((value) => literal(JSON.stringify(value))));
    }
    if (isAnything(cell)) return this.rules.primitive("value");
    const shared = (grammar: string | undefined) => grammar && this.rules.rule(grammar);
    return choice([
      types & OBJECT ? shared(yield* objectGrammar(cell, path, this)) : undefined,
      types & ARRAY ? shared(yield* arrayGrammar(cell, path, this)) : undefined,
      types & STRING ? shared(yield* stringGrammar(cell, path, this.rules, this.languages)) : undefined,
      types & NUMBER ? shared(numberGrammar(cell)) : undefined,
      types & BOOLEAN ? '("true" | "false")' : undefined,
      types & NULL ? '"null"' : undefined,
    ]);
  }

  /** Where it lies that nothing is valid: the keyword, or the schema. */
  *#blame({ path, parts }: SchemaNode): Steps<string> {
    const { ways, reader } = this;
    const { allOf = [], references = [], not, anyOf, oneOf } = parts;
    const inner = [...allOf, ...(yield* mapInSteps(references, (reference) => reader.target(reference)))];
    for (const node of inner) if ((yield* ways.of(node)).length === 0) return yield* this.#blame(node);
    if (not && (yield* ways.ofNot(not)).length === 0) return `${path}/not`;
    if (anyOf) return `${path}/anyOf`;
    return oneOf ? `${path}/oneOf` : path;
  }

  /** Why nothing is valid, as far as that is known. */
  #nothing(): string {
    const reasons = [...this.ways.leftOut].map(([path, what]) => `${what} at ${path} cannot be guaranteed`);
    return ["nothing is valid", ...reasons.slice(0, 3)].join("; ");
  }
}

/** Whether it is written at once: a pattern may take a while, and so do other schemas. */
const isLight = ({ types, patterns, formats, excluded, multipleOf, notMultipleOf }: Cell): boolean =>
  (types & (ARRAY | OBJECT)) === 0 && !patterns && !formats && !excluded && !multipleOf && !notMultipleOf;

const FACTLESS = ["types", "said", "spoken", "seenNames", "seenPatterns", "seenAll", "seenItems", "seenContains"];

/** Whether a cell says nothing. */
const isAnything = (cell: Cell): boolean =>
  cell.types === ALL_TYPES && Object.keys(cell).every((key) => FACTLESS.includes(key));
