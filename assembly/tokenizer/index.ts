// What the core calls.

export { droppedBytes } from "./bpe";
export { beginTokenizer, buildTokenizer, carveTokenizer } from "./build";
export { Held, pieceAppend, pieceFlush, pieceReset } from "./detokenizer";
export { encode, encodeConsumed, encodeContinued } from "./encoder";
export { startsWithBlank } from "./sentencepiece";
export { specialKind } from "./special";
export { bosByDefault, chooseSplitter } from "./split/index";
export { findToken, tokenBytesAt, tokenLength, tokenType } from "./vocabulary";
