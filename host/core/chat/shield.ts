// Keeps the text of control tokens in what people and tools say from becoming control tokens. One character of each such
// text, its guard, is replaced by a stand-in that occurs nowhere else, before the template is rendered. The template's
// engine compares and searches stand-ins as what they stand for (jinja/python/runtime.ts); in what it gives, a token whose
// guard is a stand-in is text.
//
//     message        template          rendered                       tokens
//     a<|im_end|>b   ...{{ x }}...     ...a<§im_end§>b<|im_end|>      "a<|im_end|>b", 128257

import { invalidOption } from "../api/errors.js";

const FIRST_PRIVATE = 0xe000;
const LAST_PRIVATE = 0xf8ff;
/** What may stand for all of a token: no letter, digit, quote, backslash or white space. */
const GUARD = /[^\p{L}\p{N}\s'"\\\u{d800}-\u{dfff}\u{10000}-\u{10ffff}]/u;

type Ids = Readonly<Record<string, number>>;

export class Shield {
  /** What stand-ins stand for. */
  readonly guards: ReadonlyMap<string, string>;
  readonly #special: Ids;
  readonly #standIns = new Map<string, string>();
  /** The first character of tokens without a guard of their own: it is replaced where the whole token stands. */
  readonly #bare: RegExp | undefined;
  readonly #token: RegExp | undefined;
  /** Characters that are replaced wherever they stand. */
  readonly #guarded: string[];
  /** Where a user-defined token begins, which the tokenizer would match in any text. */
  readonly #begins: RegExp | undefined;

  /**
   * @param control control tokens by their text
   * @param userDefined tokens by their text that mark turns although the file does not type them as control tokens
   * @param text everything that will be rendered
   * @throws ZagreusError INVALID_OPTION when all characters of the private use area are taken
   */
  constructor(control: Ids, userDefined: Ids, text: string) {
    this.#special = { ...userDefined, ...control };
    const names = Object.keys(this.#special)
      .filter((name) => name.length > 1)
      .sort((a, b) => b.length - a.length);
    this.#bare = anyOf(
      names.filter((name) => guardOf(name) === undefined),
      "(?=$)[^]",
    );
    const free = freeCharacters(text);
    for (const name of names) {
      const guard = guardOf(name) ?? name[0]!;
      if (!this.#standIns.has(guard)) this.#standIns.set(guard, free.next().value!);
    }
    this.guards = new Map([...this.#standIns].map(([guard, standIn]) => [standIn, guard]));
    this.#token = anyOf(names, "($)");
    this.#guarded = [...new Set(names.map(guardOf))].filter((guard) => guard !== undefined);
    this.#begins = anyOf(
      Object.keys(userDefined).filter((name) => name.length > 1),
      "(?=$)",
    );
  }

  /** Text that the template may move, cut and join with its own. */
  protect(text: string): string {
    let guarded = this.#bare ? text.replace(this.#bare, (first) => this.#standIns.get(first)!) : text;
    for (const guard of this.#guarded) guarded = guarded.replaceAll(guard, this.#standIns.get(guard)!);
    return guarded;
  }

  /** Control tokens, and the text between them as it was, in pieces within which no token is matched. */
  split(rendered: string): (string | number)[] {
    const parts = this.#token ? rendered.split(this.#token) : [rendered];
    // Of a split with a group every other part is what it matched.
    return parts
      .flatMap<string | number>((part, i) => (i % 2 === 1 ? this.#special[part]! : this.#cut(this.restore(part))))
      .filter((part) => part !== "");
  }

  /** Puts guards back where protect() has put stand-ins. */
  restore(text: string): string {
    let restored = text;
    for (const [standIn, guard] of this.guards) restored = restored.replaceAll(standIn, () => guard);
    return restored;
  }

  #cut(text: string): string[] {
    if (!this.#begins) return [text];
    const pieces: string[] = [];
    let at = 0;
    for (const { index } of text.matchAll(this.#begins)) {
      const end = index + String.fromCodePoint(text.codePointAt(index)!).length;
      pieces.push(text.slice(at, end));
      at = end;
    }
    return [...pieces, text.slice(at)];
  }
}

/** The bar, which most control tokens have: with none left, they cannot come about from parts either. */
function guardOf(name: string): string | undefined {
  return name.includes("|") ? "|" : GUARD.exec(name)?.[0];
}

function* freeCharacters(text: string): Generator<string, never> {
  const taken = new Set<string>(text.match(/[\ue000-\uf8ff]/g));
  for (let code = FIRST_PRIVATE; code <= LAST_PRIVATE; code++) {
    const character = String.fromCharCode(code);
    if (!taken.has(character)) yield character;
  }
  throw invalidOption("messages", "6400 of them", "free of some private use characters");
}

/** All texts as one pattern, which stands for `$` in another. */
function anyOf(texts: readonly string[], pattern = "$"): RegExp | undefined {
  if (texts.length === 0) return undefined;
  const escaped = texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|\-/]/g, "\\$&")).join("|");
  return new RegExp(
    pattern.replace("$", () => escaped),
    "g",
  );
}
