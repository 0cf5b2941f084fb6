// Strings: any, of a length, of formats, of patterns, and without those that are excluded.

import { everyInSteps, mapInSteps, type Steps } from "../../shared/slices.js";
import type { Cell } from "../read/node.js";
import { patternLanguage } from "../regular/index.js";
import {
  ANY_TEXT,
  includes,
  intersect,
  isEmpty,
  isIncluded,
  type Language,
  listed,
  ofLength,
  subtract,
} from "../regular/language.js";
import { parsePattern } from "../regular/pattern.js";
import { FORMATS } from "./formats.js";
import { repeat } from "./gbnf_text.js";
import { plainText, type Text } from "./language_text.js";
import type { Rules } from "./rules.js";

const quoted = (content: string) => `"\\"" ${content} "\\""`;
const anchored = (pattern: string) => `^(?:${pattern})$`;

/** Languages of patterns, made once. */
export class Languages {
  readonly #known = new Map<string, Language>();

  *of(pattern: string, path: string): Steps<Language> {
    let language = this.#known.get(pattern);
    if (!language) {
      language = yield* patternLanguage(pattern, path);
      this.#known.set(pattern, language);
    }
    return language;
  }

  *matches(pattern: string, text: string, path: string): Steps<boolean> {
    return includes(yield* this.of(pattern, path), text);
  }
}

/** What a cell asks of strings. */
type Strings = Pick<Cell, "minLength" | "maxLength" | "patterns" | "formats" | "excluded">;

/** Undefined when there is no such string. */
export function* stringGrammar(
  cell: Strings,
  path: string,
  rules: Rules,
  languages: Languages,
): Steps<string | undefined> {
  const { minLength: min = 0, maxLength: max = Number.POSITIVE_INFINITY, patterns = [], excluded = [] } = cell;
  const formats = knownFormats(cell);
  if (patterns.length + formats.length + excluded.length === 0) {
    if (min === 0 && max === Number.POSITIVE_INFINITY) return rules.primitive("string");
    return quoted(repeat(rules.primitive("char"), min, max));
  }
  const text = excluded.length === 0 ? yield* simpleText(cell, rules, languages) : undefined;
  if (text) return quoted(text.grammar);
  const language = yield* stringLanguage(cell, path, languages);
  return isEmpty(language) ? undefined : yield* rules.text(language);
}

/** All that a cell asks of strings, as one language. */
export function* stringLanguage(cell: Strings, path: string, languages: Languages): Steps<Language> {
  const { minLength: min = 0, maxLength: max = Number.POSITIVE_INFINITY, patterns = [], excluded = [] } = cell;
  let language = ANY_TEXT;
  for (const { format, path } of knownFormats(cell)) {
    language = yield* intersect(language, yield* formatLanguage(format, min, max, path, languages), path);
  }
  for (const { pattern, path, negated } of patterns) {
    language = yield* (negated ? subtract : intersect)(language, yield* languages.of(pattern, path), path);
  }
  if (excluded.length > 0) language = yield* subtract(language, listed(excluded), path);
  return yield* within(language, min, max, path);
}

/** The first language of a format that has texts of these lengths. */
function* formatLanguage(
  format: string,
  min: number,
  max: number,
  path: string,
  languages: Languages,
): Steps<Language> {
  const formats = yield* mapInSteps(FORMATS[format]!, (pattern) => languages.of(anchored(pattern), path));
  for (const one of formats) if (!isEmpty(yield* within(one, min, max, path))) return one;
  return formats[0]!;
}

/** Whether a string is one of a cell's. */
export function* isStringOf(cell: Strings, text: string, path: string, languages: Languages): Steps<boolean> {
  const { length } = [...text];
  return (
    length >= (cell.minLength ?? 0) &&
    length <= (cell.maxLength ?? Number.POSITIVE_INFINITY) &&
    !cell.excluded?.includes(text) &&
    (yield* everyInSteps(cell.patterns ?? [], function* ({ pattern, path, negated }) {
      return (yield* languages.matches(pattern, text, path)) !== negated;
    })) &&
    (yield* everyInSteps(knownFormats(cell), function* ({ format }) {
      for (const pattern of FORMATS[format]!) if (yield* languages.matches(anchored(pattern), text, path)) return true;
      return false;
    }))
  );
}

const knownFormats = ({ formats = [] }: Strings) => formats.filter(({ format }) => FORMATS[format] !== undefined);

function* within(language: Language, min: number, max: number, path: string): Steps<Language> {
  if (min === 0 && max === Number.POSITIVE_INFINITY) return language;
  return yield* intersect(language, ofLength(min, max, path), path);
}

/** One pattern, or one format that fits all patterns, as it is, where that has the lengths that are asked for. */
function* simpleText(cell: Strings, rules: Rules, languages: Languages): Steps<Text | undefined> {
  const { patterns = [] } = cell;
  const formats = knownFormats(cell);
  if (patterns.some(({ negated }) => negated) || formats.length > 1) return undefined;
  const [format] = formats;
  const [first, ...more] = patterns;
  if (!format)
    return first && more.length === 0 ? withLength(textOf(first.pattern, first.path, rules), cell) : undefined;
  for (const candidate of FORMATS[format.format]!) {
    const pattern = anchored(candidate);
    const fits = yield* everyInSteps(patterns, function* (outer) {
      const inner = yield* languages.of(pattern, format.path);
      return yield* isIncluded(inner, yield* languages.of(outer.pattern, outer.path), outer.path);
    });
    const text = fits ? withLength(textOf(pattern, format.path, rules), cell) : undefined;
    if (text) return text;
  }
  return undefined;
}

const textOf = (pattern: string, path: string, rules: Rules) => plainText(parsePattern(pattern, path), rules);

/** The text if all of its texts have the lengths that are asked for, or can be made so. */
function withLength(
  text: Text | undefined,
  { minLength: min = 0, maxLength: max = Number.POSITIVE_INFINITY }: Strings,
) {
  if (!text || (text.min >= min && text.max <= max)) return text;
  if (!text.repeated) return undefined;
  const [least, most] = [Math.max(min, text.repeated.min), Math.min(max, text.repeated.max)];
  if (least > most) return undefined;
  return { grammar: repeat(text.repeated.char, least, most), min: least, max: most };
}
