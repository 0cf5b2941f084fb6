// Which pre-tokenizer cuts the text: rows of layout/splitters.ts, found by name.

import { SPLITTERS } from "../../layout/splitters";
import { setFamily } from "./gpt2";

const LF = 10;
const BLANK = 32;
const ZERO = 48;
const F = 0x66; // folded
const O = 0x6f; // other, own

/** Chooses the pre-tokenizer that a value of tokenizer.ggml.pre names; false when there is none. */
export function chooseSplitter(name: usize, length: usize): bool {
  for (let row = 1; row < SPLITTERS.length; ) {
    const data = endOf(row, LF) + 1;
    const pattern = endOf(data, LF) + 1;
    if (hasWord(row, data - 1, name, <i32>length)) {
      readData(data);
      return true;
    }
    row = endOf(pattern, LF) + 1;
  }
  return false;
}

/** Where the character `code` stands in the table, from `at` on. */
function endOf(at: i32, code: i32): i32 {
  while (SPLITTERS.charCodeAt(at) != code) at++;
  return at;
}

/** Whether the words from..end-1 of the table, a blank between them, include the name. */
function hasWord(from: i32, end: i32, name: usize, length: i32): bool {
  for (let word = from, at = from; at <= end; at++) {
    if (at < end && SPLITTERS.charCodeAt(at) != BLANK) continue;
    if (at - word == length && isWord(word, name, length)) return true;
    word = at + 1;
  }
  return false;
}
function isWord(word: i32, name: usize, length: i32): bool {
  for (let i = 0; i < length; i++) if (SPLITTERS.charCodeAt(word + i) != load<u8>(name + i)) return false;
  return true;
}

/** `digits contractions before breaks`: one digit, and words that their first letters tell. */
function readData(at: i32): void {
  const contractions = endOf(at, BLANK) + 1;
  const before = endOf(contractions, BLANK) + 1;
  const breaks = endOf(before, BLANK) + 1;
  setFamily(
    SPLITTERS.charCodeAt(at) - ZERO,
    SPLITTERS.charCodeAt(contractions) == F,
    SPLITTERS.charCodeAt(before) == O,
    SPLITTERS.charCodeAt(breaks) == O,
  );
}
