// JSON Schema (draft 2020-12, https://json-schema.org/draft/2020-12) as a grammar. What it writes is always valid; where not all that
// is valid can be written, it is a part of it, as docs/assistant.md says.

import type { JsonSchema } from "../api/api.js";
import { DEAD } from "./machine.js";
import { arrayGrammar } from "./schema/arrays.js";
import { asSchema, badSchema, checkSize, MAX_DEPTH, MAX_VALUES } from "./schema/errors.js";
import { choice, literal } from "./schema/gbnf_text.js";
import { machineFor } from "./schema/inclusion.js";
import {
  ASSERTIONS,
  isAnything,
  isObject,
  type Keywords,
  keywords,
  list,
  number,
  own,
  type Type,
  typesOf,
} from "./schema/keywords.js";
import { merge } from "./schema/merge.js";
import { numbers } from "./schema/numbers.js";
import { objectGrammar } from "./schema/objects.js";
import { areDisjoint } from "./schema/one_of.js";
import { patternText } from "./schema/pattern.js";
import { Rules } from "./schema/rules.js";
import { stringGrammar } from "./schema/strings.js";
import { allows } from "./schema/values.js";

/**
 * Rules in llama.cpp's GBNF of which `rootName` is the JSON that is valid against the schema; the names of all others start with
 * `rootName-`, so that several schemas can share a grammar. The rules end with a line break.
 * @throws ZagreusError BAD_SCHEMA; `field` is the path of what is wrong or cannot be guaranteed
 */
export function schemaToGrammar(schema: JsonSchema, rootName: string): string {
  checkSize(schema);
  return asSchema(() => new SchemaWriter(schema, rootName).text());
}

class SchemaWriter {
  readonly #root: unknown;
  readonly #rules: Rules;
  readonly #name: string;
  /** Rules of schemas that may contain themselves, by their text; undefined while nothing can be valid. */
  readonly #shared = new Map<string, string | undefined>();
  readonly #matchers = new Map<string, ReturnType<typeof machineFor>>();
  #written = 0;
  #depth = 0;

  constructor(root: unknown, name: string) {
    this.#root = root;
    this.#rules = new Rules(name);
    this.#name = name;
  }

  text(): string {
    const grammar = this.#write(this.#root, "#");
    if (grammar === undefined) throw badSchema("#", "nothing is valid");
    this.#rules.define(this.#name, grammar);
    return this.#rules.text();
  }

