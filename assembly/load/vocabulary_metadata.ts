// What the header says of the tokenizer: where its arrays stand, and its special ids.

import { array, boolean, integer, isText, readingStatus, resetReading, text } from "../gguf/metadata";
import {
  MAX_SPECIAL_BYTES,
  MAX_SPECIALS,
  MAX_TOKEN_BYTES,
  MAX_VOCABULARY,
  VALUE_F32,
  VALUE_I32,
  VALUE_STRING,
} from "../layout/gguf";
import { BAD_ARRAY_LENGTH, BAD_STRING_LENGTH, MISSING_KEY, OK, UNSUPPORTED_TOKENIZER } from "../layout/status";
import { config } from "../model/config";
import { fail, failAt } from "../runtime/failure";
import { beginTokenizer, bosByDefault, carveTokenizer, chooseSplitter, specialKind } from "../tokenizer/index";

const ELEMENTS: usize = 12; // an array's elements follow its type and count

let tokens: usize = 0;
let types: usize = 0;
let merges: usize = 0;
let scores: usize = 0;
let sentencePiece: bool = false;
let blankFirst: bool = false;
let textBytes: u64 = 0; // of all tokens
let specials: u32 = 0; // tokens that are matched in the text as they stand,
let specialBytes: u64 = 0; // and theirs

/** Finds and checks the arrays; OK | MISSING_KEY | BAD_* | UNSUPPORTED_TOKENIZER */
export function readVocabularyMetadata(): i32 {
  resetReading();
  const model = text("tokenizer.ggml.model");
  if (readingStatus() == OK && !model) return failAt(MISSING_KEY, "tokenizer.ggml.model", 0, 0);
  sentencePiece = model != 0 && isText(model, "llama");
  if (model && !sentencePiece && !isText(model, "gpt2"))
    return fail(UNSUPPORTED_TOKENIZER, model + 8, load<u32>(model), 0, 0);
  tokens = array("tokenizer.ggml.tokens", VALUE_STRING, true);
  types = array("tokenizer.ggml.token_type", VALUE_I32, false);
  scores = sentencePiece ? array("tokenizer.ggml.scores", VALUE_F32, true) : 0;
  merges = sentencePiece ? 0 : array("tokenizer.ggml.merges", VALUE_STRING, true);
  blankFirst = boolean("tokenizer.ggml.add_space_prefix", true);
  let splitter: usize = 0;
  if (!sentencePiece) splitter = text("tokenizer.ggml.pre");
  if (readingStatus() != OK) return readingStatus();
  if (!sentencePiece) {
    if (!splitter) return failAt(MISSING_KEY, "tokenizer.ggml.pre", 0, 0);
    if (!chooseSplitter(splitter + 8, load<u32>(splitter)))
      return fail(UNSUPPORTED_TOKENIZER, splitter + 8, load<u32>(splitter), 0, 0);
  }

  const count = load<u64>(tokens, 4);
  if (count == 0 || count > <u64>MAX_VOCABULARY)
    return failAt(BAD_ARRAY_LENGTH, "tokenizer.ggml.tokens", <f64>count, count == 0 ? 1 : MAX_VOCABULARY);
  if (types && load<u64>(types, 4) != count)
    return failAt(BAD_ARRAY_LENGTH, "tokenizer.ggml.token_type", <f64>load<u64>(types, 4), <f64>count);
  if (scores && load<u64>(scores, 4) != count)
    return failAt(BAD_ARRAY_LENGTH, "tokenizer.ggml.scores", <f64>load<u64>(scores, 4), <f64>count);
  config.vocabulary = <i32>count;
  integer("llama.vocab_size", count, count, count);
  // SentencePiece's own ids, where the file does not say.
  config.bos = <i32>integer("tokenizer.ggml.bos_token_id", 0, count - 1, sentencePiece && count > 1 ? 1 : -1);
  config.eos = <i32>integer("tokenizer.ggml.eos_token_id", 0, count - 1, sentencePiece && count > 2 ? 2 : -1);
  config.addBos = boolean("tokenizer.ggml.add_bos_token", config.bos >= 0 && (sentencePiece || bosByDefault));
  if (readingStatus() != OK) return readingStatus();
  if (config.addBos && config.bos < 0) return failAt(MISSING_KEY, "tokenizer.ggml.bos_token_id", 0, 0);

  return measureTokens(<u32>count);
}

/** Adds up what the tokens need; OK | BAD_STRING_LENGTH | BAD_ARRAY_LENGTH */
function measureTokens(count: u32): i32 {
  textBytes = 0;
  specials = 0;
  specialBytes = 0;
  let token = tokens + ELEMENTS;
  for (let id: u32 = 0; id < count; id++) {
    const length = load<u64>(token);
    if (length > <u64>MAX_TOKEN_BYTES)
      return failAt(BAD_STRING_LENGTH, "tokenizer.ggml.tokens", <f64>length, MAX_TOKEN_BYTES);
    textBytes += length;
    if (types && specialKind(load<i32>(types + ELEMENTS + id * 4))) {
      specials++;
      specialBytes += length;
    }
    token += 8 + <usize>length;
  }
  if (specials > <u32>MAX_SPECIALS)
    return failAt(BAD_ARRAY_LENGTH, "tokenizer.ggml.tokens: control and user-defined", specials, MAX_SPECIALS);
  if (specialBytes > <u64>MAX_SPECIAL_BYTES)
    return failAt(
      BAD_STRING_LENGTH,
      "tokenizer.ggml.tokens: control and user-defined",
      <f64>specialBytes,
      MAX_SPECIAL_BYTES,
    );
  return OK;
}

/** Carves the tokenizer's section. */
export function carveVocabularySection(): void {
  carveTokenizer(config.vocabulary, <u32>textBytes, specials, <u32>specialBytes, mergeCount(), sentencePiece);
}

function mergeCount(): u32 {
  return merges ? load<u32>(merges, 4) : 0;
}
function elementsOf(values: usize): usize {
  return values ? values + ELEMENTS : 0;
}

/** Begins to build the tokenizer there; buildTokenizer() goes on. */
export function beginVocabulary(): void {
  const vocabulary = config.vocabulary;
  const typesAt = elementsOf(types);
  const mergesAt = elementsOf(merges);
  const scoresAt = elementsOf(scores);
  beginTokenizer(elementsOf(tokens), vocabulary, typesAt, mergesAt, mergeCount(), scoresAt, blankFirst);
}
