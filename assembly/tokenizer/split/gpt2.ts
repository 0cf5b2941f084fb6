// The pre-tokenizers of GPT-2's family (layout/splitters.ts): cuts text where their regular expressions do. Llama 3's:
//
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// the first alternative that matches wins. \s is Unicode White_Space and (?i:) folds ASCII only, as in llama.cpp.

import { characterAt, isNewline } from "./characters";
import { LETTER, NUMBER, OTHER, SPACE } from "./unicode";

const BLANK: u32 = 32;
const APOSTROPHE: u32 = 39;
const SLASH: u32 = 47;
const CASE_BIT: u32 = 0x20;

/** Contractions: setFamily(). */
export const NO_CONTRACTIONS: i32 = 0;
export const EXACT: i32 = 1;
export const FOLDED: i32 = 2;
export const LAST: i32 = 3;

/** Line breaks: setFamily(). */
export const NO_BREAKS: i32 = 0;
export const OWN_BREAKS: i32 = 1;
export const BLANK_BREAKS: i32 = 2;
export const SLASH_BREAKS: i32 = 3;

let maxDigits: i32 = 0; // of a number
let contractions: i32 = 0;
let foldedBits: u32 = 0; // of the letters of a contraction
let otherBefore: bool = false; // any character but letters, numbers and line breaks may stand before letters; otherwise a blank
let cased: bool = false; // capitals begin a word
let lineBreaks: i32 = 0; // whether they end white space, and symbols too
let numbersFirst: bool = false; // what stands before a number is cut as if the text ended there

/** Sets in what the family's members differ; 0 digits: any number of them. */
export function setFamily(digits: i32, apostrophes: i32, other: bool, capitals: bool, breaks: i32, first: bool): void {
  maxDigits = digits > 0 ? digits : i32.MAX_VALUE;
  contractions = apostrophes;
  foldedBits = apostrophes >= FOLDED ? CASE_BIT : 0;
  otherBefore = other;
  cased = capitals;
  lineBreaks = breaks;
  numbersFirst = first;
}

/**
 * End of the pre-token at `p` < `end`. With `open`, text may follow `end`: a pre-token that it could change ends at
 * `end`.
 */
export function pretokenEnd(p: usize, end: usize, open: bool): usize {
  const first = characterAt(p, end);
  const kind = first & 3;
  const next = p + (first >>> 2);
  if (kind == LETTER) return cased ? casedEnd(p, end, open) : lettersEnd(next, end);
  if (kind == NUMBER) return numbersEnd(next, end);

  const byte = <u32>load<u8>(p);
  if (byte == APOSTROPHE && contractions != NO_CONTRACTIONS && contractions != LAST) {
    const length = contraction(next, end);
    if (length > 0) return next + length;
    if (open && end - next < 2) return end;
  }
  if (next < end && (byte == BLANK || (otherBefore && !isNewline(byte)))) {
    const second = characterAt(next, end);
    const after = next + (second >>> 2);
    if ((second & 3) == LETTER) return cased ? casedEnd(next, end, open) : lettersEnd(after, end);
    if (byte == BLANK && (second & 3) == OTHER) return symbolsEnd(after, end);
    if (!otherBefore && !numbersFirst && (second & 3) == NUMBER) return numbersEnd(after, end);
  }
  return kind == SPACE ? spacesEnd(p, end, open) : symbolsEnd(next, end);
}

/** Bytes of s, t, re, ve, m, ll or d at `p`; 0 for anything else. */
function contraction(p: usize, end: usize): u32 {
  if (p >= end) return 0;
  const a = <u32>load<u8>(p) | foldedBits;
  if (a == 0x73 || a == 0x74 || a == 0x6d || a == 0x64) return 1; // s t m d
  if (p + 1 >= end) return 0;
  const b = <u32>load<u8>(p, 1) | foldedBits;
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

/**
 * Letters that begin at `p`: those that are no small ones and then those that are no capitals, one at least of the latter if that can be.
 * Letters beyond ASCII are both.
 */
function casedEnd(p: usize, end: usize, open: bool): usize {
  let small = false; // one was seen
  let both: usize = 0; // after the last letter that is both, before that
  while (p < end) {
    const character = characterAt(p, end);
    const byte = <u32>load<u8>(p);
    const isCapital = byte < 0x80 && (byte & CASE_BIT) == 0;
    if ((character & 3) != LETTER || (small && isCapital)) break;
    p += character >>> 2;
    small = small || (byte < 0x80 && !isCapital);
    if (!small && byte >= 0x80) both = p;
  }
  if (!small && both != 0 && !(open && p == end)) p = both;
  if (contractions != LAST || p == end || load<u8>(p) != APOSTROPHE) return p;
  const length = contraction(p + 1, end);
  return length > 0 ? p + 1 + length : open && end - p < 3 ? end : p;
}

/** After the first number. */
function numbersEnd(p: usize, end: usize): usize {
  for (let i = 1; i < maxDigits && p < end; i++) {
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
  if (lineBreaks == OWN_BREAKS) while (p < end && isNewline(load<u8>(p))) p++;
  if (lineBreaks == SLASH_BREAKS) while (p < end && (isNewline(load<u8>(p)) || load<u8>(p) == SLASH)) p++;
  return p;
}

/**
 * White space: up to the last line break in it (if they are pieces of their own), or else all but the last character, which belongs to
 * the word that follows.
 */
function spacesEnd(p: usize, end: usize, open: bool): usize {
  const start = p;
  let last = p;
  let line: usize = 0;
  let wordFollows = false;
  while (p < end) {
    const character = characterAt(p, end);
    if ((character & 3) != SPACE) {
      wordFollows = !numbersFirst || (character & 3) != NUMBER;
      break;
    }
    last = p;
    p += character >>> 2;
    if (lineBreaks != NO_BREAKS && isNewline(load<u8>(last))) line = p;
  }
  if (p == end && open) return end;
  if (line != 0) return line;
  return wordFollows && last != start ? last : p;
}
