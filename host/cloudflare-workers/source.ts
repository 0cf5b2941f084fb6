// What load() takes in a Worker: everything the web has, URLs, objects of R2, and static assets in pieces.

import type { WebSource } from "../core/api/api.js";
import { invalidOption, ZagreusError } from "../core/api/errors.js";
import { hex } from "../core/api/hex.js";
import { openUrlParts } from "../core/load/open_parts.js";
import { joinPieces, MANIFEST, parseManifest, type Sha256Stream } from "../core/load/pieces.js";
import { type ByteSource, byteSource } from "../core/load/source.js";
import { fetchableUrl } from "../core/load/url.js";
import type { PieceFolder } from "../core/shard/folder.js";
import { largeChunks } from "./stream.js";

/** Opened when a model is loaded from it, so that one can be loaded from it again. */
export type LazySource = (signal?: AbortSignal) => Promise<ByteSource>;

/** A URL (http:, https:, also as a string), what r2() and assets() return, or the bytes in any of the web's forms. */
export type Source = string | URL | LazySource | WebSource;

/** What is used of an R2 bucket. */
export interface Bucket {
  get(key: string): Promise<{ size: number; body: ReadableStream } | null>;
}

/** What is used of a binding of static assets, or of another service. */
export interface Fetcher {
  fetch(url: string, init?: { signal?: AbortSignal }): Promise<Response>;
}

/**
 * The object `key` of an R2 bucket. Missing, or not to be read, it is SOURCE_FAILED; cut off, TRUNCATED.
 * @throws ZagreusError INVALID_OPTION
 */
export function r2(bucket: Bucket, key: string): LazySource {
  if (typeof bucket?.get !== "function") throw invalidOption("bucket", bucket, "a binding of an R2 bucket");
  if (typeof key !== "string") throw invalidOption("key", key, "a string");
  return async () => {
    const { size, body } = await openObject(bucket, key);
    return { size, chunks: largeChunks(body) };
  };
}

/**
 * Static assets: the folder at `path` that `zagreus split` wrote. Its errors are those of joinPieces(), as SOURCE_FAILED
 * where nothing is found.
 * @throws ZagreusError INVALID_OPTION
 */
export function assets(binding: Fetcher, path: string): LazySource {
  const folder = assetFolder(binding, path);
  return async (signal) => {
    const files = folder(signal);
    return joinPieces(parseManifest(await files.text(MANIFEST)), files);
  };
}

/** @throws ZagreusError INVALID_OPTION */
export function assetFolder(binding: Fetcher, path: string): (signal?: AbortSignal) => PieceFolder {
  if (typeof binding?.fetch !== "function") throw invalidOption("binding", binding, "a binding of static assets");
  if (typeof path !== "string") throw invalidOption("path", path, "a string");
  const folder = fetchableUrl(`${path.replace(/\/$/, "")}/`, "path", "https://assets.local");
  return (signal) => {
    const open = async (file: string) => {
      const url = new URL(encodeURIComponent(file), folder);
      const what = `the asset "${url.pathname}"`;
      const response = await reading(what, binding.fetch(url.href, signal ? { signal } : {}));
      if (response.ok) return response;
      const { status } = response;
      const message = `${what} cannot be read: HTTP status is ${status}, must be 200`;
      throw new ZagreusError("SOURCE_FAILED", message, { field: "status", value: status, expected: 200 });
    };
    return {
      text: async (file) => reading(`"${file}"`, (await open(file)).text()),
      open: async (file) => largeChunks((await open(file)).body ?? empty()),
      sha256,
    };
  };
}

/** Objects of R2 whose keys begin with `prefix`. @throws ZagreusError INVALID_OPTION */
export function r2Folder(bucket: Bucket, prefix: string): PieceFolder {
  const open = async (file: string) => (await openObject(bucket, prefix + file)).body;
  return {
    text: async (file) => reading(`"${file}"`, new Response(await open(file)).text()),
    open: async (file) => largeChunks(await open(file)),
    sha256,
  };
}

async function openObject(bucket: Bucket, key: string): Promise<{ size: number; body: ReadableStream }> {
  if (typeof bucket?.get !== "function") throw invalidOption("bucket", bucket, "a binding of an R2 bucket");
  const what = `the R2 object "${key}"`;
  const object = await reading(what, bucket.get(key));
  if (object) return object;
  throw new ZagreusError("SOURCE_FAILED", `${what} does not exist`, { field: "key", value: key });
}

/** @throws ZagreusError SOURCE_FAILED, INVALID_OPTION */
export async function openSource(source: Source, signal: AbortSignal | undefined): Promise<ByteSource> {
  if (typeof source === "function") return openLazy(source, signal);
  if (typeof source !== "string" && !(source instanceof URL)) return byteSource(source);
  if (!/^https?:/i.test(String(source)) || !URL.canParse(source)) {
    throw invalidOption("source", String(source), "an http: or https: URL");
  }
  const open = async (url: URL) => byteSource(await reading(`"${url}"`, fetch(url, signal ? { signal } : {})));
  return openUrlParts(new URL(source), open, signal);
}

async function openLazy(source: LazySource, signal: AbortSignal | undefined): Promise<ByteSource> {
  const opened = await reading("the source", (async () => source(signal))());
  if (typeof opened?.chunks?.[Symbol.asyncIterator] === "function") return opened;
  throw invalidOption("source", source, "what r2() or assets() returns, if it is a function");
}

const empty = () => new Blob().stream();

async function reading<T>(what: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    if (cause instanceof ZagreusError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ZagreusError("SOURCE_FAILED", `cannot read ${what}: ${reason}`, { cause });
  }
}

/** A stream, of which nothing is kept. */
interface DigestStream extends WritableStream<Uint8Array> {
  readonly digest: Promise<ArrayBuffer>;
}
declare const crypto: { DigestStream: new (algorithm: string) => DigestStream };

export function sha256(): Sha256Stream {
  const stream = new crypto.DigestStream("SHA-256");
  const writer = stream.getWriter();
  return {
    write: (bytes) => writer.write(bytes),
    async digest() {
      await writer.close();
      return hex(new Uint8Array(await stream.digest));
    },
  };
}
