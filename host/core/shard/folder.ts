// A part of a model, from what `zagreus shard` wrote, wherever that lies.

import { invalidOption } from "../api/errors.js";
import { MANIFEST, type Manifest, type PieceReader, parseManifest } from "../load/pieces.js";
import { type PartPieces, parseShards, partBytes, SHARDS, type ShardsManifest } from "./manifest.js";

/** Files beside each other. */
export interface PieceFolder extends PieceReader {
  /** A small file. @throws ZagreusError SOURCE_FAILED */
  text(file: string): Promise<string>;
}

export interface OpenedPart {
  manifest: Manifest;
  part: PartPieces;
  /** With the edge. */
  parts: number;
  /** What all parts have. */
  options: Pick<ShardsManifest, "contextLength" | "kvType" | "sequences" | "sha256">;
  /** The bytes of the file, each piece checked while it passes by. @throws ZagreusError SOURCE_FAILED, BAD_CHECKSUM */
  bytes(): AsyncGenerator<Uint8Array>;
}

/** What loadShard() and loadSharded() take. */
export interface PartSource extends PartPieces {
  source: AsyncIterable<Uint8Array>;
  /** What all parts have. */
  options: OpenedPart["options"];
}

/**
 * Part `index`: 0 is the edge, 1 the shard with the first layers.
 * @param name of `index`, for messages
 * @throws ZagreusError SOURCE_FAILED, BAD_JSON, INVALID_OPTION
 */
export async function openPart(folder: PieceFolder, index: number, name = "index"): Promise<OpenedPart> {
  const manifest = parseManifest(await folder.text(MANIFEST));
  const { parts, ...options } = parseShards(await folder.text(SHARDS), manifest);
  const part = parts[index];
  if (!part) throw invalidOption(name, index, `an integer from 0 to ${parts.length - 1}`);
  return { manifest, part, parts: parts.length, options, bytes: () => partBytes(manifest, part, folder) };
}

/** The same as a source. */
export async function partSourceOf(folder: PieceFolder, index: number): Promise<PartSource> {
  const { part, options, bytes } = await openPart(folder, index);
  return { ...part, source: bytes(), options };
}
