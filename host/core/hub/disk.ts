// What is in the cache, of all repositories.

import { ZagreusError } from "../api/errors.js";
import { MADE, RepositoryCache } from "./cache.js";
import { isGguf, isSafetensors, typeInName } from "./choose.js";
import { parseHubId } from "./id.js";
import type { HubFiles, HubPlatform } from "./platform.js";

export interface StoredModel {
  repository: string;
  /** "gguf": a file of the repository; "made": one that was made of its safetensors; "safetensors": a checkpoint. */
  kind: "gguf" | "made" | "safetensors";
  /** The file, or the folder of a checkpoint. */
  path: string;
  /** As the name of a GGUF file says. */
  type: string | undefined;
  bytes: number;
}

/** The models that load() and quantize() could take without a download, by repository. */
export async function listCached(platform: HubPlatform): Promise<StoredModel[]> {
  const { files, settings } = platform;
  const models: StoredModel[] = [];
  for (const folder of (await files.list(settings.cache)).sort()) {
    const repository = repositoryOf(folder);
    if (repository === undefined) continue;
    const cache = new RepositoryCache(platform, repository);
    models.push(...(await madeFiles(platform, cache, repository)));
    for (const commit of await files.list(files.join(cache.folder, "snapshots"))) {
      models.push(...(await snapshotModels(cache, repository, commit)));
    }
  }
  return models;
}

/**
 * Removes a repository from the cache, with all that was made of it.
 * @returns bytes that are free again
 * @throws ZagreusError INVALID_OPTION, HUB_NOT_FOUND when it is not there
 */
export async function removeCached(platform: HubPlatform, id: string): Promise<{ repository: string; bytes: number }> {
  const { files } = platform;
  const { repository } = parseHubId(id);
  const { folder } = new RepositoryCache(platform, repository);
  const bytes = await size(files, folder);
  if (bytes === undefined) {
    throw new ZagreusError("HUB_NOT_FOUND", `${repository} is not in the cache ${platform.settings.cache}`, {
      field: repository,
    });
  }
  await files.removeFolder(folder);
  return { repository, bytes };
}

/** "models--owner--repo" is owner/repo. */
function repositoryOf(folder: string): string | undefined {
  const match = /^models--((?:(?!--).)+)--((?:(?!--).)+)$/.exec(folder);
  return match ? `${match[1]}/${match[2]}` : undefined;
}

async function madeFiles({ files }: HubPlatform, cache: RepositoryCache, repository: string): Promise<StoredModel[]> {
  const models: StoredModel[] = [];
  const folder = files.join(cache.folder, MADE);
  for (const key of await files.list(folder)) {
    for (const file of (await files.list(files.join(folder, key))).filter(isGguf)) {
      const path = cache.made(key, file);
      models.push({ repository, kind: "made", path, type: typeInName(file), bytes: (await files.size(path)) ?? 0 });
    }
  }
  return models;
}

async function snapshotModels(cache: RepositoryCache, repository: string, commit: string): Promise<StoredModel[]> {
  const entries = await cache.walk(commit);
  const models: StoredModel[] = entries
    .filter(({ path }) => isGguf(path))
    .map(({ path, bytes }) => ({
      repository,
      kind: "gguf",
      path: cache.file(commit, path),
      type: typeInName(path),
      bytes,
    }));
  const weights = entries.filter(({ path }) => isSafetensors(path) && !path.includes("/"));
  if (weights.length > 0 && entries.some(({ path }) => path === "config.json")) {
    const bytes = weights.reduce((sum, file) => sum + file.bytes, 0);
    models.push({ repository, kind: "safetensors", path: cache.snapshot(commit), type: undefined, bytes });
  }
  return models;
}

/** Bytes of a folder; links count nothing where what they lead to is in it. */
async function size(files: HubFiles, folder: string): Promise<number | undefined> {
  const names = await files.list(folder);
  if (names.length === 0) return undefined;
  let sum = 0;
  for (const name of names) {
    if (name === "snapshots" && names.includes("blobs")) continue; // where there are no links, this tells too little
    const path = files.join(folder, name);
    sum += (await files.size(path)) ?? (await size(files, path)) ?? 0;
  }
  return sum;
}
