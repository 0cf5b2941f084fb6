// The vocabulary of a checkpoint, as far as it has to be known to make it smaller: byte-level BPE and SentencePiece's.

import { TOKEN_NORMAL } from "../../assembly/layout/gguf.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import type { Metadata } from "../checkpoint/metadata.js";

/** How texts become tokens, and what the tokens are. */
export interface Vocabulary {
  /** "gpt2": byte-level BPE by merges; "llama": SentencePiece, by scores. */
  model: "gpt2" | "llama";
  /** As the file has them: in the byte-level alphabet, or with U+2581 for blanks. */
  tokens: readonly string[];
  /** TOKEN_* */
  types: readonly number[];
  /** "left right" in their order; none of SentencePiece. */
  merges: readonly string[];
  /** None of byte-level BPE. */
  scores: readonly number[];
}

const MODELS = ["gpt2", "llama"];

/** @throws ZagreusError UNSUPPORTED_TOKENIZER, MISSING_KEY, BAD_VALUE, BAD_ARRAY_LENGTH */
export function readVocabulary(metadata: Metadata): Vocabulary {
  const model = metadata.get("tokenizer.ggml.model")?.value;
  if (!MODELS.includes(model as string)) {
    const message = `"tokenizer.ggml.model" is ${JSON.stringify(model) ?? "missing"}: only vocabularies of "gpt2" (byte-level BPE) and "llama" (SentencePiece) can be made smaller`;
    throw new ZagreusError("UNSUPPORTED_TOKENIZER", message, { field: "tokenizer.ggml.model", value: model });
  }
  const tokens = list(metadata, "tokenizer.ggml.tokens", "string");
  const typed = metadata.has("tokenizer.ggml.token_type");
  const types = typed ? list(metadata, "tokenizer.ggml.token_type", "number") : tokens.map(() => TOKEN_NORMAL);
  const merges = model === "gpt2" ? list(metadata, "tokenizer.ggml.merges", "string") : [];
  const scores = model === "llama" ? list(metadata, "tokenizer.ggml.scores", "number") : [];
  checkLength("tokenizer.ggml.token_type", types, tokens.length);
  if (model === "llama") checkLength("tokenizer.ggml.scores", scores, tokens.length);
  return { model: model as Vocabulary["model"], tokens, types, merges, scores };
}

interface Elements {
  string: string;
  number: number;
}

function list<T extends keyof Elements>(metadata: Metadata, key: string, type: T): Elements[T][] {
  const value = metadata.get(key)?.value;
  if (value === undefined) throw new ZagreusError("MISSING_KEY", `"${key}" is missing`, { field: key });
  if (Array.isArray(value) && value.every((item) => typeof item === type)) return value as Elements[T][];
  throw new ZagreusError("BAD_VALUE", `"${key}" is no array of ${type}s`, { field: key });
}

function checkLength(field: string, { length }: readonly unknown[], expected: number): void {
  if (length === expected) return;
  const message = `"${field}" has ${length} elements, expected ${expected}`;
  throw new ZagreusError("BAD_ARRAY_LENGTH", message, { field, value: length, expected });
}
