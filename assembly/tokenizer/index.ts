// What the core calls.

export { buildTokenizer, carveTokenizer } from "./build";
export { Held, pieceAppend, pieceFlush, pieceReset } from "./detokenizer";
export { encode, encodeConsumed } from "./encoder";
export { findToken, tokenBytesAt, tokenLength, tokenType } from "./vocabulary";
