// A part of a model, from static assets or R2: its own pieces, each checked while it passes by.

import { invalidOption } from "../../core/api/errors.js";
import { MANIFEST, type Manifest, parseManifest } from "../../core/load/pieces.js";
import { type PartPieces, parseShards, partBytes, SHARDS, type ShardsManifest } from "../../core/shard/manifest.js";
import { assetFolder, type Folder, type LazySource, r2Folder } from "../source.js";
import type { PartBindings } from "./bindings.js";

export interface OpenedPart {
  source: LazySource;
  part: PartPieces;
  /** With the edge. */
  parts: number;
  /** What all parts have. */
  options: Pick<ShardsManifest, "contextLength" | "kvType" | "sequences" | "sha256">;
  /** Of the model's file. */
  name: string;
}

/**
 * Part `index`: 0 is the edge, 1 the shard with the first layers.
 * @throws ZagreusError SOURCE_FAILED, BAD_JSON, INVALID_OPTION; while the source is read SOURCE_FAILED, BAD_CHECKSUM
 */
export async function openPart(bindings: PartBindings, index: number): Promise<OpenedPart> {
  const { text, reader } = folderOf(bindings);
  const manifest: Manifest = parseManifest(await text(MANIFEST));
  const { parts, ...options } = parseShards(await text(SHARDS), manifest);
  const part = parts[index];
  if (!part) throw invalidOption("PART", index, `an integer from 0 to ${parts.length - 1}`);
  const source = async () => ({ size: manifest.bytes, chunks: partBytes(manifest, part, reader) });
  return { source, part, parts: parts.length, options, name: manifest.name };
}

function folderOf({ ASSETS, MODELS, FOLDER = "model" }: PartBindings): Folder {
  if (ASSETS) return assetFolder(ASSETS, `/${FOLDER}`)();
  if (MODELS) return r2Folder(MODELS, `${FOLDER}/`);
  throw invalidOption("ASSETS", ASSETS, "a binding of static assets, if MODELS is no bucket of R2");
}
