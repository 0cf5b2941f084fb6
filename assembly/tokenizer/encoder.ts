// Text to tokens: special tokens cut the text into segments, the pre-tokenizer cuts those, and BPE does the rest.

import { ENCODE_CONTINUED, ENCODE_LAST, ENCODE_SPECIAL, TEXT_BYTES } from "../layout/abi";
import { BAD_OPTION, PRETOKEN_TOO_LONG } from "../layout/status";
import { carve } from "../runtime/carve";
import { failAt } from "../runtime/failure";
import { incompleteTail, sequenceAt, sequenceLength } from "../runtime/utf8";
import { encodeWord, forgetDropped } from "./bpe";
import { forgetOther, rewrite, sawOther, scored, startsWithBlank, stretchEnd } from "./sentencepiece";
import { nextSpecial, resetSpecials, specialId, specialLength } from "./special";
import { forgetInvalid, sawInvalid } from "./split/characters";
import { pretokenEnd } from "./split/gpt2";

const LIMIT: u32 = TEXT_BYTES;

let consumed: i32 = 0;
let continued: bool = false; // of what encode() has consumed: it ended in text, not in a special token
/** A pre-token whose invalid UTF-8 was replaced, u8[TEXT_BYTES + 8]; while the tokenizer is built, its scratch. */
export let replacedText: usize = 0;

/** Carves the text of a pre-token whose invalid UTF-8 was replaced. */
export function carveReplaced(): void {
  replacedText = carve(TEXT_BYTES + 8);
}

/** ENCODE_CONTINUED if the encode() that goes on where the last one ended wants it. */
export function encodeContinued(): i32 {
  return continued ? ENCODE_CONTINUED : 0;
}

/** Bytes of the text that the last encode() turned into tokens. */
export function encodeConsumed(): i32 {
  return consumed;
}

/**
 * Tokens of `length` (<= TEXT_BYTES) bytes of UTF-8, written to out: u32[TEXT_BYTES]. Returns how many, or -status.
 * Invalid UTF-8 becomes U+FFFD as in WHATWG decoders. Stops before the first pre-token that could change with more
 * text, unless ENCODE_LAST says that none follows, and where `out` might overflow (only invalid UTF-8 has more tokens
 * than bytes): encodeConsumed() says where. Tokens do not depend on how the caller cuts the text. Up to 7 bytes after
 * the text are read.
 */
export function encode(text: usize, length: i32, flags: i32, out: usize): i32 {
  consumed = 0;
  continued = (flags & ENCODE_CONTINUED) != 0;
  forgetDropped();
  if (<u32>length > LIMIT) return -failAt(BAD_OPTION, "length", length, TEXT_BYTES);
  const open = (flags & ENCODE_LAST) == 0;
  const special = (flags & ENCODE_SPECIAL) != 0;
  const limit = text + length;
  const end = open ? limit - incompleteTail(text, limit) : limit;
  let count: u32 = 0;
  let p = text;
  resetSpecials();
  while (p < end) {
    const segmentEnd = nextSpecial(p, end, special, open);
    const found = specialId;
    const openSegment = open && found < 0;
    while (p < segmentEnd) {
      const blank = startsWithBlank() && !continued;
      const wordEnd = scored ? nextStretch(p, segmentEnd) : nextWord(p, segmentEnd, openSegment);
      if (openSegment && wordEnd == segmentEnd) return finish(p - text, length, count, open);
      let word = p;
      let bytes = <u32>(wordEnd - p);
      if (scored ? sawOther || blank : sawInvalid) {
        word = replacedText;
        bytes = scored ? rewrite(p, wordEnd, blank, word, LIMIT) : replaceInvalid(p, wordEnd);
        if (bytes > LIMIT) return -failAt(PRETOKEN_TOO_LONG, "text", bytes, TEXT_BYTES);
      }
      if (count + bytes > LIMIT) return finish(p - text, length, count, false);
      count += encodeWord(word, bytes, out + count * 4);
      continued = true;
      p = wordEnd;
    }
    if (found < 0 || count == TEXT_BYTES) break;
    store<u32>(out + count * 4, found);
    count++;
    continued = false;
    p += specialLength;
  }
  return finish(p - text, length, count, open);
}

function nextWord(p: usize, end: usize, open: bool): usize {
  forgetInvalid();
  return pretokenEnd(p, end, open);
}
function nextStretch(p: usize, end: usize): usize {
  forgetOther();
  return stretchEnd(p, end);
}

function finish(bytes: usize, length: i32, count: u32, open: bool): i32 {
  consumed = <i32>bytes;
  if (open && bytes == 0 && length == TEXT_BYTES) return -failAt(PRETOKEN_TOO_LONG, "text", length, TEXT_BYTES);
  return count;
}

/**
 * Copies p..end to replacedText with U+FFFD for what is not UTF-8; returns the bytes it would take, and stops at
 * TEXT_BYTES.
 */
function replaceInvalid(p: usize, end: usize): u32 {
  let out = replacedText;
  while (p < end) {
    const length = sequenceAt(p, end);
    const valid = length == sequenceLength(load<u8>(p));
    const bytes: u32 = valid ? length : 3;
    if (out + bytes > replacedText + TEXT_BYTES) return LIMIT + 1;
    if (valid) {
      memory.copy(out, p, length);
    } else {
      store<u16>(out, 0xbfef);
      store<u8>(out, 0xbd, 2);
    }
    out += bytes;
    p += length;
  }
  return <u32>(out - replacedText);
}
