// What is kept in the origin private file system: models of URLs (url_cache.ts), and of the hub, a folder for each repository
// (host/core/hub/cache.ts draws it).

import { parseHubId, repositoryFolder } from "../../core/hub/id.js";
import { isHubId } from "../../core/hub/names.js";
import { privateFiles } from "./access_handle.js";
import { type CachedModel, cachedModels as cachedUrls, removeCachedModel as removeUrl, writing } from "./url_cache.js";

/** Where the hub's cache is. */
export const HUB_CACHE = "zagreus-hub";
const PREFIX = "models--";
const MODEL = /\.gguf$/;

type Folder = FileSystemDirectoryHandle;

/** The models that are here, whole or not. */
export async function cachedModels(): Promise<CachedModel[]> {
  return [...(await cachedUrls()), ...(await cachedRepositories())];
}

/** Removes the model of a URL, if it is there, waiting for whoever is downloading it; or what is here of a repository of the hub. */
export async function removeCachedModel(url: string | URL): Promise<void> {
  if (typeof url !== "string" || !isHubId(url)) return removeUrl(url);
  const name = repositoryFolder(parseHubId(url).repository);
  await writing(async () => (await hubCache())?.removeEntry(name, { recursive: true }).catch(unlessMissing));
}

const unlessMissing = (error: Error) => {
  if (error.name !== "NotFoundError") throw error;
};

/** The hub's cache, if there is one. */
export async function hubCache(): Promise<Folder | undefined> {
  return (await privateFiles()).getDirectoryHandle(HUB_CACHE).catch(() => undefined);
}

/** The repositories of which something is here. */
async function cachedRepositories(): Promise<CachedModel[]> {
  const models: CachedModel[] = [];
  for await (const folder of (await hubCache())?.values() ?? []) {
    if (folder.kind !== "directory" || !folder.name.startsWith(PREFIX)) continue;
    const files = await filesOf(folder as Folder);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const complete = files.some(({ name }) => MODEL.test(name));
    const url = `hf:${folder.name.slice(PREFIX.length).replace("--", "/")}`;
    if (bytes > 0) models.push({ url, bytes, totalBytes: complete ? bytes : undefined, complete });
  }
  return models;
}

async function filesOf(folder: Folder): Promise<File[]> {
  const files: File[] = [];
  for await (const entry of folder.values()) {
    if (entry.kind === "directory") files.push(...(await filesOf(entry as Folder)));
    else files.push(await (entry as FileSystemFileHandle).getFile());
  }
  return files;
}
