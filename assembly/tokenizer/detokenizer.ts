// Tokens to text: tokens end anywhere in a character, so the bytes of an incomplete one wait for the tokens that
// follow.

import { TOKEN_NORMAL, TOKEN_USER_DEFINED } from "../layout/gguf";
import { BAD_TOKEN } from "../layout/status";
import { failAt } from "../runtime/failure";
import { incompleteTail } from "../runtime/utf8";
import { tokenBytesAt, tokenLength, tokenType, vocabularySize } from "./vocabulary";

/** Bytes of an incomplete character at the end of a stream. */
@unmanaged
export class Held {
  bytes: u32; // the first lowest
  count: u32; // 0..3
}

/** Starts a stream of text. */
export function pieceReset(held: Held): void {
  held.count = 0;
}

/**
 * Adds a token to the stream; writes the bytes that are settled now to `out` (MAX_TOKEN_BYTES + 4) and returns their
 * number, or -BAD_TOKEN. At most 3 bytes are held back: a last character that is incomplete. Only normal and
 * user-defined tokens have text.
 */
export function pieceAppend(held: Held, token: i32, out: usize): i32 {
  if (<u32>token >= vocabularySize) return -failAt(BAD_TOKEN, "token", token, vocabularySize);
  const type = tokenType(token);
  if (type != TOKEN_NORMAL && type != TOKEN_USER_DEFINED) return 0;
  const length = tokenLength(token);
  store<u32>(out, held.bytes);
  memory.copy(out + held.count, tokenBytesAt(token), length);
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
