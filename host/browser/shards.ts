// zagreus-edge/shards for browsers: a model in parts over tabs, workers, and whatever else a page has a connection to.

import type { Model } from "../core/api/api.js";
import { ZagreusError } from "../core/api/errors.js";
import { Sha256 } from "../core/api/sha256.js";
import type { Sha256Stream } from "../core/load/pieces.js";
import { byteSource } from "../core/load/source.js";
import type { Connect } from "../core/shard/connection.js";
import { type PartSource, partSourceOf } from "../core/shard/folder.js";
import { createSharding } from "../core/shard/index.js";
import type { ShardedOptions, ShardOptions } from "../core/shard/options.js";
import type { Shard } from "../core/shard/shard.js";
import { absoluteUrl, request } from "./net/request.js";
import { platform } from "./platform.js";
import { openSource, prepareSource, type Source } from "./source.js";

export type { Connect } from "../core/shard/connection.js";
export type { PartSource } from "../core/shard/folder.js";
export type { PartOptions, ShardedOptions, ShardOptions } from "../core/shard/options.js";
export { type Port, portChannel } from "../core/shard/port.js";
export type { Shard } from "../core/shard/shard.js";
export type { ByteChannel } from "../core/shard/wire/channel.js";
export * from "../index.js";
export type { Source } from "./source.js";

function sha256(): Sha256Stream {
  const hash = new Sha256();
  return { write: (bytes) => void hash.update(bytes), digest: async () => hash.digest() };
}

const sharding = createSharding<Source>({
  ...platform,
  open: (source, options) => openSource(prepareSource(source), options),
  sha256,
});

/**
 * Loads layers of a model, to be served to whoever has its edge; the rest of the file is read and left.
 * @throws ZagreusError as load() does
 */
export const loadShard: (source: Source, options: ShardOptions) => Promise<Shard> = sharding.loadShard;

/**
 * Loads the edge of a model whose layers are in shards, connected to in the order of their layers. What it answers is to the bit what
 * load() does. A shard that is lost, or comes back empty, costs time: what it had is run again.
 * @throws ZagreusError as load() does, and SHARD_FAILED
 */
export const loadSharded: (source: Source, shards: readonly Connect[], options?: ShardedOptions) => Promise<Model> =
  sharding.loadSharded;

/**
 * Part `index` of a folder that `zagreus shard` wrote, at its URL: 0 is the edge, 1 the shard with the first layers. Pieces are checked as they come.
 * @throws ZagreusError SOURCE_FAILED, BAD_JSON, INVALID_OPTION; while the source is read SOURCE_FAILED, BAD_CHECKSUM
 */
export async function partSource(folder: string | URL, index: number): Promise<PartSource> {
  const { href } = absoluteUrl(folder, "folder");
  const base = href.endsWith("/") ? href : `${href}/`;
  const get = async (file: string) => {
    const url = new URL(encodeURIComponent(file), base).href;
    const response = await request(url, {});
    if (response.ok) return response;
    const { status } = response;
    const message = `cannot read "${url}": HTTP status is ${status}, must be 200`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "status", value: status, expected: 200 });
  };
  const text = async (file: string) => (await get(file)).text();
  const open = async (file: string) => byteSource(await get(file)).chunks;
  return partSourceOf({ text, open, sha256 }, index);
}
