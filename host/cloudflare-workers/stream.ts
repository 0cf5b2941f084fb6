// Streams of workerd in large chunks: its default reader hands over 4 KiB at a time, which takes ten times as long.

import { free } from "../core/engine/batch/elsewhere.js";

/** One chunk in memory is all that a load needs besides the model. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** What workerd's readers have more than the web's. */
interface ByobReader {
  readAtLeast(min: number, view: Uint8Array): Promise<{ done: boolean; value?: Uint8Array }>;
  cancel(): Promise<void>;
}

/** A chunk is overwritten when the next one is asked for. Leaving early cancels the stream, even while a read is pending. */
export function largeChunks(stream: ReadableStream): AsyncIterable<Uint8Array> {
  const reader = stream.getReader({ mode: "byob" }) as unknown as ByobReader;
  let buffer: ArrayBufferLike = new ArrayBuffer(CHUNK_BYTES);
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const { done, value } = await reader.readAtLeast(CHUNK_BYTES, new Uint8Array(buffer));
        if (value) buffer = value.buffer; // reading has detached the old one
        if (value?.length) return { done: false, value };
        if (!done) return this.next();
        if (value) free(buffer); // garbage of this size counts in an isolate
        return { done, value: undefined };
      },
      async return() {
        await reader.cancel();
        return { done: true, value: undefined };
      },
    }),
  };
}
