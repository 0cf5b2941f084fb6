// Bytes of a file beside literals of the core, and small decimal numbers.

const ZERO: u32 = 0x30;
const BLANK = 0x20;
const MAX_DIGITS: usize = 5;

/** Whether the `length` bytes at `text` are the ASCII literal. */
export function equals(text: usize, length: usize, literal: string): bool {
  return length == <usize>literal.length && startsWith(text, length, literal);
}
/** Whether the `length` bytes at `text` begin with the ASCII literal. */
export function startsWith(text: usize, length: usize, literal: string): bool {
  if (length < <usize>literal.length) return false;
  for (let i = 0; i < literal.length; i++) {
    if (load<u8>(text + i) != literal.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether the words from..end-1 of an ASCII literal, a blank between them, include the `length` bytes at `text`. */
export function hasWord(words: string, from: i32, end: i32, text: usize, length: usize): bool {
  for (let word = from, at = from; at <= end; at++) {
    if (at < end && words.charCodeAt(at) != BLANK) continue;
    if (at - word == <i32>length && isWord(words, word, text, <i32>length)) return true;
    word = at + 1;
  }
  return false;
}
function isWord(words: string, word: i32, text: usize, length: i32): bool {
  for (let i = 0; i < length; i++) if (words.charCodeAt(word + i) != load<u8>(text + i)) return false;
  return true;
}

/** End of the decimal digits at `text`, at most MAX_DIGITS of them. */
export function digitsEnd(text: usize, end: usize): usize {
  const last = min<usize>(end, text + MAX_DIGITS);
  while (text < last && <u32>load<u8>(text) - ZERO < 10) text++;
  return text;
}
/** Whether text..end-1, decimal digits, are how a number is written: at least one, and no zero in front of others. */
export function isCanonical(text: usize, end: usize): bool {
  return end - text == 1 || (end > text && load<u8>(text) != ZERO);
}
/** The number that text..end-1, decimal digits, are. */
export function parseDigits(text: usize, end: usize): i32 {
  let number = 0;
  for (; text < end; text++) number = number * 10 + load<u8>(text) - ZERO;
  return number;
}

/** Writes an ASCII literal; returns its end. */
export function writeText(target: usize, literal: string): usize {
  for (let i = 0; i < literal.length; i++) store<u8>(target++, literal.charCodeAt(i));
  return target;
}
/** Writes a number 0..99999; returns its end. */
export function writeDigits(target: usize, number: i32): usize {
  let divisor = 10000;
  while (divisor > 1 && number < divisor) divisor /= 10;
  for (; divisor > 0; divisor /= 10) store<u8>(target++, ZERO + ((number / divisor) % 10));
  return target;
}
