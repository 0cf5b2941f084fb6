// Builds the tokenizer in its section of the arena, step by step:
//
//     words (bpe.ts) | replaced text (encoder.ts) | vocabulary.ts | special.ts | merges.ts | sentencepiece.ts

import {
  END_TOKENS,
  MAX_TOKEN_BYTES,
  TOKEN_BYTE,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_USER_DEFINED,
} from "../layout/gguf";
import { BAD_VOCABULARY, HEADER_READY, OK } from "../layout/status";
import { failAt } from "../runtime/failure";
import { hasWord } from "../runtime/text";
import { carveWords } from "./bpe";
import { carveReplaced, replacedText } from "./encoder";
import { addMerge, carveMerges, clearMerges } from "./merges";
import { addScore, carveScores, clearScores, scored } from "./sentencepiece";
import { addSpecial, carveSpecials, clearSpecials, enterSpecials } from "./special";
import { addByteTokens, addToken, carveVocabulary, clearVocabulary } from "./vocabulary";

/**
 * Carves room for `vocabulary` tokens whose raw GGUF strings have `textBytes` in all, `specials` of them with `specialBytes` special
 * ones, and `merges` merges.
 * @param scores whether the tokens have scores and the vocabulary is SentencePiece's
 */
export function carveTokenizer(
  vocabulary: u32,
  textBytes: u32,
  specials: u32,
  specialBytes: u32,
  merges: u32,
  scores: bool,
): void {
  carveWords();
  carveReplaced();
  carveVocabulary(vocabulary, textBytes);
  carveSpecials(specials, specialBytes);
  carveMerges(merges);
  carveScores(scores ? vocabulary : 0);
}

/** Entries made in a step, and bytes of them: a few milliseconds. */
const STEP_ENTRIES: u32 = 4096;
const STEP_BYTES: usize = 262144;

const TOKENS = 0;
const SPECIALS = 1;
const MERGES = 2;
const DONE = 3;

let part: i32 = DONE;
let index: u32 = 0; // of the next token or merge
let count: u32 = 0; // of them
let next: usize = 0; // the next token or merge
let types: usize = 0;
let scores: usize = 0;
let merges: usize = 0;
let mergeCount: u32 = 0;

/**
 * Begins to build the tokenizer where carveTokenizer() has made room for it. The arguments must stay as they are until it is done.
 * @param tokens, merges elements of raw GGUF string arrays, bounds-checked, each token of MAX_TOKEN_BYTES at most
 * @param tokenTypes i32[vocabulary], unaligned, or 0 when every token is a normal one
 * @param tokenScores f32[vocabulary], unaligned, if there are scores
 * @param blank whether a blank stands before a text of SentencePiece
 */
export function beginTokenizer(
  tokens: usize,
  vocabulary: u32,
  tokenTypes: usize,
  mergesAt: usize,
  mergesCount: u32,
  tokenScores: usize,
  blank: bool,
): void {
  clearVocabulary();
  clearSpecials();
  clearMerges();
  clearScores(blank);
  scores = tokenScores;
  types = tokenTypes;
  merges = mergesAt;
  mergeCount = mergesCount;
  beginPart(TOKENS, tokens, vocabulary);
}

function beginPart(wanted: i32, elements: usize, elementCount: u32): void {
  part = wanted;
  next = elements;
  index = 0;
  count = elementCount;
}

/**
 * Goes on with a step. HEADER_READY: there is more | OK | BAD_VOCABULARY: with the index of a token that is a duplicate or of no known
 * type, or of a merge that is malformed, a duplicate or has parts that are no tokens.
 */
export function buildTokenizer(): i32 {
  if (part == SPECIALS) {
    if (!enterSpecials()) beginPart(MERGES, merges, mergeCount);
    return HEADER_READY;
  }
  const end = index + min(STEP_ENTRIES, count - index);
  const start = next;
  for (; index < end && next - start < STEP_BYTES; index++) {
    const status = part == TOKENS ? enterToken(index) : enterMerge(index);
    if (status != OK) return status;
  }
  if (index < count) return HEADER_READY;
  return finishPart();
}

function finishPart(): i32 {
  if (part == TOKENS) {
    if (!scored) addByteTokens(replacedText);
    part = SPECIALS;
    return HEADER_READY;
  }
  part = DONE;
  return OK;
}

function enterToken(id: u32): i32 {
  const length = <u32>load<u64>(next);
  let type = types == 0 ? TOKEN_NORMAL : load<i32>(types + id * 4);
  if (type == TOKEN_USER_DEFINED && hasWord(END_TOKENS, 0, END_TOKENS.length, next + 8, length)) type = TOKEN_CONTROL;
  if (type < TOKEN_NORMAL || type > TOKEN_BYTE) return failAt(BAD_VOCABULARY, "tokenizer.ggml.token_type", id, 0);
  if (!addToken(id, type, next + 8, length, scored)) return failAt(BAD_VOCABULARY, "tokenizer.ggml.tokens", id, 0);
  if (scored) addScore(id, load<f32>(scores + id * 4), type == TOKEN_NORMAL);
  addSpecial(id);
  next += 8 + length;
  return OK;
}

function enterMerge(rank: u32): i32 {
  const length = <usize>load<u64>(next);
  if (length > <usize>MAX_TOKEN_BYTES + 1 || !addMerge(rank, next + 8, <u32>length, replacedText))
    return failAt(BAD_VOCABULARY, "tokenizer.ggml.merges", rank, 0);
  next += 8 + length;
  return OK;
}
