// Which pre-tokenizer cuts the text: rows of layout/splitters.ts, found by name.

import { SPLITTERS } from "../../layout/splitters";
import { hasWord } from "../../runtime/text";
import { BLANK_BREAKS, EXACT, FOLDED, NO_BREAKS, NO_CONTRACTIONS, OWN_BREAKS, setFamily } from "./gpt2";

const LF = 10;
const BLANK = 32;
const DASH = 45;
const ZERO = 48;
const F = 0x66; // folded, first
const O = 0x6f; // other, own

/** Whether a word that is a token becomes it, merges or not. */
export let wholeWords: bool = false;
/** Whether texts begin with bos where the file does not say. */
export let bosByDefault: bool = false;

/** Chooses the pre-tokenizer that a value of tokenizer.ggml.pre names; false when there is none. */
export function chooseSplitter(name: usize, length: usize): bool {
  for (let row = 1; row < SPLITTERS.length; ) {
    const data = endOf(row, LF) + 1;
    if (hasWord(SPLITTERS, row, data - 1, name, length)) {
      readData(data);
      return true;
    }
    row = endOf(data, LF) + 1;
  }
  return false;
}

/** Where the character `code` stands in the table, from `at` on. */
function endOf(at: i32, code: i32): i32 {
  while (SPLITTERS.charCodeAt(at) != code) at++;
  return at;
}

/** `digits contractions before breaks numbers words bos`: one digit, and words that their first letters tell. */
function readData(at: i32): void {
  const contractions = nextWord(at);
  const before = nextWord(contractions);
  const breaks = nextWord(before);
  const numbers = nextWord(breaks);
  const words = nextWord(numbers);
  setFamily(
    letterAt(at) - ZERO,
    letterAt(contractions) == DASH ? NO_CONTRACTIONS : letterAt(contractions) == F ? FOLDED : EXACT,
    letterAt(before) == O,
    letterAt(breaks) == DASH ? NO_BREAKS : letterAt(breaks) == O ? OWN_BREAKS : BLANK_BREAKS,
    letterAt(numbers) == F,
  );
  wholeWords = letterAt(words) != DASH;
  bosByDefault = letterAt(nextWord(words)) != DASH;
}

function nextWord(at: i32): i32 {
  return endOf(at, BLANK) + 1;
}
function letterAt(at: i32): i32 {
  return SPLITTERS.charCodeAt(at);
}
