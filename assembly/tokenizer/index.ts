// What the core calls.

export { beginTokenizer, buildTokenizer, carveTokenizer } from "./build";
export { Held, pieceAppend, pieceFlush, pieceReset } from "./detokenizer";
export { encode, encodeConsumed } from "./encoder";
export { specialKind } from "./special";
export { chooseSplitter } from "./split/index";
export { findToken, tokenBytesAt, tokenLength, tokenType } from "./vocabulary";
