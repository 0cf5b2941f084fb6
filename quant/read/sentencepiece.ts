// SentencePiece's vocabularies to GGUF's: the scores come from tokenizer.model, or else from the merges of tokenizer.json, whose order is
// that of the scores.

import {
  TOKEN_BYTE,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_UNKNOWN,
  TOKEN_UNUSED,
  TOKEN_USER_DEFINED,
} from "../../assembly/layout/gguf.js";
import { type Fields, isObject } from "../../host/core/api/json.js";
import { check, unsupported } from "./pre_tokenizer.js";
import type { SentencePieceModel } from "./sentencepiece_model.js";

const MARK = "\u2581";
const BYTE = /^<0x[0-9A-F]{2}>$/;
/** Below every score: of tokens that no merge makes. */
const UNMADE = -1e6;

export interface Vocabulary {
  tokens: string[];
  /** TOKEN_* */
  types: number[];
}
export interface ScoredVocabulary extends Vocabulary {
  scores: number[];
  /** Whether a blank comes before a text. */
  blankFirst: boolean;
}

/** Whether a tokenizer.json is of this kind. */
export const isSentencePiece = (tokenizer: Fields): boolean => tokenizer.object("model").get("byte_fallback") === true;

/**
 * The vocabulary of a tokenizer.json.
 * @param merges "left right", the first one first
 * @throws ZagreusError UNSUPPORTED_TOKENIZER
 */
export function fromTokenizer(
  tokenizer: Fields,
  { tokens, types }: Vocabulary,
  merges: readonly string[],
  model: SentencePieceModel | undefined,
): ScoredVocabulary {
  const { type, unk_token: unknown } = tokenizer.object("model").values;
  check("model.type", type, "BPE");
  const known = new Map(model?.pieces.map((piece) => [piece.text, piece]));
  const made = new Map<string, number>();
  merges.forEach((merge, rank) => {
    const token = merge.replace(" ", "");
    if (!made.has(token)) made.set(token, -rank);
  });
  const scoreOf = (token: string) => known.get(token)?.score ?? made.get(token) ?? UNMADE;
  const typed = types.map((kind, id) => {
    const token = tokens[id]!;
    if (token === unknown) return TOKEN_UNKNOWN;
    return kind === TOKEN_NORMAL && BYTE.test(token) ? TOKEN_BYTE : kind;
  });
  return {
    tokens: tokens.map((token, id) => asWritten(token, typed[id]!)),
    types: typed,
    scores: tokens.map((token, id) => (typed[id] === TOKEN_NORMAL ? scoreOf(token) : 0)),
    blankFirst: readBlankFirst(tokenizer),
  };
}

/** The vocabulary of a tokenizer.model alone. `added`: tokens that a configuration adds, by their ids. */
export function fromModel(
  { pieces, blankFirst }: SentencePieceModel,
  size: number,
  added: ReadonlyMap<number, { token: string; special: boolean }>,
): ScoredVocabulary {
  const tokens = Array.from({ length: size }, (_, id) => pieces[id]?.text ?? added.get(id)?.token ?? `[PAD${id}]`);
  const types = tokens.map((_, id) => {
    const more = added.get(id);
    if (pieces[id]) return pieces[id].type;
    return !more ? TOKEN_UNUSED : more.special ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
  });
  const scores = tokens.map((_, id) => pieces[id]?.score ?? 0);
  return { tokens: tokens.map((token, id) => asWritten(token, types[id]!)), types, scores, blankFirst };
}

/** User-defined tokens are matched in the text as it is, where blanks are blanks; llama.cpp's conversion writes them so too. */
const asWritten = (token: string, type: number) => (type === TOKEN_USER_DEFINED ? token.replaceAll(MARK, " ") : token);

/**
 * Whether tokenizer.json puts a blank before a text: by Prepend, or as Metaspace does. "first" is as good as "always": llama.cpp puts one
 * behind each special token, whatever the file says.
 */
function readBlankFirst(tokenizer: Fields): boolean {
  const steps = [
    ...listOf(tokenizer.get("normalizer"), "normalizers"),
    ...listOf(tokenizer.get("pre_tokenizer"), "pretokenizers"),
  ];
  let blank = false;
  for (const step of steps) {
    const { type, prepend, pattern, content, prepend_scheme: scheme, add_prefix_space: prefix } = step;
    const escapes = type === "Replace" && isObject(pattern) && pattern.String === " " && content === MARK;
    if (type === "Prepend" && prepend === MARK) blank = true;
    else if (type === "Metaspace") blank = scheme === undefined ? prefix !== false : scheme !== "never";
    else if (!escapes) throw unsupported("normalizer", step, "Prepend, Replace or Metaspace of SentencePiece");
  }
  return blank;
}

function listOf(step: unknown, many: string): Record<string, unknown>[] {
  if (!isObject(step)) return [];
  const inner = step[many];
  return step.type === "Sequence" && Array.isArray(inner) ? inner.filter(isObject) : [step];
}
