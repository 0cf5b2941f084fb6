// The part of a model in a folder that `zagreus shard` wrote.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ZagreusError } from "../../core/api/errors.js";
import { type PartSource, partSourceOf } from "../../core/shard/folder.js";
import { sha256 } from "./sha256.js";

/**
 * Part `index` of a folder: 0 is the edge, 1 the shard with the first layers. Every piece is checked while it is read.
 * @throws ZagreusError SOURCE_FAILED, BAD_JSON, INVALID_OPTION; while the source is read SOURCE_FAILED, BAD_CHECKSUM
 */
export async function partSource(directory: string, index: number): Promise<PartSource> {
  const text = async (file: string) => {
    return readFile(join(directory, file), "utf8").catch((cause) => {
      throw new ZagreusError("SOURCE_FAILED", `cannot read "${join(directory, file)}": ${cause.message}`, { cause });
    });
  };
  const open = async (file: string) => createReadStream(join(directory, file), { highWaterMark: 2 ** 20 });
  return partSourceOf({ text, open, sha256 }, index);
}
