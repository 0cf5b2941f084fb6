// Whether what load() takes in a browser is here.

import { parseHubId, repositoryFolder } from "../../core/hub/id.js";
import { isHubId } from "../../core/hub/names.js";
import type { Availability } from "../../core/prompt_api/api/types.js";
import { privateFiles } from "../files/access_handle.js";
import { hubCache } from "../files/cached.js";
import { cacheState } from "../files/url_cache.js";
import { absoluteUrl } from "../net/request.js";
import type { Source } from "../source.js";

/** Of a repository in the hub's cache (host/core/hub/cache.ts), where files lie under their own names. */
const PLACES = ["snapshots", "zagreus"];

/** Whether the file of a source is kept: that of a URL, unless the caller says no or there is no private file system. */
export async function isKept(source: Source, { cache = true }: { cache?: boolean | undefined }): Promise<boolean> {
  if (!cache || (typeof source !== "string" && !(source instanceof URL))) return false;
  if (typeof source === "string" && isHubId(source)) return false; // always kept, by itself
  if (!/^https?:$/.test(absoluteUrl(source, "source").protocol)) return false;
  return privateFiles().then(
    () => true,
    () => false,
  );
}

/** Asks the private file system, and nobody else. */
export async function availabilityOf(
  source: Source,
  options: { cache?: boolean | undefined } = {},
): Promise<Availability> {
  if (typeof source === "string" && isHubId(source)) {
    return (await hasOfHub(source).catch(() => false)) ? "available" : "downloadable";
  }
  if (typeof source !== "string" && !(source instanceof URL)) return "available";
  const { href, protocol } = absoluteUrl(source, "source");
  if (protocol === "data:" || protocol === "blob:") return "available";
  return (await isKept(source, options)) ? cacheState(href).catch(() => "downloadable") : "downloadable";
}

/** Whether the file that an id names, or any GGUF file of its repository, is there. */
async function hasOfHub(id: string): Promise<boolean> {
  const { repository, file } = parseHubId(id);
  const folder = await (await hubCache())?.getDirectoryHandle(repositoryFolder(repository));
  if (!folder) return false;
  const wanted = (path: string) => (file ? path.endsWith(`/${file}`) : /\/[^./][^/]*\.gguf$/i.test(path));
  for (const place of PLACES) {
    const inner = await folder.getDirectoryHandle(place).catch(() => undefined);
    if (inner && (await holds(inner, "", wanted))) return true;
  }
  return false;
}

async function holds(
  folder: FileSystemDirectoryHandle,
  path: string,
  wanted: (path: string) => boolean,
): Promise<boolean> {
  for await (const [name, handle] of folder.entries()) {
    const inner = `${path}/${name}`;
    if (handle.kind === "file" ? wanted(inner) : await holds(handle as FileSystemDirectoryHandle, inner, wanted))
      return true;
  }
  return false;
}
