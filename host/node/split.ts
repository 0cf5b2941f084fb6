// Cuts a model into the pieces that host/core/load/pieces.ts joins.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { invalidOption, ZagreusError } from "../core/api/errors.js";
import { type FilePiece, MANIFEST, type Manifest, parseManifest } from "../core/load/pieces.js";
import { readSource } from "../core/load/source.js";
import { writeAtomically } from "./files/output_file.js";
import { removeLeftovers } from "./files/temporary.js";
import { openSource, type Source } from "./source.js";

/** Holds the names of models while they are split. */
const UNFINISHED = ".split";

export interface SplitOptions {
  /** Bytes of a piece, by where it begins; the last one has what is left. */
  pieceBytes: number | ((offset: number) => number);
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
  const { name, signal, onProgress } = options;
  if (!isName(name)) throw invalidOption("name", name, "letters, digits, and . _ -");
  const opened = await openSource(source, { signal });
  await mkdir(directory, { recursive: true }).catch((cause) => {
    const message = `cannot make the directory "${directory}": ${cause.message}`;
    throw new ZagreusError("WRITE_FAILED", message, { field: "out", value: directory, cause });
  });
  const earlier = await Pieces.begin(directory, name);
  const reader = readSource(opened, signal);
  const onBytes = (loadedBytes: number) => onProgress?.({ loadedBytes, totalBytes: opened.size });
  try {
    const manifest = await writePieces(reader, directory, options, onBytes);
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    await writeAtomically(join(directory, MANIFEST), (sink) => sink(Buffer.from(text)));
    await earlier.removeExcept(manifest.pieces.map(({ file }) => file));
    return manifest;
  } finally {
    await reader.return(undefined);
  }
}

async function writePieces(
  reader: AsyncGenerator<Uint8Array>,
  directory: string,
  { pieceBytes, name }: SplitOptions,
  onBytes: (loadedBytes: number) => void,
): Promise<Manifest> {
  const whole = createHash("sha256");
  const pieces: FilePiece[] = [];
  let bytes = 0;
  let rest: Uint8Array = new Uint8Array();
  /** The next bytes, at most `max`; none at the end. */
  const read = async (max: number) => {
    if (rest.length === 0) rest = (await reader.next()).value ?? rest;
    const chunk = rest.subarray(0, max);
    rest = rest.subarray(chunk.length);
    return chunk;
  };
  const bytesOfNext = () => (typeof pieceBytes === "number" ? pieceBytes : pieceBytes(bytes));
  for (let chunk = await read(bytesOfNext()); chunk.length > 0; chunk = await read(bytesOfNext())) {
    const most = bytesOfNext();
    const file = pieceName(name, pieces.length);
    const hash = createHash("sha256");
    let length = 0;
    await writeAtomically(join(directory, file), async (sink) => {
      for (; chunk.length > 0; chunk = await read(most - length)) {
        hash.update(chunk);
        whole.update(chunk);
        await sink(chunk);
        length += chunk.length;
        onBytes(bytes + length);
        if (length === most) return;
      }
    });
    pieces.push({ file, bytes: length, sha256: hash.digest("hex") });
    bytes += length;
  }
  if (bytes === 0) throw new ZagreusError("SOURCE_FAILED", "the model is empty", { field: "source" });
  return { name, bytes, sha256: whole.digest("hex"), pieces };
}

const pieceName = (name: string, index: number) => `${name}.${String(index).padStart(3, "0")}`;

/** What earlier runs have left in a directory: pieces of a manifest, or without one when they were killed. */
class Pieces {
  readonly #directory: string;
  readonly #names: readonly string[];

  private constructor(directory: string, names: readonly string[]) {
    this.#directory = directory;
    this.#names = names;
  }

  /** Notes which models are being split, for the case of a kill, and takes the manifest away: there is none without its pieces. */
  static async begin(directory: string, name: string): Promise<Pieces> {
    const manifest = join(directory, MANIFEST);
    const begun = await readFile(join(directory, UNFINISHED), "utf8").catch(() => "");
    const names = [...new Set([name, ...begun.split("\n").filter(isName), ...(await oldNames(manifest))])];
    await writeAtomically(join(directory, UNFINISHED), (sink) => sink(Buffer.from(`${names.join("\n")}\n`)));
    await rm(manifest, { force: true });
    const pieces = new Pieces(directory, names);
    await removeLeftovers(directory, (file) => pieces.#has(file));
    return pieces;
  }

  async removeExcept(needed: readonly string[]): Promise<void> {
    for (const file of await readdir(this.#directory)) {
      if (this.#has(file) && !needed.includes(file)) await rm(join(this.#directory, file), { force: true });
    }
    await rm(join(this.#directory, UNFINISHED), { force: true });
  }

  #has(file: string): boolean {
    return this.#names.some((name) => file.startsWith(`${name}.`) && /^\d{3,}$/.test(file.slice(name.length + 1)));
  }
}

const isName = (name: string) => /^[\w.-]+$/.test(name);

/** The models of an older manifest's pieces, if there is a usable one. */
async function oldNames(path: string): Promise<string[]> {
  try {
    const files = parseManifest(await readFile(path, "utf8")).pieces.map(({ file }) => file);
    return files.map((file) => file.replace(/\.\d{3,}$/, "")).filter(isName);
  } catch {
    return [];
  }
}
