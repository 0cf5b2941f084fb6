// What the core calls.

export { buildTokenizer, tokenizerBytes } from "./build";
export { pieceAppend, pieceFlush, pieceReset } from "./detokenizer";
export { encode, encodeConsumed } from "./encoder";
export { findToken, tokenBytesAt, tokenLength, tokenType } from "./vocabulary";
