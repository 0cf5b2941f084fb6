// A full page as a file, all little-endian:
//
//       0 "ZGKV" | 4 version u32
//       8 namespace, 64 hexadecimal digits
//      72 tokens u32 (T, a multiple of PAGE_TOKENS) | 76 bytes of the page u32 (B)
//      80 token ids u32[T]: all from the first on, because keys and values depend on what comes before
//         the page (assembly/model/kv_cache.ts) u8[B]
//         checksum() of everything before u64
//
// Its name is a hash of namespace and tokens, made page by page. What is in a file is compared all the same: two of one name are not
// believed to be one.

import { Sha256 } from "../../api/sha256.js";
import type { Core } from "../../wasm/core.js";
import { checksum } from "../checksum.js";
import { PAGE_TOKENS } from "../page_tree.js";

const MAGIC = 0x564b475a; // "ZGKV"
/** Of the drawing, and of the bits that the core makes of tokens: test/host/kv/disk/page_format.test.ts says when they are others. */
export const VERSION = 2;
const NAMESPACE_AT = 8;
const TOKENS_AT = 80;
const HASH_BYTES = 8;

const encoder = new TextEncoder();

/** Names what keys and values depend on beside the tokens, and who may have them: 64 hexadecimal digits. */
export function namespaceOf(facts: Readonly<Record<string, string | number>>): string {
  return new Sha256().update(encoder.encode(JSON.stringify(facts))).digest();
}

/** The names of all full pages of `tokens`. */
export function pageNames(namespace: string, tokens: readonly number[]): string[] {
  const names: string[] = [];
  let hash = namespace;
  for (let end = PAGE_TOKENS; end <= tokens.length; end += PAGE_TOKENS) {
    const page = new Uint8Array(4 * PAGE_TOKENS);
    writeTokens(page, 0, tokens, end - PAGE_TOKENS, end);
    hash = new Sha256().update(encoder.encode(hash)).update(page).digest();
    names.push(`${hash}.kv`);
  }
  return names;
}

/** Bytes of the file of page `index`. */
export function fileBytes(index: number, pageBytes: number): number {
  return pageAt(index) + pageBytes + HASH_BYTES;
}

/** Makes the file of page `index` of `tokens`. @param fill writes the page; says whether it could */
export function writePageFile(
  core: Core,
  namespace: string,
  tokens: readonly number[],
  index: number,
  pageBytes: number,
  fill: (page: Uint8Array) => boolean,
): Uint8Array | undefined {
  const bytes = new Uint8Array(fileBytes(index, pageBytes));
  writeHead(bytes, namespace, tokens, index, pageBytes);
  const hashAt = bytes.length - HASH_BYTES;
  if (!fill(bytes.subarray(pageAt(index), hashAt))) return undefined;
  new DataView(bytes.buffer).setBigUint64(hashAt, checksum(core, bytes.subarray(0, hashAt)), true);
  return bytes;
}

/** The page in a file that is whole, intact and page `index` of `tokens`; undefined for any other. */
export function readPageFile(
  core: Core,
  namespace: string,
  tokens: readonly number[],
  index: number,
  pageBytes: number,
  bytes: Uint8Array,
): Uint8Array | undefined {
  if (bytes.length !== fileBytes(index, pageBytes)) return undefined;
  const head = new Uint8Array(pageAt(index));
  writeHead(head, namespace, tokens, index, pageBytes);
  if (!head.every((byte, i) => byte === bytes[i])) return undefined;
  const hashAt = bytes.length - HASH_BYTES;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getBigUint64(hashAt, true) !== checksum(core, bytes.subarray(0, hashAt))) return undefined;
  return bytes.subarray(head.length, hashAt);
}

const pageAt = (index: number) => TOKENS_AT + 4 * PAGE_TOKENS * (index + 1);

function writeHead(
  bytes: Uint8Array,
  namespace: string,
  tokens: readonly number[],
  index: number,
  pageBytes: number,
): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  bytes.set(encoder.encode(namespace), NAMESPACE_AT);
  const end = (index + 1) * PAGE_TOKENS;
  view.setUint32(72, end, true);
  view.setUint32(76, pageBytes, true);
  writeTokens(bytes, TOKENS_AT, tokens, 0, end);
}

function writeTokens(bytes: Uint8Array, at: number, tokens: readonly number[], from: number, to: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = from; i < to; i++) view.setUint32(at + 4 * (i - from), tokens[i]!, true);
}
