// Regular expressions as JavaScript writes them (ECMA-262, Patterns), without references back.

import { complement, normalized, type Range } from "../../shared/ranges.js";
import { Scanner } from "../../shared/scanner.js";
import { badSchema } from "../read/errors.js";
import { CLASSES, NO_LINE_END, unicodeProperty } from "./classes.js";

/** What a pattern is made of. */
export type Expression =
  | { type: "chars"; ranges: readonly Range[] }
  | { type: "sequence"; parts: readonly Expression[] }
  | { type: "choice"; options: readonly Expression[] }
  | { type: "repeat"; inner: Expression; min: number; max: number }
  /** The beginning of the text, and its end. */
  | { type: "start" }
  | { type: "end" }
  | { type: "boundary"; negated: boolean }
  | { type: "look"; behind: boolean; negated: boolean; inner: Expression };

const MAX_CHARACTERS = 4096;
const MAX_GROUPS = 32;
const MAX_REPEAT = 10_000;
const CONTROLS: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
const QUANTIFIERS: Record<string, readonly [number, number]> = {
  "*": [0, Number.POSITIVE_INFINITY],
  "+": [1, Number.POSITIVE_INFINITY],
  "?": [0, 1],
};

/** @throws ZagreusError BAD_SCHEMA with `path` for what is wrong or not understood */
export function parsePattern(pattern: string, path: string): Expression {
  if (pattern.length > MAX_CHARACTERS) throw badSchema(path, `a pattern of more than ${MAX_CHARACTERS} characters`);
  return new PatternParser(pattern, path).whole();
}

class PatternParser extends Scanner {
  readonly #path: string;
  #groups = 0;

  constructor(pattern: string, path: string) {
    super(pattern);
    this.#path = path;
  }

  whole(): Expression {
    const expression = this.#alternatives();
    if (this.at < this.text.length) this.#fail(`"${this.text[this.at]}" is not understood here`);
    return expression;
  }

  #alternatives(): Expression {
    const options = [this.#sequence()];
    while (this.take("|")) options.push(this.#sequence());
    return options.length === 1 ? options[0]! : { type: "choice", options };
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    for (let item = this.#item(); item; item = this.#item()) parts.push(this.#repeated(item));
    return parts.length === 1 ? parts[0]! : { type: "sequence", parts };
  }

  #item(): Expression | undefined {
    const char = this.text[this.at];
    if (char === undefined || char === ")" || char === "|") return undefined;
    if (this.take("^")) return { type: "start" };
    if (this.take("$")) return { type: "end" };
    if (char === "(") return this.#group();
    if (/[*+?{}\]]/.test(char)) this.#fail(`"${char}" has nothing before it`);
    if (this.take(".")) return { type: "chars", ranges: NO_LINE_END };
    if (this.take("[")) return this.#chars(this.#class());
    const boundary = this.match(/\\[bB]/y);
    if (boundary) return { type: "boundary", negated: boundary[0] === "\\B" };
    return this.#chars(this.#character());
  }

  #chars(ranges: readonly Range[]): Expression {
    if (ranges.length === 0) this.#fail("a class has no characters");
    return { type: "chars", ranges };
  }

  #group(): Expression {
    const [opened, look] = this.match(/\((?:\?:|\?(<?[=!])|\?<[A-Za-z_$][\w$]*>)?/y)!;
    if (opened === "(" && this.text[this.at] === "?") this.#fail("flags are not understood");
    if (++this.#groups > MAX_GROUPS) this.#fail(`more than ${MAX_GROUPS} groups in one another`);
    const inner = this.#alternatives();
    this.#groups--;
    if (!this.take(")")) this.#fail('expected ")"');
    return look ? { type: "look", behind: look[0] === "<", negated: look.endsWith("!"), inner } : inner;
  }

  #repeated(item: Expression): Expression {
    const found = this.match(/(?:[*+?]|\{(\d{1,6})(,?)(\d{0,6})\})\??/y);
    if (!found) return item;
    if (["start", "end", "boundary", "look"].includes(item.type)) this.#fail("an assertion cannot be repeated");
    const [all, low, comma, high] = found;
    const [min, max] = QUANTIFIERS[all[0]!] ?? [
      Number(low),
      high ? Number(high) : comma ? Number.POSITIVE_INFINITY : Number(low),
    ];
    if (max < min) this.#fail("a repetition runs backwards");
    if (Math.max(min, max === Number.POSITIVE_INFINITY ? 0 : max) > MAX_REPEAT)
      this.#fail(`a repetition of more than ${MAX_REPEAT}`);
    return { type: "repeat", inner: item, min, max };
  }

  /** Behind "[". */
  #class(): Range[] {
    const negated = this.take("^");
    const ranges: Range[] = [];
    while (!this.take("]")) {
      if (this.at >= this.text.length) this.#fail("a class has no end");
      const first = this.#character(true);
      if (this.text[this.at] === "-" && this.text[this.at + 1] !== "]") {
        this.at++;
        ranges.push(this.#range(first, this.#character(true)));
      } else ranges.push(...first);
    }
    return negated ? complement(ranges) : normalized(ranges);
  }

  #range(first: readonly Range[], last: readonly Range[]): Range {
    const isOne = ([range, ...more]: readonly Range[]) => range && more.length === 0 && range[0] === range[1];
    if (!isOne(first) || !isOne(last)) this.#fail("a range ends in a class");
    const range: Range = [first[0]![0], last[0]![1]];
    if (range[1] < range[0]) this.#fail("a range runs backwards");
    return range;
  }

  #character(inClass = false): readonly Range[] {
    const code = this.text.codePointAt(this.at);
    if (code === undefined) this.#fail("ends too early");
    this.at += code > 0xffff ? 2 : 1;
    return code === 0x5c ? this.#escape(inClass) : [[code, code]];
  }

  #escape(inClass: boolean): readonly Range[] {
    const point = this.#hexEscape();
    if (point !== undefined) return [[point, point]];
    const property = this.match(/([pP])\{([^}]*)\}/y);
    if (property) {
      const ranges = unicodeProperty(property[2]!);
      if (!ranges) this.#fail(`there is no property "${property[2]}"`);
      return property[1] === "p" ? ranges : complement(ranges);
    }
    const char = this.text[this.at++] ?? "";
    if (CLASSES[char]) return CLASSES[char];
    const control = inClass && char === "b" ? 8 : CONTROLS[char];
    if (control !== undefined && !/\d/.test(this.text[this.at] ?? "")) return [[control, control]];
    if (/[1-9k]/.test(char)) this.#fail("references back are not understood");
    if (/[a-zA-Z0-9]/.test(char) || char === "") this.#fail(`"\\${char}" is not understood`);
    const code = char.charCodeAt(0);
    return [[code, code]];
  }

  #hexEscape(): number | undefined {
    const pair = this.match(/u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/y);
    if (pair) return String.fromCharCode(...pair.slice(1).map((half) => Number.parseInt(half, 16))).codePointAt(0);
    const hex = this.match(/x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}/y);
    if (!hex) return undefined;
    const point = Number.parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) this.#fail("an escape is no character");
    return point;
  }

  #fail(what: string): never {
    throw badSchema(this.#path, `pattern, character ${this.at}: ${what}`, this.text);
  }
}
