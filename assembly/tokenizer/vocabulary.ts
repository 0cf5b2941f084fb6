// The vocabulary: raw bytes of every token, and a table (table.ts) from bytes to ids.
//
//     token id -> text + offsets[id] .. text + offsets[id + 1]        u32[n + 1]
//              -> types[id]                                           u8[n]
//     bytes -> tags, ids                                              u32[slots]

import { TOKEN_BYTE, TOKEN_NORMAL, TOKEN_UNKNOWN } from "../layout/gguf";
import { carve } from "../runtime/carve";
import { hashBytes } from "../runtime/keyed_hash";
import { equalBytes, firstGroup, groupCount, slotsEmpty, slotsTagged, tagOf } from "./table";

/** Above every id: stands for a byte without a token until words are merged. */
export const NO_TOKEN: u32 = u32.MAX_VALUE;

/** Entries of the vocabulary. */
export let vocabularySize: u32 = 0;

let byteTokens: usize = 0; // u32[256]
let offsets: usize = 0;
let types: usize = 0;
let text: usize = 0;
let tags: usize = 0;
let ids: usize = 0;
let groups: u32 = 0;
let longest: u32 = 0; // bytes of a token
/** The first token of type TOKEN_UNKNOWN, or -1. */
export let unknownToken: i32 = -1;

/** Carves tables for `size` tokens whose raw GGUF strings have `textBytes` in all. */
export function carveVocabulary(size: u32, textBytes: u32): void {
  vocabularySize = size;
  groups = groupCount(size);
  byteTokens = carve(1024);
  offsets = carve((<u64>size + 1) * 4);
  types = carve(size);
  text = carve(<u64>textBytes + 8);
  tags = carve(<u64>groups * 16);
  ids = carve(<u64>groups * 64);
}

/** Empties the tables. */
export function clearVocabulary(): void {
  memory.fill(tags, 0, <usize>groups * 16);
  memory.fill(byteTokens, 0xff, 1024);
  store<u32>(offsets, 0);
  longest = 0;
  unknownToken = -1;
}

/**
 * Enters the token `id`, the next one, with its raw GGUF string; false when that is a duplicate. Normal tokens whose string no text can
 * have keep it, but are not found.
 * @param marked whether blanks are U+2581 (SentencePiece); otherwise normal tokens are in the byte-level alphabet
 */
export function addToken(id: u32, type: i32, p: usize, length: u32, marked: bool): bool {
  const start = tokenBytesAt(id);
  const normal = type == TOKEN_NORMAL;
  const byte = spelledByte(p, length);
  let end = start + length;
  let reachable = type != TOKEN_BYTE;
  if (byte >= 0 && marked) store<u32>(byteTokens + byte * 4, id);
  if (byte >= 0 && type == TOKEN_BYTE) {
    store<u8>(start, byte);
    end = start + 1;
  } else if (normal && marked) {
    end = copyMarked(p, p + length, start);
    reachable = !hasBlank(p, p + length);
  } else if (normal && decodeByteLevel(p, p + length, start) == p + length) {
    end = decodedEnd;
  } else {
    reachable = !normal;
    memory.copy(start, p, length);
  }
  if (type == TOKEN_UNKNOWN && unknownToken < 0) unknownToken = id;
  store<u8>(types + id, type);
  store<u32>(offsets + id * 4, <u32>(end - text), 4);
  const bytes = <u32>(end - start);
  if (bytes == 0 || !reachable) return true;
  longest = max(longest, bytes);
  const hash = hashBytes(start, bytes);
  if (findHashed(start, bytes, hash, normal) >= 0) return false;
  const slot = (vacantGroup << 4) + ctz(slotsEmpty(v128.load(tags + vacantGroup * 16)));
  store<u8>(tags + slot, tagOf(hash));
  store<u32>(ids + slot * 4, id);
  return true;
}

/** The byte that "<0x0A>" spells; -1 for anything else. */
function spelledByte(p: usize, length: u32): i32 {
  if (length != 6 || (load<u32>(p) & 0xffffff) != 0x78303c || load<u8>(p, 5) != 0x3e) return -1; // "<0x", ">"
  const high = hexadecimal(load<u8>(p, 3));
  const low = hexadecimal(load<u8>(p, 4));
  return (high | low) < 0 ? -1 : (high << 4) | low;
}
function hexadecimal(character: i32): i32 {
  if (character - 48 < 10 && character >= 48) return character - 48;
  return character >= 65 && character < 71 ? character - 55 : -1;
}

