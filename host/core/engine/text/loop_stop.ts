// Hears when a text goes round in a loop, as small models do: "Buona giornata! Buona giornata! Buona giornata! ..."

/** Copies of a text, one behind the other, that are a loop. */
const COPIES = 4;
/** Characters of such a text (UTF-16 units). */
const SHORTEST = 8;
const LONGEST = 400;

export class LoopStop {
  /** The last characters, as many as a loop of the longest text has. */
  #tail = "";
  /** For every length of a text: characters in a row that are what stood so many characters before. */
  readonly #same = new Int32Array(LONGEST + 1);

  /** Takes what is new of the text; returns whether it now ends in a loop. */
  push(text: string): boolean {
    let found = false;
    for (let i = 0; i < text.length; i++) found = this.#character(text[i]!) || found;
    return found;
  }

  #character(character: string): boolean {
    const before = this.#tail;
    this.#tail = (before + character).slice(-LONGEST);
    let found = false;
    for (let length = SHORTEST; length <= before.length; length++) {
      if (before[before.length - length] !== character) this.#same[length] = 0;
      else if (++this.#same[length]! >= length * (COPIES - 1)) found ||= this.#says(length);
    }
    return found;
  }

  /** Whether there are letters: lines and tables may be of many equal parts. */
  #says(length: number): boolean {
    return /\p{L}/u.test(this.#tail.slice(-length));
  }
}
