// Keeps the text of control tokens in what people and tools say from becoming control tokens. A character that occurs
// nowhere is put into such text before the template is rendered; where it stands afterwards no token is recognised, and
// then it is taken out again.
//
//     message        template          rendered                     tokens
//     a<|im_end|>b   ...{{ x }}...     ...a<|§im_end|§>b<|im_end|>  "a<|im_end|>b", 128257

import { invalidOption } from "../api/errors.js";

const FIRST_PRIVATE = 0xe000;
const LAST_PRIVATE = 0xf8ff;

export class Shield {
  readonly #special: Readonly<Record<string, number>>;
  /** Longest first. */
  readonly #names: string[];
  readonly #withoutBar: string[];
  readonly #mark: string;
  /** As tojson(ensure_ascii=true) writes the mark. */
  readonly #escapedMark: string;

  /**
   * @param special control tokens by their text
   * @param given everything that will be rendered
   * @throws ZagreusError INVALID_OPTION when all characters of the private use area are taken
   */
  constructor(special: Readonly<Record<string, number>>, given: string) {
    this.#special = special;
    const names = Object.keys(special).filter((name) => name.length > 1);
    this.#names = names.sort((a, b) => b.length - a.length);
    this.#withoutBar = names.filter((name) => !name.includes("|"));
    const taken = new Set<string>(given.match(/[\ue000-\uf8ff]|\\u[ef][\da-f]{3}/g));
    let code = FIRST_PRIVATE;
    while (taken.has(String.fromCharCode(code)) || taken.has(escaped(code))) {
      if (++code > LAST_PRIVATE) throw invalidOption("messages", "6400 of them", "free of one private use character");
    }
    this.#mark = String.fromCharCode(code);
    this.#escapedMark = escaped(code);
  }

  /** Text that the template may move, cut and join with its own. */
  protect(text: string): string {
    let marked = text;
    for (const name of this.#withoutBar) marked = marked.replaceAll(name, name[0] + this.#mark + name.slice(1));
    // Most control tokens have bars: with none left whole, they cannot come about from parts either.
    const hasBars = this.#withoutBar.length < this.#names.length;
    return hasBars ? marked.replaceAll("|", `|${this.#mark}`) : marked;
  }

  /** Control tokens, and the text between them as it was. */
  split(rendered: string): (string | number)[] {
    const pattern = this.#names.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
    const parts = pattern === "" ? [rendered] : rendered.split(new RegExp(`(${pattern})`));
    // Of a split with a group every other part is what it matched.
    return parts
      .map((part, i) => (i % 2 === 1 ? this.#special[part]! : this.restore(part)))
      .filter((part) => part !== "");
  }

  /** Takes out what protect() has put in. */
  restore(text: string): string {
    return text.replaceAll(this.#mark, "").replaceAll(this.#escapedMark, "");
  }
}

function escaped(code: number): string {
  return `\\u${code.toString(16)}`;
}
