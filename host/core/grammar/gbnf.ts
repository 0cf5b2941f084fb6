// Reads llama.cpp's GBNF (https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md): rules of literals, character
// classes, any character (.), groups, alternatives, repetition (* + ? {m} {m,} {m,n}) and comments.

import { ZagreusError } from "../api/errors.js";
import { ANY_CHARACTER, complement, type Range } from "./shared/ranges.js";
import { Scanner } from "./shared/scanner.js";
import type { Steps } from "./shared/slices.js";

/** What a rule may be made of. */
export type Node =
  /** One code point of the ranges, which ascend. */
  | { type: "chars"; ranges: readonly Range[] }
  | { type: "rule"; name: string }
  | { type: "sequence"; nodes: readonly Node[] }
  | { type: "choice"; nodes: readonly Node[] }
  | { type: "repeat"; node: Node; least: number; most: number };

/** Rules by name; "root" is among them, and all that are named. */
export type Grammar = ReadonlyMap<string, Node>;

/** Names in the order in which rules are numbered: "root" is rule 0. */
export const ruleNames = (grammar: Grammar): string[] => [
  "root",
  ...[...grammar.keys()].filter((name) => name !== "root"),
];

const MAX_CHARACTERS = 2 ** 21;
/** Items between two steps. */
const STEP = 2000;
const MAX_DEPTH = 128;
const MAX_REPEAT = 100_000;
const LAST_CODE_POINT = 0x10ffff;
const SHORT_ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t" };
const HEX_ESCAPES: Record<string, number> = { x: 2, u: 4, U: 8 };

export const badGrammar = (what: string, value: unknown): ZagreusError =>
  new ZagreusError("BAD_GRAMMAR", `grammar: ${what}`, { field: "grammar", value });

/** @throws ZagreusError BAD_GRAMMAR with the line in its message and the offset as `value` */
export function* parseGrammar(text: string): Steps<Grammar> {
  if (text.length > MAX_CHARACTERS) {
    throw badGrammar(`${text.length} characters, must be at most ${MAX_CHARACTERS}`, text.length);
  }
  return yield* new Parser(text).rules();
}

class Parser extends Scanner {
  #depth = 0;
  #items = 0;

