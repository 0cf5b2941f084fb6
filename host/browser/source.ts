// What load() takes in a browser: everything the web has, and URLs.

import type { LoadOptions, WebSource } from "../core/api/api.js";
import { invalidOption, part } from "../core/api/errors.js";
import { isHubId } from "../core/hub/names.js";
import { openUrlParts } from "../core/load/open_parts.js";
import { type ByteSource, byteSource } from "../core/load/source.js";
import type { HubAssets } from "./assets.js";
import { absoluteUrl, request } from "./net/request.js";

/**
 * Any URL that fetch() takes, as a string also relative to the page, a model of the hub ("hf:owner/repo[@revision][/file]" or a short
 * name), or bytes in any form of the web's.
 */
export type Source = string | URL | WebSource;

/** A source whose form is right. */
export type PreparedSource =
  | { url: string; cache: boolean }
  | { hub: string; endpoint: string; assets: HubAssets | undefined }
  | { bytes: WebSource };

const HUB = "https://huggingface.co";

/** @throws ZagreusError INVALID_OPTION */
export function prepareSource(
  source: Source,
  cache = false,
  hub: string | URL = HUB,
  assets?: HubAssets,
): PreparedSource {
  if (typeof cache !== "boolean") throw invalidOption("cache", cache, "true or false");
  if (typeof source === "string" && isHubId(source)) {
    return { hub: source, endpoint: absoluteUrl(hub, "hub").href.replace(/\/+$/, ""), assets };
  }
  if (typeof source === "string" || source instanceof URL) return { url: locate(source, cache), cache };
  if (cache) throw invalidOption("cache", cache, "false unless the source is a URL");
  return { bytes: source };
}

/** Whether a copy of it can be opened in another thread. */
export function canBeOpenedElsewhere(source: PreparedSource): boolean {
  return !("bytes" in source) || source.bytes instanceof Blob;
}

/** URLs that mean something else tomorrow, or are the bytes themselves. */
const UNCACHEABLE = ["blob:", "data:"];

function locate(source: string | URL, cache: boolean): string {
  const { href, protocol } = absoluteUrl(source, "source");
  if (cache && UNCACHEABLE.includes(protocol)) throw invalidOption("source", href, `no ${protocol} URL with "cache"`);
  return href;
}

/** @throws ZagreusError SOURCE_FAILED with the cause, ABORTED, INVALID_OPTION, and those of cacheModel() and hubFile() */
export async function openSource(source: PreparedSource, options: LoadOptions): Promise<ByteSource> {
  if ("bytes" in source) return byteSource(source.bytes);
  if ("hub" in source) {
    const { hubFile } = await part(import("./extras.js"));
    return byteSource(await hubFile(source, options));
  }
  const open = async ({ href }: URL) => {
    if (!source.cache) return byteSource(await request(href, { signal: options.signal ?? null }));
    const { cacheModel, distrustCachedModel } = await part(import("./extras.js"));
    return { ...byteSource(await cacheModel(href, options)), refused: () => distrustCachedModel(href) };
  };
  return openUrlParts(new URL(source.url), open, options.signal);
}
