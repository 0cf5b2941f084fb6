// A split GGUF file as the one that it was cut from:
//
//     header of part 1 without split.*, with the tensors of all parts | data of part 1 | data of part 2 | ...

import { MAX_HEADER_BYTES } from "../../../assembly/layout/gguf.js";
import { ZagreusError } from "../api/errors.js";
import { aligned, checkPart, fault, type GgufHeader, partCount, readGgufHeader, tensorBytes } from "../gguf/header.js";
import { parsePartName, partNames, SPLIT_KEYS } from "../gguf/parts.js";
import { concatenate } from "./concatenate.js";
import { type ByteSource, readSource } from "./source.js";

/** Opens a part from its first byte on; called twice for each. */
export type OpenPart = (name: string) => Promise<ByteSource>;

interface SplitPart {
  name: string;
  /** Where its tensors' data begins in it. */
  dataStart: number;
  /** Up to the end of its last tensor. */
  dataBytes: number;
}

/** magic u32 | version u32 | tensors u64 | metadata entries u64 */
const PREAMBLE_BYTES = 24;

/** Opens a file that has the name of a first part. @throws as joinSplitGguf() */
export async function openSplitGguf(path: string, open: OpenPart, signal?: AbortSignal): Promise<ByteSource> {
  const part = parsePartName(path);
  return part ? joinSplitGguf(partNames(part), open, signal) : open(path);
}

/**
 * Joins the parts of a split file; a file that only has the name of one is taken as it is.
 * @param names of the parts, in order
 * @throws ZagreusError SOURCE_FAILED naming a part that is missing or another one; what readGgufHeader() throws; while it is read
 * TRUNCATED for a part that is too short
 */
export async function joinSplitGguf(
  names: readonly string[],
  open: OpenPart,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  const first = await readHead(names[0]!, open, signal);
  if (partCount(first) < 2) return open(names[0]!);
  const parts: SplitPart[] = [];
  const infos: Uint8Array[] = [];
  let infoBytes = 0;
  let dataBytes = 0;
  for (const [index, name] of names.entries()) {
    const part = index === 0 ? first : await naming(names, readHead(name, open, signal));
    checkPart(part, index, names.length);
    for (const info of movedInfos(part, dataBytes)) {
      infos.push(info);
      infoBytes += info.length;
    }
    if (infoBytes > MAX_HEADER_BYTES) {
      throw fault("HEADER_TOO_LARGE", name, "header", "is too long with those before it", infoBytes, MAX_HEADER_BYTES);
    }
    const end = dataEnd(part);
    parts.push({ name, dataStart: part.dataStart, dataBytes: end });
    dataBytes += aligned(end, first.alignment);
  }
  const header = mergedHeader(first, infos);
  return { size: header.length + dataBytes, chunks: walk(header, parts, first.alignment, open, signal) };
}

/** The header of a part, of which no more is read. */
async function readHead(name: string, open: OpenPart, signal: AbortSignal | undefined): Promise<GgufHeader> {
  const reader = readSource(await open(name), signal);
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    return await readGgufHeader({
      name: name.slice(name.lastIndexOf("/") + 1),
      async read(length) {
        while (total < length) {
          const { done, value } = await reader.next();
          if (done) break;
          chunks.push(new Uint8Array(value)); // a Buffer's slice() is no copy
          total += value.length;
        }
        return concatenate(chunks).subarray(0, length);
      },
    });
  } finally {
    await reader.return(undefined);
  }
}

/** Says that it is about a part. */
async function naming<T>(names: readonly string[], promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof ZagreusError) || error.code !== "SOURCE_FAILED") throw error;
    const message = `a part of the split GGUF file that begins with "${names[0]}" is missing: ${error.message}`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: error.field, value: error.value, cause: error });
  }
}

/** The raw infos of a part's tensors, with offsets that count from `start`. */
function movedInfos({ bytes, tensors }: GgufHeader, start: number): Uint8Array[] {
  return tensors.map((tensor) => {
    const info = bytes.slice(tensor.start, tensor.end);
    new DataView(info.buffer).setBigUint64(info.length - 8, BigInt(tensor.offset + start), true);
    return info;
  });
}

/** Where a part's tensors end, from where its data begins; what cannot be loaded is refused when the header is. */
function dataEnd({ tensors }: GgufHeader): number {
  return tensors.reduce((end, tensor) => Math.max(end, tensor.offset + (tensorBytes(tensor) ?? 0)), 0);
}

function mergedHeader({ bytes, entries, version, alignment }: GgufHeader, infos: readonly Uint8Array[]): Uint8Array {
  const kept = [...entries].filter(([key]) => !SPLIT_KEYS.includes(key));
  const preamble = bytes.slice(0, PREAMBLE_BYTES);
  const view = new DataView(preamble.buffer);
  view.setUint32(4, version, true);
  view.setBigUint64(8, BigInt(infos.length), true);
  view.setBigUint64(16, BigInt(kept.length), true);
  const metadata = kept.map(([, { start, end }]) => bytes.subarray(start, end));
  const header = concatenate([preamble, ...metadata, ...infos]);
  return concatenate([header, new Uint8Array(aligned(header.length, alignment) - header.length)]);
}

async function* walk(
  header: Uint8Array,
  parts: readonly SplitPart[],
  alignment: number,
  open: OpenPart,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  yield header;
  for (const { name, dataStart, dataBytes } of parts) {
    let skipped = 0;
    let left = dataBytes;
    for await (const chunk of readSource(await open(name), signal)) {
      const skip = Math.min(dataStart - skipped, chunk.length);
      skipped += skip;
      const data = chunk.subarray(skip, skip + left);
      left -= data.length;
      if (data.length > 0) yield data;
      if (left === 0) break;
    }
    if (left > 0) throw fault("TRUNCATED", name, "data", `lacks ${left} bytes: it has been cut short`, left);
    yield new Uint8Array(aligned(dataBytes, alignment) - dataBytes);
  }
}