  readonly #write = (schema: unknown, path: string): string | undefined => {
    if (++this.#written > MAX_VALUES) throw badSchema(path, `more than ${MAX_VALUES} schemas with what they refer to`);
    if (this.#depth >= MAX_DEPTH) throw badSchema(path, `nests deeper than ${MAX_DEPTH} with what it refers to`);
    if (schema === false) return undefined;
    if (isAnything(schema)) return this.#rules.primitive("value");
    this.#depth++;
    const known = keywords(schema, path);
    const grammar =
      own(known, "$ref") !== undefined || own(known, "allOf") !== undefined
        ? this.#sharedRule(known, path)
        : this.#writeFlat(known, path);
    this.#depth--;
    return grammar;
  };

  /** A rule that may be needed inside of itself. */
  #sharedRule(schema: Keywords, path: string): string | undefined {
    const key = JSON.stringify(Object.fromEntries(ASSERTIONS.map((name) => [name, own(schema, name)])));
    if (this.#shared.has(key)) return this.#shared.get(key);
    const name = this.#rules.reserve();
    this.#shared.set(key, name);
    const flat = this.#flatten(schema, path, new Set());
    const grammar = flat && this.#writeFlat(flat, path);
    if (grammar === undefined) this.#shared.set(key, undefined);
    this.#rules.define(name, grammar ?? `"x" ${name}`); // whoever asked for it meanwhile finds no end
    return grammar === undefined ? undefined : name;
  }

  /** Without $ref, and with allOf only for what has to wait for anyOf or oneOf; undefined when nothing is valid. */
  #flatten(schema: Keywords, path: string, seen: ReadonlySet<string>): Keywords | undefined {
    const { $ref: reference, allOf: parts, ...rest } = schema;
    let flat: Keywords | undefined = rest;
    const inner: { schema: unknown; path: string; seen: ReadonlySet<string> }[] = [];
    if (reference !== undefined) {
      if (typeof reference !== "string") throw badSchema(`${path}/$ref`, "must be a string", reference);
      if (seen.has(reference)) throw badSchema(`${path}/$ref`, `"${reference}" refers to itself`, reference);
      inner.push({ schema: this.#resolve(reference, path), path: reference, seen: new Set([...seen, reference]) });
    }
    for (const [index, part] of (list(schema, "allOf", path) ?? []).entries()) {
      inner.push({ schema: part, path: `${path}/allOf/${index}`, seen });
    }
    for (const part of inner) {
      if (part.schema === false) return undefined;
      if (part.schema === true) continue;
      if (++this.#written > MAX_VALUES)
        throw badSchema(path, `more than ${MAX_VALUES} schemas with what they refer to`);
      const other = this.#flatten(keywords(part.schema, part.path), part.path, part.seen);
      flat = flat && other && merge(flat, other, path, this.#matches);
    }
    return flat;
  }

  #resolve(reference: string, path: string): unknown {
    if (!/^#(\/|$)/.test(reference)) {
      throw badSchema(`${path}/$ref`, `"${reference}" must be "#" or begin with "#/"`, reference);
    }
    let target: unknown = this.#root;
    for (const part of reference.split("/").slice(1)) {
      const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
      const found = target !== null && typeof target === "object" && Object.hasOwn(target, key);
      if (!found) throw badSchema(`${path}/$ref`, `"${reference}" does not exist`, reference);
      target = (target as Keywords)[key];
    }
    return target;
  }

  /** What #flatten() returns. */
  #writeFlat(schema: Keywords, path: string): string | undefined {
    for (const keyword of ["anyOf", "oneOf"] as const) {
      const branches = list(schema, keyword, path);
      if (branches) return this.#writeBranches(schema, keyword, branches, path);
    }
    const constant = own(schema, "const");
    const listed = list(schema, "enum", path) ?? (constant === undefined ? undefined : [constant]);
    const types = typesOf(schema, path);
    if (listed) {
      const fitting = listed.filter((value) => allows(schema, value, path, this.#matches));
      return choice(fitting.map((value) => literal(JSON.stringify(value))));
    }
    return choice(types.map((type) => this.#writeType(type, types, schema, path)));
  }

  #writeBranches(schema: Keywords, keyword: "anyOf" | "oneOf", branches: readonly unknown[], path: string) {
    const { [keyword]: _, ...rest } = schema;
    if (keyword === "oneOf") this.#checkDisjoint(branches, path);
    return choice(
      branches.map((branch, index) => {
        const where = `${path}/${keyword}/${index}`;
        if (isAnything(rest)) return this.#write(branch, where);
        return this.#write(branch === true ? rest : { allOf: [rest, branch] }, where);
      }),
    );
  }

  #checkDisjoint(branches: readonly unknown[], path: string): void {
    const flat = branches.map((branch, index) => {
      const where = `${path}/oneOf/${index}`;
      return isObject(branch) ? this.#flatten(keywords(branch, where), where, new Set()) : branch ? {} : undefined;
    });
    flat.forEach((a, i) => {
      flat.slice(0, i).forEach((b, j) => {
        if (!a || !b || areDisjoint(a, b, (schema) => this.#flat(schema, path))) return;
        throw badSchema(`${path}/oneOf`, `${j} and ${i} could both be valid, use anyOf`);
      });
    });
  }

  #flat(schema: unknown, path: string): Keywords | undefined {
    return isObject(schema) ? this.#flatten(keywords(schema, path), path, new Set()) : undefined;
  }

  #writeType(type: Type, types: readonly Type[], schema: Keywords, path: string): string | undefined {
    const rules = this.#rules;
    switch (type) {
      case "null":
        return '"null"';
      case "boolean":
        return '("true" | "false")';
      case "integer":
      case "number":
        if (type === "integer" && types.includes("number")) return undefined;
        return this.#writeNumber(type === "integer", schema, path);
      case "string": {
        const grammar = stringGrammar(schema, path, rules);
        return grammar && rules.rule(grammar);
      }
      case "array": {
        const grammar = arrayGrammar(schema, path, rules, this.#write);
        return grammar && rules.rule(grammar);
      }
      case "object": {
        const grammar = objectGrammar(schema, path, rules, this.#write, this.#matches);
        return grammar && rules.rule(grammar);
      }
    }
  }

  #writeNumber(isInteger: boolean, schema: Keywords, path: string): string | undefined {
    const multipleOf = number(schema, "multipleOf", path);
    if (multipleOf !== undefined && !(multipleOf > 0))
      throw badSchema(`${path}/multipleOf`, "must be above 0", multipleOf);
    const format = own(schema, "format");
    const bits = format === "int32" ? 31 : format === "uint32" ? 32 : undefined;
    const least = [number(schema, "minimum", path), bits && (bits === 31 ? -(2 ** 31) : 0)];
    const most = [number(schema, "maximum", path), bits && 2 ** bits - 1];
    const from = number(schema, "exclusiveMinimum", path);
    const to = number(schema, "exclusiveMaximum", path);
    const low = least
      .filter((bound) => bound !== undefined)
      .reduce<number | undefined>((a, b) => Math.max(a ?? b, b), undefined);
    const high = most
      .filter((bound) => bound !== undefined)
      .reduce<number | undefined>((a, b) => Math.min(a ?? b, b), undefined);
    const above = from !== undefined && (low === undefined || from >= low);
    const below = to !== undefined && (high === undefined || to <= high);
    const bounds = { least: above ? from : low, most: below ? to : high, above, below };
    const whole = isInteger || (multipleOf !== undefined && Number.isInteger(multipleOf));
    const grammar = numbers(bounds, whole, multipleOf, path);
    return grammar && this.#rules.rule(grammar);
  }

  /** Whether a name matches a pattern; without regular expressions of the host's, which may take for ever. */
  readonly #matches = (pattern: string, name: string): boolean => {
    let matcher = this.#matchers.get(pattern);
    if (!matcher) {
      matcher = machineFor(patternText(pattern, "patternProperties", false).grammar);
      this.#matchers.set(pattern, matcher);
    }
    const { machine, start } = matcher;
    const config = machine.run(start, new TextEncoder().encode(JSON.stringify(name).slice(1, -1)));
    return config !== DEAD && machine.ends(config);
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
