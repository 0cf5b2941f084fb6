// What a smaller vocabulary makes longer.

import type { Tokenizer } from "./tokenizer.js";

/** A text in tokens of both vocabularies. */
export interface Inflation {
  /** "it", "code", or "corpus". */
  name: string;
  /** Characters of the text. */
  characters: number;
  /** Tokens of it, before and after. */
  before: number;
  after: number;
  /** Words that have become longer, those first that add most. */
  longer: LongerWord[];
}

export interface LongerWord {
  word: string;
  /** Tokens of it. */
  before: number;
  after: number;
  /** How often the text has it. */
  times: number;
}

const LONGER = 10;
const WORDS = /\s*\S+/g;

/** @throws RangeError when a text does not come back as from the whole vocabulary */
export function measure(name: string, text: string, whole: Tokenizer, trimmed: Tokenizer): Inflation {
  const before = whole.tokenize(text, { bos: false });
  const after = trimmed.tokenize(text, { bos: false });
  const back = (tokenizer: Tokenizer, tokens: number[]) => tokenizer.detokenize(tokens, { special: true });
  if (back(whole, before) !== back(trimmed, after)) throw new RangeError(`${name}: the text does not come back`);
  return {
    name,
    characters: [...text].length,
    before: before.length,
    after: after.length,
    longer: longerWords(text, whole, trimmed),
  };
}

function longerWords(text: string, whole: Tokenizer, trimmed: Tokenizer): LongerWord[] {
  const times = new Map<string, number>();
  for (const [word] of text.matchAll(WORDS)) times.set(word, (times.get(word) ?? 0) + 1);
  const length = (tokenizer: Tokenizer, word: string) =>
    tokenizer.tokenize(word, { bos: false, continues: true }).length;
  return [...times]
    .map(([word, count]) => ({ word, before: length(whole, word), after: length(trimmed, word), times: count }))
    .filter(({ before, after }) => after > before)
    .sort((a, b) => added(b) - added(a))
    .slice(0, LONGER)
    .map((row) => ({ ...row, word: row.word.trim() }));
}

const added = ({ before, after, times }: LongerWord) => (after - before) * times;
