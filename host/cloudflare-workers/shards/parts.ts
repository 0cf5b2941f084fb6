// A part of a model, from static assets or R2: its own pieces, each checked while it passes by.

import { invalidOption } from "../../core/api/errors.js";
import { type OpenedPart as Opened, openPart as open, type PieceFolder } from "../../core/shard/folder.js";
import { assetFolder, type LazySource, r2Folder } from "../source.js";
import type { PartBindings } from "./bindings.js";

export interface OpenedPart extends Omit<Opened, "manifest" | "bytes"> {
  source: LazySource;
}

/**
 * Part `index`: 0 is the edge, 1 the shard with the first layers.
 * @throws ZagreusError SOURCE_FAILED, BAD_JSON, INVALID_OPTION; while the source is read SOURCE_FAILED, BAD_CHECKSUM
 */
export async function openPart(bindings: PartBindings, index: number): Promise<OpenedPart> {
  const { manifest, bytes, ...part } = await open(folderOf(bindings), index, "PART");
  return { ...part, source: async () => ({ size: manifest.bytes, chunks: bytes() }) };
}

function folderOf({ ASSETS, MODELS, FOLDER = "model" }: PartBindings): PieceFolder {
  if (ASSETS) return assetFolder(ASSETS, `/${FOLDER}`)();
  if (MODELS) return r2Folder(MODELS, `${FOLDER}/`);
  throw invalidOption("ASSETS", ASSETS, "a binding of static assets, if MODELS is no bucket of R2");
}
