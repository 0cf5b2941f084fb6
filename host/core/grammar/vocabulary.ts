// A model's tokens as a trie of their bytes.

import { TOKEN_BYTE, TOKEN_NORMAL, TOKEN_USER_DEFINED } from "../../../assembly/layout/gguf.js";
import type { ModelInfo } from "../api/api.js";
import type { Core } from "../wasm/core.js";
import { Rest, type Steps } from "./shared/slices.js";
import { sortedTexts } from "./sorted_texts.js";

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
  /** Bytes that no token writes alone: a text cannot be sure to get beyond one of them, so that constrained texts have none. */
  missing: ReadonlySet<number>;
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

/** Tokens between two steps; and bytes and tokens that are looked at. */
const STEP = 2048;
const WORK_PER_STEP = 65_536;
/** What a token costs beside its bytes. */
const TOKEN_WORK = 8;

/** What is known of a model: its tokens' texts, and which of them end a text. */
export interface Tokens {
  core: Core;
  info: Pick<ModelInfo, "vocabulary" | "tokenizer">;
}

const vocabularies = new WeakMap<Core, Vocabulary>();

/** The vocabulary of a model, built when it is first asked for. */
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

export function* buildVocabulary(texts: readonly Uint8Array[], end: readonly number[]): Steps<Vocabulary> {
  const isEnd = new Set(end);
  const rest = new Rest(WORK_PER_STEP);
  const offsets = new Int32Array(texts.length + 1);
  const control: number[] = [];
  let longest = 0;
  for (const [token, text] of texts.entries()) {
    yield* rest.after(TOKEN_WORK);
    const length = isEnd.has(token) ? 0 : text.length;
    offsets[token + 1] = offsets[token]! + length;
    longest = Math.max(longest, length);
    if (length === 0 && !isEnd.has(token)) control.push(token);
  }
  const data = new Uint8Array(offsets[texts.length]!);
  const hasByte = new Set<number>();
  for (const [token, text] of texts.entries()) {
    yield* rest.after(TOKEN_WORK + (text.length >> 6));
    if (offsets[token + 1]! > offsets[token]!) data.set(text, offsets[token]);
    if (offsets[token + 1]! - offsets[token]! === 1) hasByte.add(text[0]!);
  }
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const missing = new Set(bytes.filter((byte) => !hasByte.has(byte)));
  const sorted = yield* sortedTexts(data, offsets);
  const long = sorted.filter((token) => offsets[token + 1]! - offsets[token]! > SHORT);
  return {
    ...{ size: texts.length, end: Int32Array.from(end), control: Int32Array.from(control), longest, data, offsets },
    missing,
    trie: yield* buildTrie(sorted, data, offsets),
    longTrie: yield* buildTrie(long, data, offsets),
  };
}

/** @param sorted tokens by their bytes; of those with the same bytes, the first is enough */
function* buildTrie(sorted: Int32Array, data: Uint8Array, offsets: Int32Array): Steps<Trie> {
  const rest = new Rest(WORK_PER_STEP);
  const lengthOf = (token: number) => offsets[token + 1]! - offsets[token]!;
  const shared = new Int32Array(sorted.length); // bytes that a token begins with as the one before it does
  let nodes = 1;
  for (const [i, token] of sorted.entries()) {
    const before = i > 0 ? sorted[i - 1]! : token;
    const most = i > 0 ? Math.min(lengthOf(token), lengthOf(before)) : 0;
    let same = 0;
    while (same < most && data[offsets[before]! + same] === data[offsets[token]! + same]) same++;
    shared[i] = same;
    nodes += lengthOf(token) - same;
    yield* rest.after(TOKEN_WORK + same);
  }
  const byte = new Uint8Array(nodes);
  const depth = new Uint16Array(nodes);
  const token = new Int32Array(nodes).fill(-1);
  const after = new Int32Array(nodes);
  const path = [0]; // nodes from the root to the last one
  let next = 1;
  for (const [i, id] of sorted.entries()) {
    while (path.length > shared[i]! + 1) after[path.pop()!] = next;
    for (let at = shared[i]!; at < lengthOf(id); at++) {
      byte[next] = data[offsets[id]! + at]!;
      depth[next] = at + 1;
      path.push(next++);
    }
    const node = path.at(-1)!;
    if (token[node] === -1) token[node] = id;
    yield* rest.after(TOKEN_WORK + lengthOf(id) - shared[i]!);
  }
  for (const node of path) after[node] = next;
  return { byte, depth, token, after };
}
