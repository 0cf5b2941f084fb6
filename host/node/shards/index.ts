// A model in parts, in Node, Deno and Bun.

import type { Duplex, Readable, Writable } from "node:stream";
import type { Model } from "../../core/api/api.js";
import type { Connect } from "../../core/shard/connection.js";
import type { ShardedOptions, ShardOptions } from "../../core/shard/options.js";
import type { Shard } from "../../core/shard/shard.js";
import type { ByteChannel } from "../../core/shard/wire/channel.js";
import type { Source } from "../source.js";
import { sharding } from "./sharding.js";

export type { Connect } from "../../core/shard/connection.js";
export type { PartSource } from "../../core/shard/folder.js";
export type { PartOptions, ShardedOptions, ShardOptions } from "../../core/shard/options.js";
export { type Port, portChannel } from "../../core/shard/port.js";
export type { Shard } from "../../core/shard/shard.js";
export type { ByteChannel } from "../../core/shard/wire/channel.js";
export * from "../index.js";
export { partSource } from "./pieces.js";

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
 * A socket, or what a process writes and reads, as a channel. (toWeb() of Node 20 ends the process where a socket closes early.)
 * @param stream of a child, or `{ stdout: process.stdin, stdin: process.stdout }` in it
 */
export function streamChannel(stream: Duplex | { stdout: Readable; stdin: Writable }): ByteChannel {
  const [source, sink] = "stdout" in stream ? [stream.stdout, stream.stdin] : [stream, stream];
  for (const each of new Set([source, sink])) each.on("error", () => {}); // reading and writing tell
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void source.destroy(),
    },
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Uint8Array>({
    write: (bytes) =>
      new Promise((resolve, reject) => {
        sink.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => new Promise((resolve) => sink.end(resolve)),
    abort: () => void sink.destroy(),
  });
  return { readable, writable };
}
