// A user's own texts, read in pieces: most are counted, some are set aside to measure with.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { aborted, ZagreusError } from "../../core/api/errors.js";

export interface Piece {
  bytes: Uint8Array;
  /** Whether it must not be counted. */
  heldOut: boolean;
  /** Bytes of all files up to its end. */
  doneBytes: number;
}

const PIECE_BYTES = 1 << 14;
const EVERY = 16; // a piece of so many is held out,
const FIRST_HELD = 7; // the eighth first

const NEWLINE = 0x0a;
const BLANK = 0x20;

/** @throws ZagreusError SOURCE_FAILED */
export async function corpusBytes(files: readonly string[]): Promise<number> {
  let sum = 0;
  for (const file of files) sum += (await reading(file, () => stat(file))).size;
  return sum;
}

/** The pieces of files of text, each of them whole words. @throws ZagreusError SOURCE_FAILED, ABORTED */
export async function* readCorpus(files: readonly string[], signal?: AbortSignal): AsyncGenerator<Piece> {
  let doneBytes = 0;
  let count = 0;
  const piece = (bytes: Uint8Array): Piece => {
    doneBytes += bytes.length;
    return { bytes, heldOut: count++ % EVERY === FIRST_HELD, doneBytes };
  };
  for (const file of files) {
    let rest = new Uint8Array();
    const chunks = createReadStream(file, { highWaterMark: PIECE_BYTES })[Symbol.asyncIterator]();
    while (true) {
      const { value, done } = await reading(file, () => chunks.next());
      if (signal?.aborted) throw aborted(signal.reason);
      if (done) break;
      const bytes = joined(rest, value as Uint8Array);
      const end = lastBoundary(bytes);
      rest = bytes.slice(end);
      yield piece(bytes.subarray(0, end));
    }
    if (rest.length > 0) yield piece(rest);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** Before the last line's end, or else the last blank: words keep what stands before them. */
function lastBoundary(bytes: Uint8Array): number {
  for (const byte of [NEWLINE, BLANK]) {
    const at = bytes.lastIndexOf(byte);
    if (at > 0) return at;
  }
  return bytes.length;
}

async function reading<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `cannot read the corpus "${file}": ${reason}`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "corpus", value: file, cause });
  }
}
