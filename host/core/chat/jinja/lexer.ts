// Jinja's lexer with trim_blocks and lstrip_blocks, as jinja2/lexer.py has it. Linear in the source: every regular
// expression is sticky, and looks at a character a fixed number of times.

import { readInteger } from "./python/numbers.js";
import { Runtime, TemplateError, unsupported } from "./python/runtime.js";
import { WHITE_SPACE } from "./python/strings.js";
import { hexEscape } from "./python/write.js";

export interface Token {
  kind: "data" | "print" | "/print" | "block" | "/block" | "name" | "string" | "integer" | "float" | "operator" | "end";
  text: string;
  line: number;
  value?: string | bigint | number;
}

const S = `[${WHITE_SPACE}]`;
const OPEN = /\{[{%#]/g;
const RAW = new RegExp(`\\{%[-+]?${S}*raw${S}*(?:-%\\}${S}*|%\\})`, "y");
const END_RAW = new RegExp(`\\{%([-+]?)${S}*endraw${S}*(?:\\+%\\}|-%\\}${S}*|%\\}\\n?)`, "g");
const END_COMMENT = new RegExp(`\\+#\\}|-#\\}${S}*|#\\}\\n?`, "g");
const END_BLOCK = new RegExp(`\\+%\\}|-%\\}${S}*|%\\}\\n?`, "y");
const END_PRINT = new RegExp(`-\\}\\}${S}*|\\}\\}`, "y");
const SPACE = new RegExp(`${S}+`, "y");
const FLOAT = /\d+(?:_\d+)*(?:(?:\.\d+(?:_\d+)*)?e[+-]?\d+(?:_\d+)*|\.\d+(?:_\d+)*)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{ID_Start}_][\p{ID_Continue}]*/uy;
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const CLOSING: Record<string, string> = { "(": ")", "[": "]", "{": "}" };

/** All tokens of a template. @throws TemplateError with a line */
export function tokenize(source: string): Token[] {
  return new Lexer(source.replace(/\r\n?/g, "\n").replace(/\n$/, "")).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  readonly #runtime = new Runtime();
  #at = 0;
  #line = 1;
  /** Up to where lines are counted. */
  #counted = 0;
  /** Whether what stood before ended with its line. */
  #lineStarts = true;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) this.#text();
    this.#push("end", "");
    return this.#tokens;
  }

  /** Text, and the tag behind it. */
  #text(): void {
    OPEN.lastIndex = this.#at;
    const open = OPEN.exec(this.#source);
    const end = open ? open.index : this.#source.length;
    const data = this.#source.slice(this.#at, end);
    if (!open) {
      this.#push("data", data);
      this.#at = end;
      return;
    }
    const after = this.#source[end + 2] ?? "";
    const sign = after === "-" || after === "+" ? after : "";
    this.#push("data", this.#stripped(data, open[0] === "{{" ? "print" : "block", sign));
    this.#at = end;
    const raw = open[0] === "{%" ? this.#match(RAW) : undefined;
    if (raw === undefined) this.#at = end + 2 + sign.length;
    if (raw !== undefined) this.#raw();
    else if (open[0] === "{#") this.#comment();
    else this.#tag(open[0] === "{{" ? "print" : "block");
  }

  /** The text before a tag: without white space before `-`, without what indents a block. */
  #stripped(data: string, kind: string, sign: string): string {
    if (sign === "-") return trimEnd(data);
    if (sign === "+" || kind === "print") return data;
    const lineStart = data.lastIndexOf("\n") + 1;
    if (lineStart === 0 && !this.#lineStarts) return data;
    return trimEnd(data.slice(lineStart)) === "" ? data.slice(0, lineStart) : data;
  }

  #comment(): void {
    const begun = this.#at;
    END_COMMENT.lastIndex = this.#at;
    const end = END_COMMENT.exec(this.#source);
    if (!end) throw this.#error("Missing end of comment tag", begun);
    this.#move(end.index + end[0].length);
  }

  #raw(): void {
    this.#move(this.#at);
    END_RAW.lastIndex = this.#at;
    const end = END_RAW.exec(this.#source);
    if (!end) throw this.#error("Missing end of raw directive", this.#at);
    this.#push("data", this.#stripped(this.#source.slice(this.#at, end.index), "block", end[1]!));
    this.#move(end.index + end[0].length);
  }

  #tag(kind: "print" | "block"): void {
    this.#push(kind, kind === "print" ? "{{" : "{%");
    const open: string[] = [];
    const ending = kind === "print" ? END_PRINT : END_BLOCK;
    for (;;) {
      const end = open.length === 0 ? this.#match(ending) : undefined;
      if (end !== undefined) {
        this.#push(`/${kind}`, end.trim());
        this.#lineStarts = end.endsWith("\n");
        return;
      }
      if (this.#at >= this.#source.length) return;
      if (this.#match(SPACE) === undefined) this.#expression(open);
    }
  }

  #expression(open: string[]): void {
    const begun = this.#at;
    const before = this.#source[begun - 1];
    const float = before === "." ? undefined : this.#match(FLOAT);
    const integer = float ?? this.#match(INTEGER);
    const name = integer ?? this.#match(NAME);
    const string = name ?? this.#match(STRING);
    if (float !== undefined) this.#push("float", float, begun, Number(float.replaceAll("_", "")));
    else if (integer !== undefined) this.#push("integer", integer, begun, readInteger(integer, 0, this.#runtime)!);
    else if (name !== undefined) this.#push("name", name, begun);
    else if (string !== undefined) this.#push("string", string, begun, this.#unescape(string.slice(1, -1)));
    else this.#operator(open);
  }

  #operator(open: string[]): void {
    const begun = this.#at;
    const operator = this.#match(OPERATOR);
    if (operator === undefined) throw this.#error(`unexpected char ${JSON.stringify(this.#source[begun])}`, begun);
    if (operator in CLOSING) open.push(CLOSING[operator]!);
    else if (")]}".includes(operator) && open.pop() !== operator) throw this.#error(`unexpected '${operator}'`, begun);
    this.#push("operator", operator, begun);
  }

  /** As Python's codec unicode-escape. */
  #unescape(text: string): string {
    if (!text.includes("\\")) return text;
    return text.replace(
      /\\(?:\n|([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/gu,
      (whole, octal, two, four, eight, letter) => {
        if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
        const code = two ?? four ?? eight;
        if (code !== undefined) return this.#character(Number.parseInt(code, 16));
        if (letter === undefined) return "";
        if ("xuU".includes(letter)) throw this.#error(`truncated \\${letter} escape`, this.#at);
        if (letter === "N") throw this.#error(unsupported("the escape \\N").message, this.#at);
        // Jinja writes characters beyond ASCII as escapes before it reads escapes, so that their backslash is lost.
        return ESCAPES[letter] ?? (letter > "\x7f" ? hexEscape(letter) : whole);
      },
    );
  }

  #character(code: number): string {
    if (code > 0x10ffff) throw this.#error("illegal Unicode character", this.#at);
    return String.fromCodePoint(code);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (!match) return undefined;
    this.#at += match[0].length;
    return match[0];
  }

  #move(to: number): void {
    this.#at = to;
    this.#lineStarts = this.#source[to - 1] === "\n";
  }

  #push(kind: Token["kind"], text: string, at = this.#at, value?: Token["value"]): void {
    if (kind === "data" && text === "") return;
    const token: Token = { kind, text, line: this.#lineAt(at) };
    if (value !== undefined) token.value = value;
    this.#tokens.push(token);
  }

  #lineAt(at: number): number {
    while (this.#counted < at) if (this.#source.charCodeAt(this.#counted++) === 10) this.#line++;
    return this.#line;
  }

  #error(reason: string, at: number): TemplateError {
    return new TemplateError(`line ${this.#lineAt(at)}: ${reason}`);
  }
}

const ESCAPES: Record<string, string> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const SPACES_AT_END = new RegExp(`^${S}$`);

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && SPACES_AT_END.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}
