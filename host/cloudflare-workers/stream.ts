// Streams of workerd in large chunks: its default reader hands over 4 KiB at a time, which takes ten times as long.

/** One chunk in memory is all that a load needs besides the model. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** What workerd's readers have more than the web's. */
interface ByobReader {
  readAtLeast(min: number, view: Uint8Array): Promise<{ done: boolean; value?: Uint8Array }>;
  cancel(): Promise<void>;
}

/** What streams that are read one after the other read into: garbage of this size would count. */
export interface ChunkBuffer {
  buffer?: ArrayBufferLike | undefined;
}

/** A chunk is overwritten when the next one is asked for. Leaving early cancels the stream, even while a read is pending. */
export function largeChunks(stream: ReadableStream, shared: ChunkBuffer = {}): AsyncIterable<Uint8Array> {
  const reader = stream.getReader({ mode: "byob" }) as unknown as ByobReader;
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const buffer = shared.buffer ?? new ArrayBuffer(CHUNK_BYTES);
        shared.buffer = undefined;
        const { done, value } = await reader.readAtLeast(CHUNK_BYTES, new Uint8Array(buffer));
        shared.buffer = value?.buffer; // reading has detached the old one
        if (!value?.length) return done ? { done, value: undefined } : this.next();
        return { done: false, value };
      },
      async return() {
        await reader.cancel();
        return { done: true, value: undefined };
      },
    }),
  };
}
