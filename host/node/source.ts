// What load() takes in Node: everything the web has, paths, URLs, and models of the hub.

import type { LoadOptions, WebSource } from "../core/api/api.js";
import { ZagreusError } from "../core/api/errors.js";
import { checkSignal } from "../core/engine/pace.js";
import { isHubId } from "../core/hub/names.js";
import { openParts, openUrlParts } from "../core/load/open_parts.js";
import { type ByteSource, byteSource } from "../core/load/source.js";
import { fetchableUrl } from "../core/load/url.js";
import { fileSource } from "./files/file.js";

/**
 * A path, a URL (file: or what fetch() takes, also as a string), a model of the hub ("hf:owner/repo[@revision][/file]" or a short
 * name as "zagreus-ita"), or the bytes in any of the web's forms.
 */
export type Source = string | URL | WebSource;

/** @throws ZagreusError SOURCE_FAILED with the cause, INVALID_OPTION; for models of the hub also those of pullGguf() */
export async function openSource(source: Source, { signal, onProgress, quantize }: LoadOptions): Promise<ByteSource> {
  if (typeof source === "string" && isHubId(source)) {
    const path = async () => (await import("./hub.js")).hubGguf(source, { signal, onProgress, quantize });
    return openParts(await orUnreadable(source, path(), signal), fileSource, signal);
  }
  if (typeof source !== "string" && !(source instanceof URL)) return byteSource(source);
  const location = locate(source);
  const open = (place: string | URL) => openPlace(place, signal);
  return typeof location === "string" ? openParts(location, open, signal) : openUrlParts(location, open, signal);
}

/** An adapter's folder, see adapters.ts. */
export const adapterFolder = async (source: string | URL) => (await import("./adapters.js")).adapterFolder(source);

/** @throws ZagreusError SOURCE_FAILED, ABORTED */
async function openPlace(place: string | URL, signal: AbortSignal | undefined): Promise<ByteSource> {
  const reading = <T>(result: Promise<T>) => orUnreadable(place, result, signal);
  if (typeof place === "string" || place.protocol === "file:") return reading(fileSource(place));
  const { openDownload } = await import("../core/load/download.js");
  return openDownload(place.href, (headers) => reading(fetch(place, { headers, signal })), { signal });
}

/** @throws ZagreusError SOURCE_FAILED, ABORTED */
async function orUnreadable<T>(place: string | URL, result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await result;
  } catch (cause) {
    checkSignal(signal);
    if (cause instanceof ZagreusError) throw cause;
    const { hintFor, proxyHint } = await import("./hint.js");
    const hint = place instanceof URL ? proxyHint(place) : await hintFor(place, cause);
    const message = `cannot read "${place}": ${reason(cause)}${hint}`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "source", value: String(place), cause });
  }
}

function locate(source: string | URL): string | URL {
  if (typeof source === "string" && !/^(file|https?|data|blob):/i.test(source)) return source;
  return fetchableUrl(source, "source");
}

/** fetch() hides the reason in the cause. */
function reason(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || inner.name : String(inner);
}
