// Which pre-tokenizer cuts the text: rows of layout/splitters.ts, found by name.

import { SPLITTERS } from "../../layout/splitters";
import { hasWord } from "../../runtime/text";
import {
  BLANK_BREAKS,
  EXACT,
  FOLDED,
  LAST,
  NO_BREAKS,
  NO_CONTRACTIONS,
  OWN_BREAKS,
  SLASH_BREAKS,
  setFamily,
} from "./gpt2";

const LF = 10;
const BLANK = 32;
const DASH = 45;
const ZERO = 48;
const C = 0x63; // cased
const E = 0x65; // exact
const F = 0x66; // folded, first
const L = 0x6c; // last
const O = 0x6f; // other, own
const S = 0x73; // slash

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
    contractionsOf(letterAt(contractions)),
    letterAt(before) == O || letterAt(before) == C,
    letterAt(before) == C,
    breaksOf(letterAt(breaks)),
    letterAt(numbers) == F,
  );
  wholeWords = letterAt(words) != DASH;
  bosByDefault = letterAt(nextWord(words)) != DASH;
}

function contractionsOf(letter: i32): i32 {
  return letter == E ? EXACT : letter == F ? FOLDED : letter == L ? LAST : NO_CONTRACTIONS;
}
function breaksOf(letter: i32): i32 {
  return letter == O ? OWN_BREAKS : letter == S ? SLASH_BREAKS : letter == DASH ? NO_BREAKS : BLANK_BREAKS;
}
function nextWord(at: i32): i32 {
  return endOf(at, BLANK) + 1;
}
function letterAt(at: i32): i32 {
  return SPLITTERS.charCodeAt(at);
}
