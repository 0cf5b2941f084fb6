// The part of a model in a folder that `zagreus shard` wrote.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { invalidOption, ZagreusError } from "../../core/api/errors.js";
import { MANIFEST, type PieceReader, parseManifest } from "../../core/load/pieces.js";
import { type PartPieces, parseShards, partBytes, SHARDS, type ShardsManifest } from "../../core/shard/manifest.js";
import { sha256 } from "./sha256.js";

/** What loadShard() and loadSharded() take. */
export interface PartSource extends PartPieces {
  source: AsyncIterable<Uint8Array>;
  /** What all parts have. */
  options: Pick<ShardsManifest, "contextLength" | "kvType" | "sequences" | "sha256">;
}

/**
 * Part `index` of a folder: 0 is the edge, 1 the shard with the first layers. Every piece is checked while it is read.
 * @throws ZagreusError SOURCE_FAILED, BAD_JSON, INVALID_OPTION; while the source is read SOURCE_FAILED, BAD_CHECKSUM
 */
export async function partSource(directory: string, index: number): Promise<PartSource> {
  const read = async (file: string) => {
    return readFile(join(directory, file), "utf8").catch((cause) => {
      throw new ZagreusError("SOURCE_FAILED", `cannot read "${join(directory, file)}": ${cause.message}`, { cause });
    });
  };
  const manifest = parseManifest(await read(MANIFEST));
  const { parts, ...options } = parseShards(await read(SHARDS), manifest);
  const part = parts[index];
  if (!part) throw invalidOption("index", index, `an integer from 0 to ${parts.length - 1}`);
  const reader: PieceReader = {
    open: async (file) => createReadStream(join(directory, file), { highWaterMark: 2 ** 20 }),
    sha256,
  };
  return { ...part, source: partBytes(manifest, part, reader), options };
}
