// A model's tokens as a trie of their bytes.

import { TOKEN_BYTE, TOKEN_NORMAL, TOKEN_USER_DEFINED } from "../../../assembly/layout/gguf.js";
import type { ModelInfo } from "../api/api.js";
import { ZagreusError } from "../api/errors.js";
import type { Core } from "../wasm/core.js";
import type { Steps } from "./shared/slices.js";

/** Tokens in a tree of their bytes, whose nodes stand in preorder; node 0 is the root. */
export interface Trie {
  /** The byte of every node. */
  byte: Uint8Array;
  /** Bytes from the root to every node. */
  depth: Uint16Array;
  /** The token that ends at every node, or -1. */
  token: Int32Array;
  /** The node behind all descendants of every node. */
  after: Int32Array;
}

export interface Vocabulary {
  /** Tokens of the model. */
  size: number;
  /** Tokens that end a text. */
  end: Int32Array;
  /** Tokens that have no text, which a free text may contain. */
  control: Int32Array;
  /** Bytes of the longest token. */
  longest: number;
  /** Bytes of token i: data[offsets[i]] up to data[offsets[i + 1]]; none for the tokens above. */
  data: Uint8Array;
  offsets: Int32Array;
  /** All tokens that write text. */
  trie: Trie;
  /** Those of more than SHORT bytes. */
  longTrie: Trie;
}

/** Most tokens have no more bytes. */
export const SHORT = 16;

/** Tokens between two steps. */
const STEP = 2048;

/** What is known of a model: its tokens' texts, and which of them end a text. */
export interface Tokens {
  core: Core;
  info: Pick<ModelInfo, "vocabulary" | "tokenizer">;
}

const vocabularies = new WeakMap<Core, Vocabulary>();

/** The vocabulary of a model, built when it is first asked for. @throws ZagreusError UNSUPPORTED_TOKENIZER */
export function* vocabularyOf({ core, info }: Tokens): Steps<Vocabulary> {
  let vocabulary = vocabularies.get(core);
  if (!vocabulary) {
    vocabulary = yield* buildVocabulary(yield* tokenTexts(core, info.vocabulary), info.tokenizer.end);
    vocabularies.set(core, vocabulary);
  }
  return vocabulary;
}

/** Bytes of every token that writes text; empty for the others. */
function* tokenTexts(core: Core, size: number): Steps<Uint8Array[]> {
  const { exports } = core;
  const texts: Uint8Array[] = [];
  for (let token = 0; token < size; token++) {
    if (token % STEP === 0) yield;
    const type = exports.tokenType(token);
    const writes = type === TOKEN_NORMAL || type === TOKEN_USER_DEFINED || type === TOKEN_BYTE;
    texts.push(core.read(writes ? core.counted(exports.tokenBytes(token)) : 0));
  }
  return texts;
}

/** @throws ZagreusError UNSUPPORTED_TOKENIZER when a byte has no token of its own: then not every text could be written */
export function* buildVocabulary(texts: readonly Uint8Array[], end: readonly number[]): Steps<Vocabulary> {
  const isEnd = new Set(end);
  const offsets = new Int32Array(texts.length + 1);
  const control: number[] = [];
  const byText = new Map<string, number>();
  for (const [token, text] of texts.entries()) {
    if (token % STEP === 0) yield;
    const length = isEnd.has(token) ? 0 : text.length;
    offsets[token + 1] = offsets[token]! + length;
    if (length > 0) {
      const key = String.fromCharCode(...text);
      if (!byText.has(key)) byText.set(key, token); // one of those with the same text is enough
    } else if (!isEnd.has(token)) control.push(token);
  }
  const data = new Uint8Array(offsets[texts.length]!);
  texts.forEach((text, token) => {
    if (offsets[token + 1]! > offsets[token]!) data.set(text, offsets[token]);
  });
  for (let byte = 0; byte < 256; byte++) {
    if (byText.has(String.fromCharCode(byte))) continue;
    const message = `the vocabulary has no token for byte ${byte}, which constrained text needs`;
    throw new ZagreusError("UNSUPPORTED_TOKENIZER", message, { field: "responseFormat", value: byte });
  }
  return {
    size: texts.length,
    end: Int32Array.from(end),
    control: Int32Array.from(control),
    longest: texts.reduce((most, { length }) => Math.max(most, length), 0),
    data,
    offsets,
    trie: yield* buildTrie(byText),
    longTrie: yield* buildTrie(new Map([...byText].filter(([text]) => text.length > SHORT))),
  };
}

function* buildTrie(byText: ReadonlyMap<string, number>): Steps<Trie> {
  const byte = [0];
  const depth = [0];
  const token = [-1];
  const after = [0];
  const path = [0]; // nodes from the root to the last one
  let before = "";
  const sorted = [...byText.keys()].sort();
  for (const [i, text] of sorted.entries()) {
    if (i % STEP === 0) yield;
    let same = 0;
    while (same < before.length && before.charCodeAt(same) === text.charCodeAt(same)) same++;
    while (path.length > same + 1) after[path.pop()!] = byte.length;
    for (let i = same; i < text.length; i++) {
      path.push(byte.length);
      byte.push(text.charCodeAt(i));
      depth.push(i + 1);
      token.push(-1);
      after.push(0);
    }
    token[path.at(-1)!] = byText.get(text)!;
    before = text;
  }
  for (const node of path) after[node] = byte.length;
  return {
    byte: Uint8Array.from(byte),
    depth: Uint16Array.from(depth),
    token: Int32Array.from(token),
    after: Int32Array.from(after),
  };
}
