// The lines of a file of any size, read as they are wanted.

import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";

const LINE_END = 0x0a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

export interface InputLine {
  /** From 1. */
  number: number;
  /** Without its end; undefined where it is longer than the limit. */
  bytes: Uint8Array | undefined;
}

/** The bytes of a file, "-" for standard input, until the signal fires. */
export function openInput(path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const stream: Readable = path === "-" ? process.stdin : createReadStream(path);
  return addAbortSignal(signal, stream);
}

/**
 * The lines that are not blank, without a byte order mark, their ends and what else is white there.
 * @param longest bytes of a line that is kept; the rest of a longer one is passed over
 */
export async function* inputLines(chunks: AsyncIterable<Uint8Array>, longest: number): AsyncGenerator<InputLine> {
  let number = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (part: Uint8Array) => {
    length += part.length;
    if (length > longest) parts = [];
    else if (part.length > 0) parts.push(Buffer.from(part)); // a copy: streams may use a buffer again
  };
  const line = (): InputLine | undefined => {
    number++;
    const whole = length > longest ? undefined : trimmed(Buffer.concat(parts), number === 1);
    [parts, length] = [[], 0];
    return whole?.length === 0 ? undefined : { number, bytes: whole };
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
      take(chunk.subarray(from, end));
      from = end + 1;
      const found = line();
      if (found) yield found;
    }
    take(chunk.subarray(from));
  }
  const last = line();
  if (last) yield last;
}

function trimmed(bytes: Uint8Array, isFirst: boolean): Uint8Array {
  let from = isFirst && BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? BYTE_ORDER_MARK.length : 0;
  let to = bytes.length;
  while (from < to && isBlank(bytes[from])) from++;
  while (from < to && isBlank(bytes[to - 1])) to--;
  return bytes.subarray(from, to);
}

/** A space, a tab, or the CR of CR LF. */
const isBlank = (byte: number | undefined) => byte === 0x20 || byte === 0x09 || byte === 0x0d;
