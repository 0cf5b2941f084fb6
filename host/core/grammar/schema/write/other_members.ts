// Properties whose names nobody spells out: those that match patterns, and all others.

import { filterInSteps, mapInSteps, type Steps } from "../../shared/slices.js";
import { badSchema } from "../read/errors.js";
import type { Cell, SchemaNode } from "../read/node.js";
import { STRING } from "../read/types.js";
import { unionOf } from "../regular/index.js";
import { intersect, isEmpty, type Language, listed, subtract } from "../regular/language.js";
import type { Context } from "./context.js";
import { choice } from "./gbnf_text.js";
import { otherNames, SPACE } from "./rules.js";
import { stringLanguage } from "./strings.js";

const MAX_PATTERNS = 8;
const MAX_CLASSES = 32;

/** Names that match some of a cell's patterns, and no other. */
interface NameClass {
  language: Language;
  matched: readonly string[];
}

const LETTERS = 26;

/** As many properties as are wanted, of different names: each begins with letters of its own. */
export function* differentMembers(cell: Cell, count: number, path: string, context: Context): Steps<string[]> {
  if (count > LETTERS)
    throw badSchema(
      `${path}/minProperties`,
      `different names cannot be guaranteed for more than ${LETTERS} properties`,
      count,
    );
  const letter = (i: number) => String.fromCharCode(0x61 + Math.floor((i * LETTERS) / count));
  const places = Array.from({ length: count }, (_, i) => i);
  const members = yield* mapInSteps(places, function* (i) {
    const begun = yield* context.languages.of(
      `^[${letter(i)}-${String.fromCharCode(letter(i + 1).charCodeAt(0) - 1)}]`,
      path,
    );
    return yield* otherMember(cell, true, path, context, begun);
  });
  return members.filter((member) => member !== undefined);
}

/**
 * A property whose name is not spelled out, if there may be such.
 * @param wanted whether it takes one to be valid
 * @param within what its name must be
 */
export function* otherMember(
  cell: Cell,
  wanted: boolean,
  path: string,
  context: Context,
  within?: Language,
): Steps<string | undefined> {
  if (yield* listedNames(cell, context)) return undefined;
  const { properties = [], patternProperties = [], others = [], required = [], propertyNames = [] } = cell;
  const isDeclared = properties.some(({ hidden }) => !hidden) || cell.seenNames !== undefined;
  // Where properties are declared, others come only if the schema speaks of them, or cannot do without.
  const isOpen = wanted || others.length > 0 || (!isDeclared && patternProperties.length === 0);
  if (!isOpen && patternProperties.length === 0) return undefined;
  const taken = [...properties.map(({ name }) => name), ...required, ...others.flatMap(({ names }) => names)];
  const isSimple = !within && taken.length + patternProperties.length + propertyNames.length === 0;
  const classes = yield* nameClasses(cell, [...new Set(taken)], path, context, within);
  const members = yield* mapInSteps(classes, function* ({ language, matched }) {
    const asked = askedOf(cell, matched);
    if (matched.length === 0 && !isOpen) return undefined;
    if (asked.includes(context.reader.nothing)) return undefined;
    const key = isSimple ? context.rules.primitive("key") : yield* context.rules.text(language);
    const grammar = yield* context.write(
      asked,
      `${path}/${matched.length > 0 ? "patternProperties" : "additionalProperties"}`,
    );
    return grammar && context.rules.rule(`${key} ":" ${SPACE} ${grammar}`);
  });
  return choice(members);
}

/** All names but those that are taken, by the patterns that they match. */
function* nameClasses(
  cell: Cell,
  taken: readonly string[],
  path: string,
  context: Context,
  within?: Language,
): Steps<NameClass[]> {
  const { patternProperties = [], others = [], propertyNames = [] } = cell;
  let names = yield* otherNames(taken, path);
  if (within) names = yield* intersect(names, within, path);
  if (propertyNames.length > 0)
    names = yield* intersect(names, yield* nameLanguage(propertyNames, path, context), path);
  const patterns = new Set([
    ...patternProperties.map(({ pattern }) => pattern),
    ...others.flatMap(({ patterns }) => patterns),
  ]);
  if (patterns.size > MAX_PATTERNS)
    throw badSchema(`${path}/patternProperties`, `more than ${MAX_PATTERNS} patterns`, patterns.size);
  let classes: NameClass[] = [{ language: names, matched: [] }];
  for (const pattern of patterns) {
    const matching = yield* context.languages.of(pattern, `${path}/patternProperties`);
    const parts: NameClass[] = [];
    for (const { language, matched } of classes) {
      parts.push({ language: yield* intersect(language, matching, path), matched: [...matched, pattern] });
      parts.push({ language: yield* subtract(language, matching, path), matched });
    }
    classes = parts.filter(({ language }) => !isEmpty(language));
    if (classes.length > MAX_CLASSES)
      throw badSchema(`${path}/patternProperties`, `more than ${MAX_CLASSES} kinds of names`, classes.length);
  }
  return classes.filter(({ language }) => !isEmpty(language));
}

/** What is asked of the value of a property whose name matches these patterns. */
function askedOf({ patternProperties = [], others = [] }: Cell, matched: readonly string[]): SchemaNode[] {
  return [
    ...patternProperties.filter(({ pattern }) => matched.includes(pattern)),
    ...others.filter(({ patterns }) => !patterns.some((pattern) => matched.includes(pattern))),
  ].map(({ schema }) => schema);
}

/** The names that propertyNames leaves, if it lists them. */
export function* listedNames({ propertyNames = [], others = [] }: Cell, context: Context): Steps<string[] | undefined> {
  const ways = (yield* context.ways.ofAll(propertyNames)).filter(({ types }) => (types & STRING) !== 0);
  if (propertyNames.length === 0 || !ways.every(({ values }) => values !== undefined)) return undefined;
  if (others.some(({ schema }) => schema === context.reader.nothing)) return [];
  const values = ways.flatMap(({ values }) => values!);
  return values.filter((value) => typeof value === "string");
}

function* nameLanguage(nodes: readonly SchemaNode[], path: string, context: Context): Steps<Language> {
  const ways = (yield* context.ways.ofAll(nodes)).filter(({ types }) => (types & STRING) !== 0);
  const languages = yield* mapInSteps(ways, function* (cell) {
    const texts = cell.values?.filter((value) => typeof value === "string");
    if (!texts) return yield* stringLanguage(cell, `${path}/propertyNames`, context.languages);
    return listed(yield* filterInSteps(texts, (text) => context.validity.isOf(text, cell, path)));
  });
  return yield* unionOf([listed([]), ...languages], path);
}