/** Whether a token of SentencePiece has a blank as it is, which no text has there. */
function hasBlank(p: usize, end: usize): bool {
  while (p < end && load<u8>(p) != 0x20) p++;
  return p < end;
}

/** Copies a token of SentencePiece with blanks for U+2581; returns its end. */
function copyMarked(p: usize, end: usize, out: usize): usize {
  while (p < end) {
    const marked = end - p >= 3 && (load<u32>(p) & 0xffffff) == 0x8196e2;
    store<u8>(out++, marked ? 0x20 : load<u8>(p));
    p += marked ? 3 : 1;
  }
  return out;
}

/** Finds the token of each byte in the byte-level alphabet. */
export function addByteTokens(scratch: usize): void {
  for (let byte = 0; byte < 256; byte++) {
    store<u8>(scratch, byte);
    const id = findEntry(scratch, 1, true);
    if (id >= 0) store<u32>(byteTokens + byte * 4, id);
  }
}

/** Where the last decodeByteLevel() ended its output. */
export let decodedEnd: usize = 0;

/**
 * Decodes GPT-2's byte-level alphabet (every byte a printable character: itself if it is one, else U+0100 and on) up to
 * `end` or a character that is not in it, such as a space. Returns where it stopped.
 */
export function decodeByteLevel(p: usize, end: usize, out: usize): usize {
  while (p < end) {
    let c = <u32>load<u8>(p);
    let length = 1;
    if (c - 0x21 >= 0x5e) {
      if (p + 1 >= end || c - 0xc2 > 3) break;
      const continuation = <u32>load<u8>(p, 1);
      if ((continuation & 0xc0) != 0x80) break;
      c = ((c & 0x1f) << 6) | (continuation & 0x3f);
      length = 2;
      if (c >= 0x100) {
        c -= 0x100;
        if (c > 67) break;
        c = c < 33 ? c : c < 67 ? c + 94 : 0xad; // 0..32, 127..160, 173
      } else if (c < 0xa1 || c == 0xad) {
        break;
      }
    }
    store<u8>(out++, c);
    p += length;
  }
  decodedEnd = out;
  return p;
}

/** The group in which the last findHashed() that failed met an empty slot. */
let vacantGroup: u32 = 0;

function findHashed(p: usize, length: u32, hash: u64, byteLevel: bool): i32 {
  const tag = tagOf(hash);
  let group = firstGroup(hash, groups);
  while (true) {
    const groupTags = v128.load(tags + group * 16);
    for (let slots = slotsTagged(groupTags, tag); slots != 0; slots &= slots - 1) {
      const id = load<u32>(ids + ((group << 4) + ctz(slots)) * 4);
      if (
        tokenLength(id) == length &&
        equalBytes(tokenBytesAt(id), p, length) &&
        (tokenType(id) == TOKEN_NORMAL) == byteLevel
      ) {
        return id;
      }
    }
    if (slotsEmpty(groupTags)) break;
    if (++group == groups) group = 0;
  }
  vacantGroup = group;
  return -1;
}

/** Id of the token with these raw bytes among the normal (`byteLevel`) tokens or the others; -1 when there is none. */
export function findEntry(p: usize, length: u32, byteLevel: bool): i32 {
  if (length - 1 >= longest) return -1;
  return findHashed(p, length, hashBytes(p, length), byteLevel);
}

/** Id of the vocabulary entry with these raw bytes, or -1. Up to 7 bytes after them are read. */
export function findToken(p: usize, length: i32): i32 {
  const id = findEntry(p, length, false);
  return id >= 0 ? id : findEntry(p, length, true);
}

// The accessors take ids below vocabularySize.

/** Address of a token's raw bytes. */
// @ts-ignore: decorator
@inline
export function tokenBytesAt(id: u32): usize {
  return text + load<u32>(offsets + id * 4);
}

/** Number of a token's raw bytes. */
// @ts-ignore: decorator
@inline
export function tokenLength(id: u32): u32 {
  return load<u32>(offsets + id * 4, 4) - load<u32>(offsets + id * 4);
}

/** TOKEN_NORMAL, TOKEN_CONTROL ... */
// @ts-ignore: decorator
@inline
export function tokenType(id: u32): i32 {
  return load<u8>(types + id);
}

/** The normal token of one byte, or NO_TOKEN. */
// @ts-ignore: decorator
@inline
export function byteToken(byte: u32): u32 {
  return load<u32>(byteTokens + byte * 4);
}
