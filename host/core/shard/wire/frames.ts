// What travels between the edge of a model and its shards, all little-endian:
//
//       0 "ZS" | 2 version u8 | 3 kind u8 | 4 bytes of the contents u32 | 8 their CRC-32 | 12 CRC-32 of the first 12 bytes
//      16 contents
//
//     shard -> edge   HELLO   JSON, once and first: see messages.ts
//     edge -> shard   RUN     rows on their way through the layers
//     shard -> edge   ROWS    the same rows behind them, in the order of RUN
//     shard -> edge   ERROR   JSON: an error in words. Nothing follows
//
// A shard knows pages, no sequences: RUN says which pages are copied before and which each run of rows reads and writes, so that truncating,
// forking and freeing a sequence is nothing that has to be told. Both ends may close the connection at any time.

import { ZagreusError } from "../../api/errors.js";
import { type ByteReader, Lost } from "./channel.js";
import { crc32 } from "./crc.js";

const MAGIC = 0x535a; // "ZS"
const VERSION = 1;
const HEAD_BYTES = 16;

export const HELLO = 1;
export const RUN = 2;
export const ROWS = 3;
export const ERROR = 4;

export interface Frame {
  kind: number;
  /** Aligned to four bytes. */
  contents: Uint8Array;
}

/** A frame as bytes. */
export function encodeFrame(kind: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(HEAD_BYTES + length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, VERSION);
  view.setUint8(3, kind);
  view.setUint32(4, length, true);
  let at = HEAD_BYTES;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(8, crc32(bytes.subarray(HEAD_BYTES)), true);
  view.setUint32(12, crc32(bytes.subarray(0, 12)), true);
  return bytes;
}

/**
 * The next frame; undefined at the end of the connection.
 * @throws ZagreusError SHARD_FAILED for what is no frame, Lost
 */
export async function readFrame(reader: ByteReader, maxBytes: number): Promise<Frame | undefined> {
  const head = await reader.read(HEAD_BYTES);
  if (!head) return undefined;
  const view = new DataView(head.buffer);
  if (view.getUint16(0, true) !== MAGIC) throw badFrame("magic", view.getUint16(0, true), MAGIC);
  if (view.getUint8(2) !== VERSION) throw badFrame("version", view.getUint8(2), VERSION);
  check(head.subarray(0, 12), view.getUint32(12, true));
  const length = view.getUint32(4, true);
  if (length > maxBytes) throw badFrame("length", length, maxBytes);
  const contents = await reader.read(length);
  if (!contents) throw new Lost("the connection has ended in the middle of a frame");
  check(contents, view.getUint32(8, true));
  return { kind: view.getUint8(3), contents };
}

/** SHARD_FAILED for a frame that cannot have been sent like this. */
export function badFrame(field: string, value: unknown, expected: unknown): ZagreusError {
  const message = `a frame of a shard's connection is damaged, or none: its ${field} is ${value}, must be ${expected}`;
  return new ZagreusError("SHARD_FAILED", message, { field, value, expected });
}

function check(bytes: Uint8Array, expected: number): void {
  const sum = crc32(bytes);
  if (sum !== expected) throw badFrame("checksum", sum, expected);
}
