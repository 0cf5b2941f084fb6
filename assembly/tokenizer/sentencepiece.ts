// SentencePiece's vocabularies (tokenizer.ggml.model "llama"), as llama.cpp encodes with them: a text is not cut into words; of all
// neighbouring symbols, at first characters, those merge first whose union is the token with the best score, the leftmost on ties. A
// blank stands before the text and behind each special token, if the file wants it, and characters without a token become the tokens of
// their bytes. U+2581, the blank of these vocabularies, is a blank here, in tokens as in texts.
//
// Two characters that stand side by side in no token never merge, so that a text may be cut between them:
//
//     keys u32[vocabulary]                 scores as integers, the best one lowest
//     pairs u8[PAIRS / 8]                  bit h: two characters of hash h stand side by side in some token

import { carve } from "../runtime/carve";
import { sequenceAt, sequenceLength } from "../runtime/utf8";
import { NO_MERGE } from "./merges";
import { findEntry, tokenBytesAt, tokenLength } from "./vocabulary";

const BLANK: u32 = 0x20;
const MARK: u32 = 0x8196e2; // U+2581, its first byte lowest
const REPLACEMENT: u32 = 0xbdbfef; // U+FFFD
const PAIRS: u32 = 262144;

let keys: usize = 0;
let pairs: usize = 0;

/** Whether the vocabulary is one of these. */
export let scored: bool = false;
/** Whether a blank stands before a text. */
export let blankFirst: bool = false;

/** The character that characterFrom() read: its UTF-8, the first byte lowest, or what stands for it. */
let character: u32 = 0;
/** Set when a character was read that something else stands for: a blank for U+2581, U+FFFD for what is no UTF-8. Cleared by the caller. */
export let sawOther: bool = false;
/** Clears sawOther. */
export function forgetOther(): void {
  sawOther = false;
}

/** Reads the character at `p`; returns its end in the text. */
function characterFrom(p: usize, end: usize): usize {
  const length = sequenceAt(p, end);
  character = load<u32>(p) & (0xffffffff >>> ((4 - length) << 3));
  if (length != sequenceLength(load<u8>(p))) character = REPLACEMENT;
  else if (character == MARK) character = BLANK;
  else return p + length;
  sawOther = true;
  return p + length;
}

/** Copies p..end to `out` as it is encoded, with a blank before it if wanted; returns the bytes, more than `limit` for too many. */
export function rewrite(p: usize, end: usize, blank: bool, out: usize, limit: u32): u32 {
  let bytes: u32 = 0;
  if (blank) store<u8>(out + bytes++, BLANK);
  while (p < end && bytes <= limit) {
    p = characterFrom(p, end);
    store<u32>(out + bytes, character);
    bytes += sequenceLength(character & 0xff);
  }
  return bytes;
}

// @ts-ignore: decorator
@inline
function hashPair(first: u32, second: u32): u32 {
  return ((first * 0x9e3779b1) ^ (second * 0x85ebca6b)) >>> 14;
}

/** Whether the tokenizer puts a blank before a text. */
export function startsWithBlank(): bool {
  return scored && blankFirst;
}

/** Carves the tables for `vocabulary` tokens; with 0 the vocabulary is none of these. */
export function carveScores(vocabulary: u32): void {
  scored = vocabulary > 0;
  keys = carve(<u64>vocabulary * 4);
  pairs = carve(scored ? PAIRS / 8 : 0);
}

/** Forgets the pairs of another vocabulary. */
export function clearScores(blank: bool): void {
  blankFirst = blank;
  if (scored) memory.fill(pairs, 0, PAIRS / 8);
}

/** Enters the score of a token that has its bytes, and its pairs if texts can become it. */
export function addScore(id: u32, score: f32, reachable: bool): void {
  const bits = reinterpret<u32>(score == 0 ? <f32>0 : score);
  store<u32>(keys + id * 4, min<u32>(bits & 0x80000000 ? bits : bits ^ 0x7fffffff, 0xfffffffe));
  if (!reachable) return;
  const start = tokenBytesAt(id);
  const end = start + tokenLength(id);
  if (start == end) return;
  let p = characterFrom(start, end);
  while (p < end) {
    const first = character;
    p = characterFrom(p, end);
    const pair = hashPair(first, character);
    const at = pairs + (pair >>> 3);
    store<u8>(at, <u32>load<u8>(at) | (1 << (pair & 7)));
  }
}

/** Key << 32 | id of the token that these bytes are, or NO_MERGE. */
export function findScored(p: usize, length: u32): u64 {
  const id = findEntry(p, length, true);
  return id < 0 ? NO_MERGE : ((<u64>load<u32>(keys + id * 4)) << 32) | id;
}

/** End of a stretch from `p` < `end` that can be encoded by itself. */
export function stretchEnd(p: usize, end: usize): usize {
  p = characterFrom(p, end);
  while (p < end) {
    const first = character;
    const saw = sawOther;
    const next = characterFrom(p, end);
    const pair = hashPair(first, character);
    if ((<u32>load<u8>(pairs + (pair >>> 3)) & (1 << (pair & 7))) == 0) {
      sawOther = saw;
      return p;
    }
    p = next;
  }
  return p;
}
