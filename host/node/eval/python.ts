// What Python makes of text and JSON, where the makers' grader and the harness rest on it and JavaScript has something else.

/** A value as Python's json reads it: integers of any size, other numbers, and objects whose members keep their order. */
export type PythonValue = null | boolean | string | bigint | number | PythonValue[] | Map<string, PythonValue>;

/** Inside of a character class: what str.strip(), str.split() and \s take for space. U+FEFF, which JavaScript's \s has, is none. */
export const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LEADING = new RegExp(`^[${SPACE}]+`);
const TRAILING = new RegExp(`[${SPACE}]+$`);
const WORD = new RegExp(`[^${SPACE}]+`, "g");

/** The white space at the end, as str.rstrip() takes it off. */
export const trailingSpace = (text: string): string => TRAILING.exec(text)?.[0] ?? "";
export const strip = (text: string): string => text.replace(LEADING, "").replace(TRAILING, "");
/** str.split() */
export const words = (text: string): string[] => text.match(WORD) ?? [];

/** bool(value) */
export function isTruthy(value: PythonValue | undefined): boolean {
  if (typeof value === "number") return value !== 0; // NaN is true
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Map ? value.size > 0 : Boolean(value);
}

/** str(value), but that strings within lists and objects stand in double quotes and are escaped as in JSON. */
export function str(value: PythonValue): string {
  return typeof value === "string" ? value : repr(value);
}

function repr(value: PythonValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return float(value);
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(", ")}}`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function float(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const digits = Object.is(value, -0) ? "-0" : String(value);
  return /^-?\d+$/.test(digits) ? `${digits}.0` : digits;
}

/** For JSON.stringify(): what a reader of JSON takes for the same value, and null for what JSON has no number for. */
export function plain(value: PythonValue): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  return typeof value === "bigint" ? Number(value) : value;
}

const BLANK = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\]|\\[\s\S])*"/y;
const NUMBER = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const WORDS: readonly [string, PythonValue][] = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
];
/** Digits of an integer that int() takes, and lists within lists before RecursionError. */
const MAX_DIGITS = 4300;
const MAX_DEPTH = 990;

/** json.loads(text), and undefined where it raises an error. */
export function loads(text: string): PythonValue | undefined {
  try {
    return new Reader(text).whole();
  } catch (error) {
    if (error instanceof NoJson) return undefined;
    throw error;
  }
}

class NoJson extends Error {}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): PythonValue {
    this.#take(BLANK);
    const value = this.#value(1);
    this.#take(BLANK);
    if (this.#at < this.#text.length) throw new NoJson();
    return value;
  }

  #value(depth: number): PythonValue {
    if (depth > MAX_DEPTH) throw new NoJson();
    const next = this.#text[this.#at];
    if (next === "{") return new Map(this.#items("{", "}", () => this.#member(depth)));
    if (next === "[") return this.#items("[", "]", () => this.#value(depth + 1));
    if (next === '"') return this.#string();
    const word = WORDS.find(([name]) => this.#text.startsWith(name, this.#at));
    if (!word) return this.#number();
    this.#at += word[0].length;
    return word[1];
  }

  #items<T>(open: string, close: string, item: () => T): T[] {
    const items: T[] = [];
    this.#expect(open);
    this.#take(BLANK);
    while (this.#text[this.#at] !== close || items.length > 0) {
      items.push(item());
      this.#take(BLANK);
      if (this.#text[this.#at] === close) break;
      this.#expect(",");
      this.#take(BLANK);
    }
    this.#expect(close);
    return items;
  }

  #member(depth: number): [string, PythonValue] {
    const key = this.#string();
    this.#take(BLANK);
    this.#expect(":");
    this.#take(BLANK);
    return [key, this.#value(depth + 1)];
  }

  #string(): string {
    const [literal] = this.#take(STRING);
    try {
      return JSON.parse(literal);
    } catch {
      throw new NoJson();
    }
  }

  #number(): bigint | number {
    const [text, integer = "", fraction, exponent] = this.#take(NUMBER);
    if (fraction !== undefined || exponent !== undefined) return Number(text);
    if (integer.replace("-", "").length > MAX_DIGITS) throw new NoJson();
    return BigInt(integer);
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw new NoJson();
    this.#at++;
  }

  #take(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (!match) throw new NoJson();
    this.#at += match[0].length;
    return match;
  }
}
