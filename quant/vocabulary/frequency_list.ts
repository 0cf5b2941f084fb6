// Lists of how often texts have which words, as they come with the package: quant/vocabulary/frequencies/NAME.br, made by
// test/frequencies/make.mjs. After Brotli, words in the order of their code units, each as
//
//     characters that it shares with the one before, as the code of one character | its class, as one character | the others | U+0000
//
// Class c stands for a share of 2^(-c / 2) of all words of the text. Words are what a pre-tokenizer of Llama 3's kind cuts a text into, with the blank
// before them, or parts of rare ones.

/** A word, and its share of all words. */
export interface Frequency {
  word: string;
  share: number;
}

const FIRST = 0x20; // codes below are control characters
const MAX_CODE = 0x7e - FIRST;
const END = "\0";

/** Whether it is the first half of a character. */
const isHighSurrogate = (code: number) => code >= 0xd800 && code < 0xdc00;

/** The share that a class stands for. */
const shareOf = (klass: number) => 2 ** (-klass / 2);

/** @throws RangeError for what encodeFrequencies() has not written */
export function decodeFrequencies(text: string): Frequency[] {
  let before = "";
  return text
    .split(END)
    .slice(0, -1)
    .map((entry) => {
      const [shared, klass] = [entry.charCodeAt(0) - FIRST, entry.charCodeAt(1) - FIRST];
      if (!(shared >= 0 && shared <= before.length && klass >= 0 && klass <= MAX_CODE)) throw new RangeError(entry);
      before = before.slice(0, shared) + entry.slice(2);
      return { word: before, share: shareOf(klass) };
    });
}

/** @param words without U+0000, by their counts */
export function encodeFrequencies(words: ReadonlyMap<string, number>): string {
  const total = [...words.values()].reduce((sum, count) => sum + count, 0);
  let before = "";
  return [...words.keys()]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((word) => {
      const klass = Math.min(MAX_CODE, Math.max(0, Math.round(-2 * Math.log2(words.get(word)! / total))));
      let shared = 0;
      while (shared < MAX_CODE && shared < before.length && word[shared] === before[shared]) shared++;
      if (isHighSurrogate(word.charCodeAt(shared - 1))) shared--;
      before = word;
      return String.fromCharCode(FIRST + shared, FIRST + klass) + word.slice(shared) + END;
    })
    .join("");
}
