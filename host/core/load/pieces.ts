// A file in pieces beside a manifest, for hosts that serve files of a limited size. `zagreus split` writes them.

import { ZagreusError } from "../api/errors.js";
import { parseJson } from "../api/json.js";
import type { ByteSource } from "./source.js";

export const MANIFEST = "manifest.json";

export interface FilePiece {
  /** Beside the manifest. */
  file: string;
  bytes: number;
  /** In hexadecimal, lower case. */
  sha256: string;
}

export interface Manifest {
  name: string;
  /** Of all pieces together, as is sha256. */
  bytes: number;
  sha256: string;
  /** In order. */
  pieces: FilePiece[];
}

/** What a runtime supplies. */
export interface PieceReader {
  /** Opens a file beside the manifest. @throws ZagreusError SOURCE_FAILED */
  open(file: string): Promise<AsyncIterable<Uint8Array>>;
  sha256(): Sha256Stream;
}

export interface Sha256Stream {
  /** Resolves when the bytes may be overwritten. */
  write(bytes: Uint8Array): Promise<void> | void;
  /** In hexadecimal, lower case. */
  digest(): Promise<string> | string;
}

/**
 * The file that a manifest describes. Every piece is checked while it passes by: a wrong one fails the load at its end.
 * @throws ZagreusError BAD_JSON, while it is read SOURCE_FAILED for a piece that is missing, short or too long, BAD_CHECKSUM
 */
export function joinPieces(manifest: Manifest, reader: PieceReader): ByteSource {
  return { size: manifest.bytes, chunks: walk(manifest.pieces, reader) };
}

async function* walk(pieces: readonly FilePiece[], reader: PieceReader): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    const { file, bytes, sha256 } = piece;
    const hash = reader.sha256();
    let length = 0;
    for await (const chunk of await reader.open(file)) {
      length += chunk.length;
      if (length > bytes) throw wrongLength(piece, length);
      await hash.write(chunk);
      yield chunk;
    }
    if (length < bytes) throw wrongLength(piece, length);
    const actual = await hash.digest();
    if (actual !== sha256) {
      const message = `piece "${file}" has SHA-256 ${actual}, must have ${sha256}`;
      throw new ZagreusError("BAD_CHECKSUM", message, { field: file, value: actual, expected: sha256 });
    }
  }
}

function wrongLength({ file, bytes }: FilePiece, length: number): ZagreusError {
  const message = `piece "${file}" has ${length < bytes ? "only" : "at least"} ${length} bytes, must have ${bytes}`;
  return new ZagreusError("SOURCE_FAILED", message, { field: file, value: length, expected: bytes });
}

const MAX_PIECES = 10_000;

/** @throws ZagreusError BAD_JSON with the field that is not what it must be */
export function parseManifest(text: string): Manifest {
  const manifest = parse(text);
  check("name", manifest.name, typeof manifest.name === "string", "a string");
  checkSizeAndHash("", manifest);
  const { pieces } = manifest;
  check("pieces", pieces, Array.isArray(pieces) && pieces.length <= MAX_PIECES, `an array of at most ${MAX_PIECES}`);
  let sum = 0;
  for (const [index, piece] of pieces.entries()) {
    const at = `pieces[${index}]`;
    check(at, piece, typeof piece === "object" && piece !== null, "an object");
    const plain = typeof piece.file === "string" && /^[^/\\?#]+$/.test(piece.file) && !/^\.+$/.test(piece.file);
    check(`${at}.file`, piece.file, plain, "the name of a file");
    checkSizeAndHash(`${at}.`, piece);
    sum += piece.bytes;
  }
  check("bytes", manifest.bytes, manifest.bytes === sum, `${sum}, the sum of all pieces`);
  return manifest;
}

function parse(text: string): Manifest {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new ZagreusError("BAD_JSON", `${MANIFEST} is no JSON`, { field: MANIFEST, cause });
  }
  check("all of it", value, typeof value === "object" && value !== null, "an object");
  return value as Manifest;
}

function checkSizeAndHash(where: string, { bytes, sha256 }: Pick<FilePiece, "bytes" | "sha256">): void {
  check(`${where}bytes`, bytes, Number.isSafeInteger(bytes) && bytes > 0, "an integer of at least 1");
  const isHash = typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
  check(`${where}sha256`, sha256, isHash, "64 hexadecimal digits");
}

function check(field: string, value: unknown, right: boolean, expected: string): void {
  if (right) return;
  const message = `${MANIFEST}: ${field} is ${JSON.stringify(value)?.slice(0, 60)}, must be ${expected}`;
  throw new ZagreusError("BAD_JSON", message, { field, value, expected });
}
