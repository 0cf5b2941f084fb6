// Strings: any, of a length, of formats, of patterns, and without those that are excluded.

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

  of(pattern: string, path: string): Language {
    let language = this.#known.get(pattern);
    if (!language) {
      language = patternLanguage(pattern, path);
      this.#known.set(pattern, language);
    }
    return language;
  }

  matches(pattern: string, text: string, path: string): boolean {
    return includes(this.of(pattern, path), text);
  }
}

/** What a cell asks of strings. */
type Strings = Pick<Cell, "minLength" | "maxLength" | "patterns" | "formats" | "excluded">;

/** Undefined when there is no such string. */
export function stringGrammar(cell: Strings, path: string, rules: Rules, languages: Languages): string | undefined {
  const { minLength: min = 0, maxLength: max = Number.POSITIVE_INFINITY, patterns = [], excluded = [] } = cell;
  const formats = knownFormats(cell);
  if (patterns.length + formats.length + excluded.length === 0) {
    if (min === 0 && max === Number.POSITIVE_INFINITY) return rules.primitive("string");
    return quoted(repeat(rules.primitive("char"), min, max));
  }
  const text = excluded.length === 0 ? simpleText(cell, rules, languages) : undefined;
  if (text) return quoted(text.grammar);
  const language = stringLanguage(cell, path, languages);
  return isEmpty(language) ? undefined : rules.text(language);
}

/** All that a cell asks of strings, as one language. */
export function stringLanguage(cell: Strings, path: string, languages: Languages): Language {
  const { minLength: min = 0, maxLength: max = Number.POSITIVE_INFINITY, patterns = [], excluded = [] } = cell;
  let language = ANY_TEXT;
  for (const { format, path } of knownFormats(cell)) {
    const formats = FORMATS[format]!.map((pattern) => languages.of(anchored(pattern), path));
    language = intersect(language, formats.find((one) => !isEmpty(within(one, min, max, path))) ?? formats[0]!, path);
  }
  for (const { pattern, path, negated } of patterns) {
    language = (negated ? subtract : intersect)(language, languages.of(pattern, path), path);
  }
  if (excluded.length > 0) language = subtract(language, listed(excluded), path);
  return within(language, min, max, path);
}

/** Whether a string is one of a cell's. */
export function isStringOf(cell: Strings, text: string, path: string, languages: Languages): boolean {
  const { length } = [...text];
  return (
    length >= (cell.minLength ?? 0) &&
    length <= (cell.maxLength ?? Number.POSITIVE_INFINITY) &&
    !cell.excluded?.includes(text) &&
    (cell.patterns ?? []).every(({ pattern, path, negated }) => languages.matches(pattern, text, path) !== negated) &&
    knownFormats(cell).every(({ format }) =>
      FORMATS[format]!.some((pattern) => languages.matches(anchored(pattern), text, path)),
    )
  );
}

const knownFormats = ({ formats = [] }: Strings) => formats.filter(({ format }) => FORMATS[format] !== undefined);

function within(language: Language, min: number, max: number, path: string): Language {
  if (min === 0 && max === Number.POSITIVE_INFINITY) return language;
  return intersect(language, ofLength(min, max, path), path);
}

/** One pattern, or one format that fits all patterns, as it is, where that has the lengths that are asked for. */
function simpleText(cell: Strings, rules: Rules, languages: Languages): Text | undefined {
  const { patterns = [] } = cell;
  const formats = knownFormats(cell);
  if (patterns.some(({ negated }) => negated) || formats.length > 1) return undefined;
  const [format] = formats;
  const [first, ...more] = patterns;
  if (!format)
    return first && more.length === 0 ? withLength(textOf(first.pattern, first.path, rules), cell) : undefined;
  for (const candidate of FORMATS[format.format]!) {
    const pattern = anchored(candidate);
    const fits = patterns.every((outer) =>
      isIncluded(languages.of(pattern, format.path), languages.of(outer.pattern, outer.path), outer.path),
    );
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
