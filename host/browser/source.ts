// What load() takes in a browser: everything the web has, and URLs.

import type { LoadOptions } from "../core/api/api.js";
import { invalidOption } from "../core/api/errors.js";
import { openUrlParts } from "../core/load/open_parts.js";
import { type ByteSource, byteSource, type WebSource } from "../core/load/source.js";
import { cacheModel } from "./cache.js";
import { request } from "./request.js";

/** A URL (http:, https:, blob:, data:), as a string also relative to the page, or bytes in any form of the web's. */
export type Source = string | URL | WebSource;

/** A source as another thread can have it. */
export type PreparedSource = { url: string; cache: boolean } | Blob | AsyncIterable<Uint8Array>;

/** @throws ZagreusError INVALID_OPTION, SOURCE_FAILED for a response that is an error or already read */
export function prepareSource(source: Source, cache = false): PreparedSource {
  if (typeof cache !== "boolean") throw invalidOption("cache", cache, "true or false");
  if (typeof source === "string" || source instanceof URL) return { url: locate(source, cache), cache };
  if (cache) throw invalidOption("cache", cache, "false unless the source is a URL");
  return source instanceof Blob ? source : byteSource(source).chunks;
}

function locate(source: string | URL, cache: boolean): string {
  const { href, protocol } = parse(source);
  const known = cache ? ["http:", "https:"] : ["http:", "https:", "blob:", "data:"];
  if (known.includes(protocol)) return href;
  throw invalidOption("source", href, `a URL with ${known.join(", ")}`);
}

function parse(source: string | URL): URL {
  try {
    return new URL(source, globalThis.document?.baseURI ?? location.href);
  } catch {
    throw invalidOption("source", source, "a URL");
  }
}

/** @throws ZagreusError SOURCE_FAILED with the cause, ABORTED, and those of cacheModel() */
export async function openSource(source: PreparedSource, options: LoadOptions): Promise<ByteSource> {
  if (source instanceof Blob) return byteSource(source);
  if (!("url" in source)) return { chunks: source };
  const open = async ({ href }: URL) => {
    if (source.cache) return byteSource(await cacheModel(href, options));
    return byteSource(await request(href, { signal: options.signal ?? null }));
  };
  return openUrlParts(new URL(source.url), open, options.signal);
}
