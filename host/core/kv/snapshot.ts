// A session as bytes, all little-endian:
//
//       0 "ZGSS" | 4 version u32 | 8 model hash u64, with adapters that of it and them
//      16 layers u32 | 20 KV heads u32 | 24 head size u32 | 28 KV type u32
//      32 positions of a page u32 | 36 bytes of a page u32 | 40 tokens u32 (T) | 44 KV positions u32 (P <= T)
//      48 token ids u32[T]
//         the pages of the first P positions (assembly/model/kv_cache.ts), 0 behind the last one
//         checksum() of everything before u64

import { INFO_KV_TYPE } from "../../../assembly/layout/abi.js";
import type { ModelInfo } from "../api/api.js";
import { ZagreusError } from "../api/errors.js";
import { failure } from "../api/messages.js";
import type { Core } from "../wasm/core.js";
import { checksum } from "./checksum.js";
import type { KvBytes, KvCache } from "./kv_cache.js";
import { PAGE_TOKENS } from "./page_tree.js";

const MAGIC = 0x5353475a; // "ZGSS"
const VERSION = 4;
const HEADER_BYTES = 48;
const HASH_BYTES = 8;

/** A loaded model, as far as its snapshots depend on it. */
interface Loaded {
  readonly core: Core;
  readonly info: ModelInfo;
  readonly cache: KvCache;
}

export interface Snapshot {
  tokens: number[];
  kv: KvBytes;
}

/**
 * A session's tokens and KV cache as bytes: see the drawing above.
 * @param adapters what the KV depends on beside the model; "" for nothing
 */
export function writeSnapshot(model: Loaded, tokens: readonly number[], kv: KvBytes, adapters: string): Uint8Array {
  const kvAt = HEADER_BYTES + 4 * tokens.length;
  const hashAt = kvAt + kv.bytes.length;
  const bytes = new Uint8Array(hashAt + HASH_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setBigUint64(8, modelHash(model.core, adapters), true);
  layout(model).forEach(([, value], i) => {
    view.setUint32(16 + 4 * i, value, true);
  });
  view.setUint32(40, tokens.length, true);
  view.setUint32(44, kv.length, true);
  tokens.forEach((token, i) => {
    view.setUint32(HEADER_BYTES + 4 * i, token, true);
  });
  bytes.set(kv.bytes, kvAt);
  view.setBigUint64(hashAt, checksum(model.core, bytes.subarray(0, hashAt)), true);
  return bytes;
}

/**
 * Checks a snapshot completely before anything of it is used.
 * @throws ZagreusError BAD_SNAPSHOT when it is damaged, FOREIGN_SNAPSHOT when it belongs to another model, KV type or
 * version, CONTEXT_OVERFLOW when this model's context is too short for it
 */
export function readSnapshot(model: Loaded, bytes: Uint8Array, adapters: string): Snapshot {
  const { contextLength, vocabulary } = model.info;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES + HASH_BYTES) throw bad("length", bytes.length, HEADER_BYTES + HASH_BYTES);
  if (view.getUint32(0, true) !== MAGIC) throw bad("magic", view.getUint32(0, true), MAGIC);
  const hashAt = bytes.length - HASH_BYTES;
  const sum = checksum(model.core, bytes.subarray(0, hashAt));
  if (view.getBigUint64(hashAt, true) !== sum) throw bad("checksum", view.getBigUint64(hashAt, true), sum);

  if (view.getUint32(4, true) !== VERSION) throw foreign("version", view.getUint32(4, true), VERSION);
  layout(model).forEach(([field, expected], i) => {
    const value = view.getUint32(16 + 4 * i, true);
    if (value !== expected) throw foreign(field, value, expected);
  });
  const hash = modelHash(model.core, adapters);
  if (view.getBigUint64(8, true) !== hash)
    throw foreign(adapters ? "hash of model and adapters" : "model hash", view.getBigUint64(8, true), hash);

  const count = view.getUint32(40, true);
  const length = view.getUint32(44, true);
  if (length > count) throw bad("KV positions", length, count);
  const kvAt = HEADER_BYTES + 4 * count;
  const expectedLength = kvAt + model.cache.bytesFor(length) + HASH_BYTES;
  if (bytes.length !== expectedLength) throw bad("length", bytes.length, expectedLength);
  if (count > contextLength) throw failure("CONTEXT_OVERFLOW", count, contextLength, "snapshot");
  const tokens = Array.from({ length: count }, (_, i) => view.getUint32(HEADER_BYTES + 4 * i, true));
  for (const token of tokens) if (token >= vocabulary) throw bad("token", token, vocabulary - 1);
  return { tokens, kv: { length, bytes: bytes.slice(kvAt, hashAt) } };
}

/** What must agree for KV bytes to be usable, in the order of the header. */
function layout({ core, info, cache }: Loaded): [field: string, value: number][] {
  return [
    ["layers", info.layers],
    ["KV heads", info.kvHeads],
    ["head size", info.headSize],
    ["KV type", core.exports.info(INFO_KV_TYPE)],
    ["positions of a page", PAGE_TOKENS],
    ["bytes of a page", cache.pageBytes],
  ];
}

/** Of the model alone, or of its hash and the adapters. */
function modelHash(core: Core, adapters: string): bigint {
  const hash = BigInt.asUintN(64, core.exports.modelHash());
  if (adapters === "") return hash;
  core.write(new TextEncoder().encode(adapters));
  return BigInt.asUintN(64, core.exports.hash(adapters.length, hash));
}

function bad(field: string, value: number | bigint, expected: number | bigint): ZagreusError {
  const message = `the snapshot is damaged: ${field} is ${value}, must be ${expected}`;
  return new ZagreusError("BAD_SNAPSHOT", message, { field, value, expected });
}

function foreign(field: string, value: number | bigint, expected: number | bigint): ZagreusError {
  const message = `the snapshot is not of this model: ${field} is ${value}, must be ${expected}`;
  return new ZagreusError("FOREIGN_SNAPSHOT", message, { field, value, expected });
}
