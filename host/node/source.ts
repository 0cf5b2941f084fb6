// What load() takes in Node: everything the web has, and paths and URLs.

import { invalidOption, ZagreusError } from "../core/errors.js";
import { checkSignal } from "../core/pace.js";
import { type ByteSource, byteSource, type WebSource } from "../core/source.js";
import { fileSource } from "./file.js";

/** A path, a URL (file:, http:, https:, also as a string), or the bytes in any of the web's forms. */
export type Source = string | URL | WebSource;

/** @throws ZagreusError SOURCE_FAILED with the cause, INVALID_OPTION */
export async function openSource(source: Source, signal: AbortSignal | undefined): Promise<ByteSource> {
  if (typeof source === "string" && source.startsWith("hf:")) {
    throw invalidOption("source", source, "a path or URL: hub ids are not supported in this version");
  }
  if (typeof source !== "string" && !(source instanceof URL)) return byteSource(source);
  const location = locate(source);
  try {
    if (location instanceof URL && location.protocol !== "file:") return byteSource(await fetch(location, { signal }));
    return await fileSource(location);
  } catch (error) {
    if (error instanceof ZagreusError) throw error;
    checkSignal(signal);
    throw new ZagreusError("SOURCE_FAILED", `cannot read "${source}": ${reason(error)}`, {
      field: "source",
      value: String(source),
      cause: error,
    });
  }
}

function locate(source: string | URL): string | URL {
  if (typeof source === "string" && !/^(file|https?):/i.test(source)) return source;
  const url = new URL(source);
  if (!["file:", "http:", "https:"].includes(url.protocol)) {
    throw invalidOption("source", url.href, "a file:, http: or https: URL");
  }
  return url;
}

/** fetch() hides the reason in the cause. */
function reason(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || inner.name : String(inner);
}
