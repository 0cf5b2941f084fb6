// The SHA-256 of a file while it is loaded: edge and shards must have the same.

import type { LoadOptions } from "../api/api.js";
import type { Sha256Stream } from "../load/pieces.js";
import type { ByteSource } from "../load/source.js";

/** What opens a source. */
export interface Opener<Source> {
  open(source: Source, options: LoadOptions): ByteSource | Promise<ByteSource>;
  sha256(): Sha256Stream;
}

/** A source to be opened once. */
export interface Hashed {
  open(options: LoadOptions): Promise<ByteSource>;
  /** Known when all of it has been read. */
  sha256(): Promise<string>;
}

/** @param known of the whole file, when the source is a part of it */
export function hashed<Source>(opener: Opener<Source>, source: Source, known?: string): Hashed {
  if (known !== undefined) {
    return { open: async (options) => opener.open(source, options), sha256: async () => known };
  }
  const hash = opener.sha256();
  return {
    async open(options: LoadOptions): Promise<ByteSource> {
      const opened = await opener.open(source, options);
      return {
        ...opened,
        chunks: walk(opened.chunks, hash),
        ...(opened.refused && { refused: () => opened.refused!() }),
      };
    },
    sha256: async () => hash.digest(),
  };
}

async function* walk(chunks: AsyncIterable<Uint8Array>, hash: Sha256Stream): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (chunk instanceof Uint8Array) await hash.write(chunk); // what is none is refused by whoever reads it
    yield chunk;
  }
}
