// Tokens to text: tokens end anywhere in a character, so the bytes of an incomplete one wait for the tokens that
// follow.

import { TOKEN_BYTE, TOKEN_NORMAL, TOKEN_USER_DEFINED } from "../layout/gguf";
import { BAD_TOKEN } from "../layout/status";
import { failAt } from "../runtime/failure";
import { incompleteTail } from "../runtime/utf8";
import { startsWithBlank } from "./sentencepiece";
import { specialKind } from "./special";
import { tokenBytesAt, tokenLength, tokenType, vocabularySize } from "./vocabulary";

/** Bytes of an incomplete character at the end of a stream. */
@unmanaged
export class Held {
  bytes: u32; // the first lowest
  count: u32; // 0..3
  blank: bool; // whether the blank that SentencePiece puts before a text is still to be taken off
}

const BLANK: u32 = 0x20;

/** Starts a stream of text behind the token `before`, -1: behind nothing. */
export function pieceReset(held: Held, before: i32): void {
  held.count = 0;
  held.blank = startsWithBlank() && (<u32>before >= vocabularySize || specialKind(tokenType(before)) != 0);
}

/**
 * Adds a token to the stream; writes the bytes that are settled now to `out` (MAX_TOKEN_BYTES + 4) and returns their
 * number, or -BAD_TOKEN. At most 3 bytes are held back: a last character that is incomplete. Only normal tokens, user-defined ones and
 * those of bytes have text.
 */
export function pieceAppend(held: Held, token: i32, out: usize): i32 {
  if (<u32>token >= vocabularySize) return -failAt(BAD_TOKEN, "token", token, vocabularySize);
  const type = tokenType(token);
  if (type != TOKEN_NORMAL && type != TOKEN_USER_DEFINED && type != TOKEN_BYTE) return 0;
  let text = tokenBytesAt(token);
  let length = tokenLength(token);
  if (held.blank && length > 0) {
    held.blank = false;
    if (type == TOKEN_NORMAL && load<u8>(text) == BLANK) {
      text++;
      length--;
    }
  }
  store<u32>(out, held.bytes);
  memory.copy(out + held.count, text, length);
  const end = out + held.count + length;
  held.count = incompleteTail(out, end);
  held.bytes = load<u32>(end - held.count);
  return <i32>(end - held.count - out);
}

/** Writes what is held back of the stream to `out` and returns the number of bytes. */
export function pieceFlush(held: Held, out: usize): i32 {
  const count = held.count;
  store<u32>(out, held.bytes);
  held.count = 0;
  return count;
}