  *rules(): Steps<Grammar> {
    const rules = new Map<string, Node>();
    const named = new Map<string, number>();
    this.#space(true);
    while (this.at < this.text.length) {
      const start = this.at;
      const name = this.#name();
      this.#space(false);
      if (!this.take("::=")) this.#fail('expected "::="');
      this.#space(true);
      if (rules.has(name)) this.#fail(`rule "${name}" is defined twice`, start);
      rules.set(name, yield* this.#alternatives(false, named));
      if (this.at < this.text.length && !/[\r\n]/.test(this.text[this.at]!)) this.#fail("expected a line break");
      this.#space(true);
    }
    for (const [name, at] of named) if (!rules.has(name)) this.#fail(`rule "${name}" is not defined`, at);
    if (!rules.has("root")) throw badGrammar('rule "root" is missing', "root");
    return rules;
  }

  *#alternatives(nested: boolean, named: Map<string, number>): Steps<Node> {
    if (++this.#depth > MAX_DEPTH) this.#fail(`groups nest deeper than ${MAX_DEPTH}`);
    const nodes = [yield* this.#sequence(nested, named)];
    while (this.take("|")) {
      this.#space(true);
      nodes.push(yield* this.#sequence(nested, named));
    }
    this.#depth--;
    return nodes.length === 1 ? nodes[0]! : { type: "choice", nodes };
  }

  *#sequence(nested: boolean, named: Map<string, number>): Steps<Node> {
    const nodes: Node[] = [];
    for (;;) {
      if (++this.#items % STEP === 0) yield;
      const item = this.take("(") ? yield* this.#group(named) : this.#item(named);
      if (!item) return nodes.length === 1 ? nodes[0]! : { type: "sequence", nodes };
      nodes.push(this.#repeated(item));
      this.#space(nested);
    }
  }

  /** Behind "(". */
  *#group(named: Map<string, number>): Steps<Node> {
    this.#space(true);
    const node = yield* this.#alternatives(true, named);
    if (!this.take(")")) this.#fail('expected ")"');
    return node;
  }

  #item(named: Map<string, number>): Node | undefined {
    const start = this.at;
    if (this.take('"')) {
      const nodes: Node[] = [];
      while (!this.take('"')) nodes.push(one(this.#character(start)));
      return { type: "sequence", nodes };
    }
    if (this.take("[")) return this.#class(start);
    if (this.take(".")) return { type: "chars", ranges: ANY_CHARACTER };
    if (!/[a-zA-Z0-9_-]/.test(this.text[start] ?? "")) return undefined;
    const name = this.#name();
    if (!named.has(name)) named.set(name, start);
    return { type: "rule", name };
  }

  #class(start: number): Node {
    const negated = this.take("^");
    const ranges: Range[] = [];
    while (!this.take("]")) {
      const first = this.#character(start);
      const isRange = this.text[this.at] === "-" && this.text[this.at + 1] !== "]";
      if (isRange) this.at++;
      const last = isRange ? this.#character(start) : first;
      if (last < first) this.#fail("a range of characters runs backwards");
      ranges.push([first, last]);
    }
    return { type: "chars", ranges: complement(negated ? ranges : complement(ranges)) };
  }

  #repeated(item: Node): Node {
    let node = item;
    for (let count = 0; ; count++) {
      this.#space(false);
      const bounds = this.#bounds();
      if (!bounds) return node;
      if (count > MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} repetitions of repetitions`);
      node = { type: "repeat", node, least: bounds[0], most: bounds[1] };
    }
  }

  #bounds(): [number, number] | undefined {
    if (this.take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.take("?")) return [0, 1];
    if (this.text[this.at] !== "{") return undefined;
    const [all, low, comma, high] = this.match(/\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}/y) ?? [];
    if (all === undefined || (!low && !high)) this.#fail("expected a repetition like {2}, {2,} or {2,5}");
    const least = Number(low || 0);
    const most = high ? Number(high) : comma ? Number.POSITIVE_INFINITY : least;
    if (most < least) this.#fail("a repetition runs backwards");
    if (Math.max(least, most === Number.POSITIVE_INFINITY ? 0 : most) > MAX_REPEAT) {
      this.#fail(`a repetition must be at most ${MAX_REPEAT}`);
    }
    return [least, most];
  }

  /** A code point in a literal or class that began at `start`. */
  #character(start: number): number {
    const code = this.text.codePointAt(this.at);
    if (code === undefined || code === 10 || code === 13) this.#fail("a literal or class has no end", start);
    if (code >= 0xd800 && code <= 0xdfff) this.#fail("half of a surrogate pair");
    this.at += code > 0xffff ? 2 : 1;
    if (code !== 92) return code;
    const kind = this.text[this.at++] ?? "";
    const digits = HEX_ESCAPES[kind];
    if (digits === undefined) {
      if (!/["[\]\\nrt/^.-]/.test(kind)) this.#fail(`unknown escape "\\${kind}"`);
      return (SHORT_ESCAPES[kind] ?? kind).charCodeAt(0);
    }
    const hex = this.text.slice(this.at, this.at + digits);
    const value = /^[0-9a-fA-F]+$/.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : Number.NaN;
    if (!(value <= LAST_CODE_POINT) || (value >= 0xd800 && value <= 0xdfff)) this.#fail("an escape is no character");
    this.at += digits;
    return value;
  }

  #name(): string {
    const found = this.match(/[a-zA-Z0-9_-]+/y);
    if (!found) this.#fail("expected the name of a rule");
    return found[0];
  }

  /** Skips spaces and comments, and line breaks if they may come. */
  #space(breaks: boolean): void {
    this.match(breaks ? /(?:[ \t\r\n]|#[^\r\n]*)*/y : /[ \t]*(?:#[^\r\n]*)?/y);
  }

  #fail(what: string, at = this.at): never {
    const line = this.text.slice(0, at).split("\n").length;
    throw badGrammar(`line ${line}: ${what}`, at);
  }
}

const one = (code: number): Node => ({ type: "chars", ranges: [[code, code]] });
