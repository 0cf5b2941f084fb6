// Contents of frames. RUN and ROWS are words, u32 or f32:
//
//     RUN     id | copies | of each: source, target, positions | runs | of each: position, rows, pages, page[pages]
//             | states f32[rows][hidden] | overflows f32[rows]
//     ROWS    id | states f32[rows][hidden] | overflows f32[rows]

import { MAX_BATCH, MAX_SEQUENCES } from "../../../../assembly/layout/abi.js";
import { BLOCK } from "../../../../assembly/layout/kv.js";
import { ZagreusError } from "../../api/errors.js";
import { isObject, parseJson } from "../../api/json.js";
import type { RemoteRows, RemoteRun } from "../../engine/batch/elsewhere.js";
import { type PackedError, packError, unpackError } from "../../offload/packed_error.js";
import { badFrame } from "./frames.js";

/** What a shard is. */
export interface Hello {
  /** SHA-256 of the model's file. */
  model: string;
  /** Names what the shard has of it: XXH64, in hexadecimal. */
  part: string;
  /** Layers first..end - 1, of so many. */
  first: number;
  end: number;
  layers: number;
  hidden: number;
  contextLength: number;
  kvType: string;
  /** Runs of rows in a pass at most. */
  sequences: number;
  pages: number;
}

const NUMBERS = ["first", "end", "layers", "hidden", "contextLength", "sequences", "pages"] as const;
const TEXTS = ["model", "part", "kvType"] as const;

/** Positions of a page that are copied to another. */
export type Copy = readonly [source: number, target: number, length: number];

/** Bytes that frames have at most. */
export function maxFrameBytes({ hidden, contextLength }: Pick<Hello, "hidden" | "contextLength">): number {
  const runs = MAX_SEQUENCES * (3 + Math.ceil(contextLength / BLOCK));
  return 65536 + 4 * (MAX_BATCH * (hidden + 1) + runs) + 12 * MAX_COPIES;
}
/** More would be another's mistake. */
const MAX_COPIES = 4096;

export const encodeJson = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** @throws ZagreusError SHARD_FAILED */
export function decodeHello(contents: Uint8Array): Hello {
  const value = decodeJson(contents);
  for (const field of NUMBERS) {
    if (!Number.isSafeInteger(value[field]) || (value[field] as number) < 0)
      throw badFrame(field, value[field], "an integer of at least 0");
  }
  for (const field of TEXTS) if (typeof value[field] !== "string") throw badFrame(field, value[field], "a string");
  return value as unknown as Hello;
}

export const encodeError = (error: unknown) => encodeJson(packError(error));

/** SHARD_FAILED with what the shard has said as its cause. */
export function decodeError(contents: Uint8Array, name: string): ZagreusError {
  const value = decodeJson(contents);
  const { message } = value;
  if (typeof message !== "string") throw badFrame("message", message, "a string");
  const cause = unpackError(value as unknown as PackedError);
  return new ZagreusError("SHARD_FAILED", `${name} failed: ${message}`, { cause });
}

function decodeJson(contents: Uint8Array): Record<string, unknown> {
  try {
    const value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(contents));
    if (isObject(value)) return value;
  } catch {}
  throw badFrame("text", new TextDecoder().decode(contents.subarray(0, 60)), "a JSON object");
}

/** The words of RUN in front of its rows. */
export function encodeRuns(id: number, copies: readonly Copy[], runs: readonly RemoteRun[]): Uint8Array {
  const words = [id, copies.length, ...copies.flat(), runs.length];
  for (const { position, count, pages } of runs) words.push(position, count, pages.length, ...pages);
  return bytesOf(Uint32Array.from(words));
}

export interface RunRequest extends RemoteRows {
  id: number;
  copies: Copy[];
  runs: RemoteRun[];
}

/** @throws ZagreusError SHARD_FAILED */
export function decodeRun(contents: Uint8Array, hidden: number): RunRequest {
  const words = wordsOf(contents);
  let at = 0;
  const next = () => {
    if (at === words.length) throw badFrame("length", contents.length, `more than ${contents.length}`);
    return words[at++]!;
  };
  const list = <T>(max: number, item: () => T): T[] => {
    const count = next();
    if (count > max) throw badFrame("count", count, `at most ${max}`);
    return Array.from({ length: count }, item);
  };
  const id = next();
  const copies = list(MAX_COPIES, (): Copy => [next(), next(), next()]);
  const runs = list(MAX_SEQUENCES, () => ({ position: next(), count: next(), pages: list(words.length, next) }));
  const rows = runs.reduce((sum, { count }) => sum + count, 0);
  return { id, copies, runs, ...decodeRows(contents.subarray(4 * at), rows, hidden) };
}

/** Rows behind the words of RUN, or behind the id of ROWS. */
export const encodeRows = ({ states, overflows }: RemoteRows) => [bytesOf(states), bytesOf(overflows)] as const;
export const encodeId = (id: number) => bytesOf(Uint32Array.of(id));

/** @throws ZagreusError SHARD_FAILED */
export function decodeId(contents: Uint8Array): number {
  return wordsOf(contents.subarray(0, 4))[0] ?? -1;
}

/** @throws ZagreusError SHARD_FAILED for another number of bytes than these rows have */
export function decodeRows(bytes: Uint8Array, rows: number, hidden: number): RemoteRows {
  const expected = 4 * rows * (hidden + 1);
  if (bytes.length !== expected) throw badFrame("bytes of rows", bytes.length, expected);
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return { states: floats.subarray(0, rows * hidden), overflows: floats.subarray(rows * hidden) };
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  if (bytes.length % 4 !== 0) throw badFrame("length", bytes.length, "a multiple of 4");
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array | Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
