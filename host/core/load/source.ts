// Where a model's bytes come from. Everything becomes one shape, and nothing behind it asks what it was.

import type { WebSource } from "../api/api.js";
import { aborted, invalidOption, ZagreusError } from "../api/errors.js";

export interface ByteSource {
  /** Bytes in total, when that is known beforehand. */
  size?: number | undefined;
  /** The bytes in order, in chunks of any size. A chunk may be overwritten when the next one is asked for. */
  chunks: AsyncIterable<Uint8Array>;
  /** Told when the bytes are not a whole model, so that nobody keeps them. */
  refused?(): Promise<void>;
}

/**
 * Adapts what a caller passed to load().
 * @throws ZagreusError SOURCE_FAILED for a response that is an error or already read, INVALID_OPTION for anything else
 */
export function byteSource(source: WebSource): ByteSource {
  if (source instanceof Uint8Array) return { size: source.byteLength, chunks: once(source) };
  if (source instanceof ArrayBuffer) return { size: source.byteLength, chunks: once(new Uint8Array(source)) };
  if (typeof Response !== "undefined" && source instanceof Response) return fromResponse(source);
  if (typeof Blob !== "undefined" && source instanceof Blob) {
    return { size: source.size, chunks: streamChunks(source.stream()) };
  }
  if (isStream(source)) return { chunks: streamChunks(source) };
  if (isAsyncIterable(source)) return { chunks: source };
  throw invalidOption(
    "source",
    source,
    "a Uint8Array, ArrayBuffer, Blob, Response, ReadableStream or AsyncIterable of Uint8Array",
  );
}

function fromResponse(response: Response): ByteSource {
  const where = response.url ? ` for ${response.url}` : "";
  if (!response.ok) {
    const message = `HTTP status is ${`${response.status} ${response.statusText}`.trim()}${where}, must be 2xx`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "status", value: response.status, expected: 200 });
  }
  if (response.bodyUsed) throw new ZagreusError("SOURCE_FAILED", `the response body${where} was already read`);
  const length = response.headers.get("content-length");
  // With a content coding the length is that of the coded bytes; and whether there is one, other origins need not tell.
  const sure = response.type !== "cors" && !response.headers.has("content-encoding");
  const known = sure && length !== null && /^\d+$/.test(length);
  return {
    size: known ? Number(length) : undefined,
    chunks: response.body ? streamChunks(response.body) : once(new Uint8Array()),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function isStream(source: unknown): source is ReadableStream<Uint8Array> {
  return typeof (source as { getReader?: unknown } | null)?.getReader === "function";
}

function isAsyncIterable(source: unknown): source is AsyncIterable<Uint8Array> {
  return typeof (source as Partial<AsyncIterable<Uint8Array>> | null)?.[Symbol.asyncIterator] === "function";
}

/** Iterates a stream; unlike its own iterator, return() cancels it even while a read is pending. */
function streamChunks(stream: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  if (stream.locked) throw new ZagreusError("SOURCE_FAILED", "the stream is locked by another reader");
  const reader = stream.getReader();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const { done, value } = await reader.read();
        return done ? { done, value: undefined } : { done, value };
      },
      async return() {
        await reader.cancel();
        return { done: true, value: undefined };
      },
    }),
  };
}

/**
 * Walks a source so that whatever goes wrong in it is a SOURCE_FAILED, an abort does not wait for a stalled read, and
 * leaving early cancels it.
 */
export async function* readSource({ chunks }: ByteSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  let open = true;
  try {
    for (let index = 0; ; index++) {
      const result = await unlessAborted(iterator.next(), signal);
      if (result.done) {
        open = false;
        return;
      }
      if (!(result.value instanceof Uint8Array)) {
        const message = `chunk ${index} of the source is not a Uint8Array`;
        throw new ZagreusError("SOURCE_FAILED", message, { field: "source", value: typeof result.value });
      }
      if (result.value.length > 0) yield result.value;
    }
  } catch (error) {
    if (error instanceof ZagreusError) throw error;
    open = false; // an iterator that threw is finished
    const reason = error instanceof Error ? error.message : String(error);
    throw new ZagreusError("SOURCE_FAILED", `reading the model failed: ${reason}`, { cause: error });
  } finally {
    // Not awaited: a stalled source may never answer.
    if (open) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** A promise, or ABORTED as soon as the signal fires. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
