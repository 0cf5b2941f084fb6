// A model's tokens as a trie of their bytes.

import { TOKEN_BYTE, TOKEN_NORMAL, TOKEN_USER_DEFINED } from "../../../assembly/layout/gguf.js";
import type { ModelInfo } from "../api/api.js";
import { ZagreusError } from "../api/errors.js";
import type { Core } from "../wasm/core.js";

/** Tokens in a tree of their bytes, whose nodes stand in preorder; node 0 is the root. */
export interface Trie {
  /** Of every node: its byte, */
  byte: Uint8Array;
  /** bytes from the root, */
  depth: Uint16Array;
  /** the token that it ends, or -1, */
  token: Int32Array;
  /** and the node behind its descendants. */
  after: Int32Array;
}

export interface Vocabulary {
  /** Tokens of the model. */
  size: number;
  /** Tokens that end a text, */
  end: Int32Array;
  /** and those that have no text, which a free text may contain. */
  control: Int32Array;
  /** Bytes of the longest token. */
  longest: number;
  /** Bytes of token i: data[offsets[i]] up to data[offsets[i + 1]]; none for the tokens above. */
  data: Uint8Array;
  offsets: Int32Array;
  /** All tokens that write text, */
  trie: Trie;
  /** and those of more than SHORT bytes. */
  longTrie: Trie;
}

/** Most tokens have no more bytes. */
export const SHORT = 16;

const vocabularies = new WeakMap<Core, Vocabulary>();

/** The vocabulary of a loaded model, built when it is first asked for. @throws ZagreusError UNSUPPORTED_TOKENIZER */
export function vocabularyOf({ core, info }: { core: Core; info: ModelInfo }): Vocabulary {
  let vocabulary = vocabularies.get(core);
  if (!vocabulary) {
    vocabulary = buildVocabulary(tokenTexts(core, info.vocabulary), info.tokenizer.end);
    vocabularies.set(core, vocabulary);
  }
  return vocabulary;
}

/** Bytes of every token that writes text; empty for the others. */
function tokenTexts(core: Core, size: number): Uint8Array[] {
  const { exports } = core;
  return Array.from({ length: size }, (_, token) => {
    const type = exports.tokenType(token);
    const writes = type === TOKEN_NORMAL || type === TOKEN_USER_DEFINED || type === TOKEN_BYTE;
    return core.read(writes ? core.counted(exports.tokenBytes(token)) : 0);
  });
}

/** @throws ZagreusError UNSUPPORTED_TOKENIZER when a byte has no token of its own: then not every text could be written */
export function buildVocabulary(texts: readonly Uint8Array[], end: readonly number[]): Vocabulary {
  const offsets = new Int32Array(texts.length + 1);
  const control: number[] = [];
  const byText = new Map<string, number>();
  texts.forEach((text, token) => {
    const length = end.includes(token) ? 0 : text.length;
    offsets[token + 1] = offsets[token]! + length;
    if (length > 0) {
      const key = String.fromCharCode(...text);
      if (!byText.has(key)) byText.set(key, token); // one of those with the same text is enough
    } else if (!end.includes(token)) control.push(token);
  });
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
    trie: buildTrie(byText),
    longTrie: buildTrie(new Map([...byText].filter(([text]) => text.length > SHORT))),
  };
}

function buildTrie(byText: ReadonlyMap<string, number>): Trie {
  const byte = [0];
  const depth = [0];
  const token = [-1];
  const after = [0];
  const path = [0]; // nodes from the root to the last one
  let before = "";
  for (const text of [...byText.keys()].sort()) {
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
