// Cuts a model into the pieces that host/core/load/pieces.ts joins.

import { createHash } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { invalidOption, ZagreusError } from "../core/api/errors.js";
import { MANIFEST, type Manifest, type Piece, parseManifest } from "../core/load/pieces.js";
import { readSource } from "../core/load/source.js";
import { writeAtomically } from "./files/output_file.js";
import { openSource, type Source } from "./files/source.js";

export interface SplitOptions {
  /** Bytes of a piece; the last one has what is left. */
  pieceBytes: number;
  /** Of the whole file, for its manifest and its pieces. */
  name: string;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { loadedBytes: number; totalBytes: number | undefined }) => void) | undefined;
}

/**
 * Writes NAME.000, NAME.001 ... and, when they are there, manifest.json to `directory`, which is made. Pieces of an older manifest that
 * are no longer needed go.
 * @throws ZagreusError SOURCE_FAILED, WRITE_FAILED, DISK_FULL, ABORTED, INVALID_OPTION
 */
export async function split(source: Source, directory: string, options: SplitOptions): Promise<Manifest> {
  const { pieceBytes, name, signal, onProgress } = options;
  if (!/^[\w.-]+$/.test(name)) throw invalidOption("name", name, "letters, digits, and . _ -");
  const opened = await openSource(source, { signal });
  const manifestPath = join(directory, MANIFEST);
  const old = await oldPieces(manifestPath);
  await mkdir(directory, { recursive: true }).catch((cause) => {
    const message = `cannot make the directory "${directory}": ${cause.message}`;
    throw new ZagreusError("WRITE_FAILED", message, { field: "out", value: directory, cause });
  });
  await rm(manifestPath, { force: true }); // no manifest without its pieces

  const whole = createHash("sha256");
  const pieces: Piece[] = [];
  const reader = readSource(opened, signal);
  let bytes = 0;
  try {
    let rest: Uint8Array = new Uint8Array();
    /** The next bytes, at most `most`; none at the end. */
    const take = async (most: number) => {
      if (rest.length === 0) rest = (await reader.next()).value ?? rest;
      const taken = rest.subarray(0, most);
      rest = rest.subarray(taken.length);
      return taken;
    };
    for (let chunk = await take(pieceBytes); chunk.length > 0; chunk = await take(pieceBytes)) {
      const file = `${name}.${String(pieces.length).padStart(3, "0")}`;
      const hash = createHash("sha256");
      let length = 0;
      await writeAtomically(join(directory, file), async (sink) => {
        for (; chunk.length > 0; chunk = await take(pieceBytes - length)) {
          hash.update(chunk);
          whole.update(chunk);
          await sink(chunk);
          length += chunk.length;
          onProgress?.({ loadedBytes: bytes + length, totalBytes: opened.size });
          if (length === pieceBytes) return;
        }
      });
      pieces.push({ file, bytes: length, sha256: hash.digest("hex") });
      bytes += length;
    }
  } finally {
    await reader.return(undefined);
  }
  if (bytes === 0) throw new ZagreusError("SOURCE_FAILED", "the model is empty", { field: "source" });

  const manifest = { name, bytes, sha256: whole.digest("hex"), pieces };
  await writeAtomically(manifestPath, (sink) => sink(Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)));
  const needed = new Set(pieces.map(({ file }) => file));
  for (const file of old) if (!needed.has(file)) await rm(join(directory, file), { force: true });
  return manifest;
}

/** What an older manifest names, if there is a usable one. */
async function oldPieces(path: string): Promise<string[]> {
  try {
    return parseManifest(await readFile(path, "utf8")).pieces.map(({ file }) => file);
  } catch {
    return [];
  }
}
