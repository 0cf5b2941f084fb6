// Characters of a text and their classes.

import { sequenceAt, sequenceLength } from "../../runtime/utf8";
import { ASCII, classOf, OTHER } from "./unicode";

const CR: u32 = 13;
const LF: u32 = 10;

/** Set when a character was read that is not valid UTF-8 (and taken as U+FFFD); cleared by the caller. */
export let sawInvalid: bool = false;

/** Clears sawInvalid. */
export function forgetInvalid(): void {
  sawInvalid = false;
}

/** The character at `p`: class | bytes << 2. */
// @ts-ignore: decorator
@inline
export function characterAt(p: usize, end: usize): u32 {
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

/** Whether a byte is a line break, CR or LF. */
// @ts-ignore: decorator
@inline
export function isNewline(byte: u32): bool {
  return byte == LF || byte == CR;
}
