// Llama-3's pre-tokenizer: cuts text where its regular expression does,
//
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// the first alternative that matches wins. \s is Unicode White_Space and (?i:) folds ASCII only, as in llama.cpp.

import { sequenceAt, sequenceLength } from "../../runtime/utf8";
import { ASCII, classOf, LETTER, NUMBER, OTHER, SPACE } from "./unicode";

const CR: u32 = 13;
const LF: u32 = 10;
const BLANK: u32 = 32;
const APOSTROPHE: u32 = 39;

/** Set when a character was read that is not valid UTF-8 (and taken as U+FFFD); cleared by the caller. */
export let sawInvalid: bool = false;

export function forgetInvalid(): void {
  sawInvalid = false;
}

/** The character at `p`: class | bytes << 2. */
// @ts-ignore: decorator
@inline
function characterAt(p: usize, end: usize): u32 {
  const byte = <u32>load<u8>(p);
  return byte < 0x80 ? <u32>load<u8>(ASCII + byte) | 4 : wideCharacterAt(p, end);
}

function wideCharacterAt(p: usize, end: usize): u32 {
  const lead = <u32>load<u8>(p);
  const length = sequenceAt(p, end);
  if (length != sequenceLength(lead)) {
    sawInvalid = true;
    return OTHER | (length << 2);
  }
  let codePoint = lead & (0x7f >>> length);
  for (let i: u32 = 1; i < length; i++) codePoint = (codePoint << 6) | (load<u8>(p + i) & 0x3f);
  return classOf(codePoint) | (length << 2);
}

// @ts-ignore: decorator
@inline
function isNewline(byte: u32): bool {
  return byte == LF || byte == CR;
}

/**
 * End of the pre-token at `p` < `end`. With `open`, text may follow `end`: a pre-token that it could change ends at
 * `end`.
 */
export function pretokenEnd(p: usize, end: usize, open: bool): usize {
  const first = characterAt(p, end);
  const kind = first & 3;
  const next = p + (first >>> 2);
  if (kind == LETTER) return lettersEnd(next, end);
  if (kind == NUMBER) return numbersEnd(next, end);

  const byte = <u32>load<u8>(p);
  if (byte == APOSTROPHE) {
    const length = contraction(next, end);
    if (length > 0) return next + length;
  }
  if (next < end && !isNewline(byte)) {
    const second = characterAt(next, end);
    if ((second & 3) == LETTER) return lettersEnd(next + (second >>> 2), end);
    if (byte == BLANK && (second & 3) == OTHER) return symbolsEnd(next + (second >>> 2), end);
  }
  return kind == SPACE ? spacesEnd(p, end, open) : symbolsEnd(next, end);
}

/** Bytes of s, t, re, ve, m, ll or d at `p`; 0 for anything else. */
function contraction(p: usize, end: usize): u32 {
  if (p >= end) return 0;
  const a = <u32>load<u8>(p) | 0x20;
  if (a == 0x73 || a == 0x74 || a == 0x6d || a == 0x64) return 1; // s t m d
  if (p + 1 >= end) return 0;
  const b = <u32>load<u8>(p, 1) | 0x20;
  return ((a == 0x72 || a == 0x76) && b == 0x65) || (a == 0x6c && b == 0x6c) ? 2 : 0; // re ve ll
}

function lettersEnd(p: usize, end: usize): usize {
  while (p < end) {
    const character = characterAt(p, end);
    if ((character & 3) != LETTER) break;
    p += character >>> 2;
  }
  return p;
}

/** After the first of up to three numbers. */
function numbersEnd(p: usize, end: usize): usize {
  for (let i = 0; i < 2 && p < end; i++) {
    const character = characterAt(p, end);
    if ((character & 3) != NUMBER) break;
    p += character >>> 2;
  }
  return p;
}

function symbolsEnd(p: usize, end: usize): usize {
  while (p < end) {
    const character = characterAt(p, end);
    if ((character & 3) != OTHER) break;
    p += character >>> 2;
  }
  while (p < end && isNewline(load<u8>(p))) p++;
  return p;
}

/**
 * White space: up to the last line break in it, or else all but the last character, which belongs to the word that
 * follows.
 */
function spacesEnd(p: usize, end: usize, open: bool): usize {
  const start = p;
  let last = p;
  let line: usize = 0;
  while (p < end) {
    const character = characterAt(p, end);
    if ((character & 3) != SPACE) break;
    last = p;
    p += character >>> 2;
    if (isNewline(load<u8>(last))) line = p;
  }
  if (p == end && open) return end;
  if (line != 0) return line;
  return p == end || last == start ? p : last;
}
