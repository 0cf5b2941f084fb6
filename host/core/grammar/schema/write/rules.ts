// The rules of a grammar that is being written.

import { ANY_CHARACTER } from "../../shared/ranges.js";
import { finish, type Steps } from "../../shared/slices.js";
import { badSchema, MAX_RULE_TEXT } from "../read/errors.js";
import { ANY_TEXT, type Language, listed, subtract } from "../regular/language.js";
import { charClass, plainRanges } from "./gbnf_text.js";
import { languageText } from "./language_text.js";
import { ANY_NUMBER } from "./numbers.js";

/** Behind ":" and ",": compact, or with one space as most people write it. */
export const SPACE = '" "?';
export const COMMA = `"," ${SPACE}`;

const HEX = "[0-9a-fA-F]";
/** Any character of a string. No halves of surrogate pairs: a character counts once however it is written. */
const PLAIN = charClass(plainRanges(ANY_CHARACTER));
const ESCAPE = `"\\\\" (["\\\\/bfnrt] | "u" ([0-9abcefABCEF] ${HEX}{3} | [dD] [0-7] ${HEX}{2}))`;
const CHAR = `(${PLAIN} | ${ESCAPE})`;

/** What JSON is made of, by name; `$` stands before names of rules. */
const PRIMITIVES: Readonly<Record<string, string>> = {
  char: CHAR,
  string: `"\\"" ${CHAR}* "\\""`,
  number: ANY_NUMBER,
  value: '$object | $array | $string | $number | "true" | "false" | "null"',
  array: `"[" ($value (${COMMA} $value)*)? "]"`,
  object: `"{" ($member (${COMMA} $member)*)? "}"`,
  member: `$key ":" ${SPACE} $value`,
};

/** States of what tells other names from those that are taken; beyond, names are told apart by how they begin. */
const MAX_NAME_STATES = 4000;

export class Rules {
  readonly #root: string;
  readonly #bodies = new Map<string, string>();
  /** Names by body, so that equal rules are one. */
  readonly #names = new Map<string, string>();
  #count = 0;
  #size = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** A new name for a rule that is going to be defined. */
  reserve(): string {
    return `${this.#root}-${this.#count++}`;
  }

  define(name: string, body: string): void {
    this.#size += name.length + body.length;
    if (this.#size > MAX_RULE_TEXT)
      throw badSchema("#", `makes a grammar of more than ${MAX_RULE_TEXT} characters`, this.#size);
    this.#bodies.set(name, body);
  }

  /** The name of a rule with this body. */
  rule(body: string): string {
    let name = this.#names.get(body);
    if (name === undefined) {
      name = this.reserve();
      this.#names.set(body, name);
      this.define(name, body);
    }
    return name;
  }

  /** The name of a rule for char, string, number, value, array, object, member or key. */
  primitive(kind: string): string {
    const name = `${this.#root}-${kind}`;
    if (this.#bodies.has(name)) return name;
    this.define(name, ""); // it may need itself
    const body =
      kind === "key"
        ? finish(this.#anyKey())
        : PRIMITIVES[kind]!.replace(/\$(\w+)/g, (_, used) => this.primitive(used));
    this.define(name, body);
    return name;
  }

  /** A string in quotes whose characters are a text of the language. */
  *text(language: Language): Steps<string> {
    return this.rule(`"\\"" ${yield* languageText(language, this)} "\\""`);
  }

  *#anyKey(): Steps<string> {
    return yield* this.text(yield* otherNames([], "#"));
  }

  /** All rules, the root first. */
  toString(): string {
    const order = [...this.#bodies].sort(([a], [b]) => Number(b === this.#root) - Number(a === this.#root));
    return order.map(([name, body]) => `${name} ::= ${body}\n`).join("");
  }
}

/**
 * Names of properties that are none of `names`, and not "__proto__", which is no good to those who copy objects. Where the names
 * are many or long, fewer others are left: none that begins as a long one does.
 */
export function* otherNames(names: readonly string[], path: string): Steps<Language> {
  const taken = ["__proto__", ...names];
  const size = (most: number) => taken.reduce((sum, name) => sum + Math.min(name.length, most), 0);
  const most = [Number.POSITIVE_INFINITY, 64, 16, 8, 4, 2].find((most) => size(most) <= MAX_NAME_STATES) ?? 1;
  const exact = listed(taken.filter((name) => name.length <= most));
  const begun = [
    ...new Set(taken.filter((name) => name.length > most).map((name) => [...name].slice(0, most).join(""))),
  ];
  const others = yield* subtract(ANY_TEXT, exact, path);
  return begun.length > 0 ? yield* subtract(others, listed(begun, true), path) : others;
}
