// The tokenizer's section of the arena:
//
//     byte tokens u32[256] | first bytes u8[256] | words (bpe.ts) | replaced text (encoder.ts)          fixed sizes
//     offsets u32[n + 1] | special u32[n] | types u8[n] | text | tags, ids (vocabulary.ts) | tags, slots (merges.ts)

import { TEXT_BYTES } from "../layout/abi";
import { MAX_TOKEN_BYTES, TOKEN_BYTE, TOKEN_NORMAL } from "../layout/gguf";
import { BAD_VOCABULARY, OK } from "../layout/status";
import { failAt } from "../runtime/failure";
import { placeWords, WORD_BYTES } from "./bpe";
import { placeReplaced } from "./encoder";
import { addMerge, MERGE_SLOT_BYTES, placeMerges } from "./merges";
import { addSpecials, placeSpecials } from "./special";
import { groupCount } from "./table";
import { addByteTokens, addToken, placeVocabulary } from "./vocabulary";

const FIRST_BYTES: usize = 1024;
const WORDS: usize = 1280;
const REPLACED: usize = WORDS + WORD_BYTES;
const FIXED_BYTES: usize = REPLACED + TEXT_BYTES + 8;

// @ts-ignore: decorator
@inline
function aligned(bytes: usize): usize {
  return (bytes + 63) & ~63;
}

/**
 * Size of the tokenizer's section, a multiple of 64: for `vocabulary` tokens whose raw GGUF strings have `textBytes` in
 * all, and `merges` merges.
 */
export function tokenizerBytes(vocabulary: u32, textBytes: u32, merges: u32): usize {
  const tokenSlots = <usize>groupCount(vocabulary) * 16;
  const mergeSlots = <usize>groupCount(merges) * 16;
  return (
    aligned(FIXED_BYTES) +
    aligned((<usize>vocabulary + 1) * 4) +
    aligned(<usize>vocabulary * 4) +
    aligned(vocabulary) +
    aligned(<usize>textBytes + 8) +
    aligned(tokenSlots) +
    aligned(tokenSlots * 4) +
    aligned(mergeSlots) +
    aligned(mergeSlots * MERGE_SLOT_BYTES)
  );
}

function place(section: usize, vocabulary: u32, textBytes: usize, mergeCount: u32): void {
  const tokenGroups = groupCount(vocabulary);
  const mergeGroups = groupCount(mergeCount);
  const offsets = section + aligned(FIXED_BYTES);
  const special = offsets + aligned((<usize>vocabulary + 1) * 4);
  const types = special + aligned(<usize>vocabulary * 4);
  const text = types + aligned(vocabulary);
  const tokenTags = text + aligned(textBytes + 8);
  const ids = tokenTags + aligned(tokenGroups * 16);
  const mergeTags = ids + aligned(tokenGroups * 64);
  const slots = mergeTags + aligned(mergeGroups * 16);

  memory.fill(section, 0, WORDS);
  memory.fill(tokenTags, 0, tokenGroups * 16);
  memory.fill(mergeTags, 0, mergeGroups * 16);
  placeWords(section + WORDS);
  placeReplaced(section + REPLACED);
  placeVocabulary(vocabulary, section, offsets, types, text, tokenTags, ids, tokenGroups);
  placeSpecials(special, section + FIRST_BYTES);
  placeMerges(mergeTags, slots, mergeGroups);
}

/**
 * Builds the tokenizer in `section`, which has tokenizerBytes() bytes and overlaps nothing else. `tokens` and `merges`
 * are the elements of raw GGUF string arrays, bounds-checked, each token of MAX_TOKEN_BYTES at most; `types` is
 * i32[vocabulary], unaligned, or 0 when every token is a normal one. OK or BAD_VOCABULARY: with the index of a token
 * that is undecodable, a duplicate or of no known type, of a merge that is malformed, a duplicate or has parts that are
 * no tokens, or with a byte that is no token.
 */
export function buildTokenizer(
  section: usize,
  tokens: usize,
  vocabulary: u32,
  types: usize,
  merges: usize,
  mergeCount: u32,
): i32 {
  let textBytes: usize = 0;
  let p = tokens;
  for (let id: u32 = 0; id < vocabulary; id++) {
    const length = <usize>load<u64>(p);
    textBytes += length;
    p += 8 + length;
  }
  place(section, vocabulary, textBytes, mergeCount);
  const scratch = section + REPLACED;

  p = tokens;
  for (let id: u32 = 0; id < vocabulary; id++) {
    const length = <u32>load<u64>(p);
    const type = types == 0 ? TOKEN_NORMAL : load<i32>(types + id * 4);
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE) return failAt(BAD_VOCABULARY, "tokenizer.ggml.token_type", id, 0);
    if (!addToken(id, type, p + 8, length)) return failAt(BAD_VOCABULARY, "tokenizer.ggml.tokens", id, 0);
    p += 8 + length;
  }
  const byte = addByteTokens(scratch);
  if (byte >= 0) return failAt(BAD_VOCABULARY, "tokenizer.ggml.tokens: single bytes", byte, 0);
  addSpecials();

  p = merges;
  for (let rank: u32 = 0; rank < mergeCount; rank++) {
    const length = <usize>load<u64>(p);
    if (length > <usize>MAX_TOKEN_BYTES + 1 || !addMerge(rank, p + 8, <u32>length, scratch)) {
      return failAt(BAD_VOCABULARY, "tokenizer.ggml.merges", rank, 0);
    }
    p += 8 + length;
  }
  return OK;
}
