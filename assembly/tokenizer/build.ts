// Builds the tokenizer in its section of the arena:
//
//     words (bpe.ts) | replaced text (encoder.ts) | vocabulary.ts | special.ts | merges.ts

import { MAX_TOKEN_BYTES, TOKEN_BYTE, TOKEN_NORMAL } from "../layout/gguf";
import { BAD_VOCABULARY, OK } from "../layout/status";
import { failAt } from "../runtime/failure";
import { carveWords } from "./bpe";
import { carveReplaced, replacedText } from "./encoder";
import { addMerge, carveMerges, clearMerges } from "./merges";
import { addSpecials, carveSpecials } from "./special";
import { addByteTokens, addToken, carveVocabulary, clearVocabulary } from "./vocabulary";

/** Carves room for `vocabulary` tokens whose raw GGUF strings have `textBytes` in all, and `merges` merges. */
export function carveTokenizer(vocabulary: u32, textBytes: u32, merges: u32): void {
  carveWords();
  carveReplaced();
  carveVocabulary(vocabulary, textBytes);
  carveSpecials(vocabulary);
  carveMerges(merges);
}

/**
 * Builds the tokenizer where carveTokenizer() has made room for it. `tokens` and `merges` are the elements of raw GGUF string arrays,
 * bounds-checked, each token of MAX_TOKEN_BYTES at most; `types` is i32[vocabulary], unaligned, or 0 when every token is a normal one.
 * OK or BAD_VOCABULARY: with the index of a token that is undecodable, a duplicate or of no known type, of a merge that is malformed, a
 * duplicate or has parts that are no tokens, or with a byte that is no token.
 */
export function buildTokenizer(tokens: usize, vocabulary: u32, types: usize, merges: usize, mergeCount: u32): i32 {
  clearVocabulary();
  clearMerges();
  const status = addTokens(tokens, vocabulary, types);
  return status == OK ? addMerges(merges, mergeCount) : status;
}

function addTokens(tokens: usize, vocabulary: u32, types: usize): i32 {
  let p = tokens;
  for (let id: u32 = 0; id < vocabulary; id++) {
    const length = <u32>load<u64>(p);
    const type = types == 0 ? TOKEN_NORMAL : load<i32>(types + id * 4);
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE) return failAt(BAD_VOCABULARY, "tokenizer.ggml.token_type", id, 0);
    if (!addToken(id, type, p + 8, length)) return failAt(BAD_VOCABULARY, "tokenizer.ggml.tokens", id, 0);
    p += 8 + length;
  }
  const byte = addByteTokens(replacedText);
  if (byte >= 0) return failAt(BAD_VOCABULARY, "tokenizer.ggml.tokens: single bytes", byte, 0);
  addSpecials();
  return OK;
}

function addMerges(merges: usize, count: u32): i32 {
  let p = merges;
  for (let rank: u32 = 0; rank < count; rank++) {
    const length = <usize>load<u64>(p);
    if (length > <usize>MAX_TOKEN_BYTES + 1 || !addMerge(rank, p + 8, <u32>length, replacedText))
      return failAt(BAD_VOCABULARY, "tokenizer.ggml.merges", rank, 0);
    p += 8 + length;
  }
  return OK;
}
