// The hub's primitives for Node, Deno and Bun. Bundled to dist/hub.js, which is loaded when a model of the hub is wanted.

import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import {
  copyFile,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import {
  type GgufMaker,
  type HubFiles,
  type HubListing,
  type HubOptions,
  type HubPlatform,
  hubPaths,
  hubSettings,
  listCached,
  listModel,
  type PartialFile,
  type Pulled,
  pullAdapter,
  pullCheckpoint,
  pullGguf,
  pullModel,
  removeCached,
  type StoredModel,
} from "../core/hub/index.js";
import { freshTemporary, hasEnded, OWNER } from "./files/temporary.js";

export {
  type HubListing,
  type HubOptions,
  type HubProgress,
  isHubId,
  megabytes,
  millions,
  PREFERENCE,
  type Pulled,
  parseHubId,
  type QuantizeSettings,
  SHORT_NAMES,
  type StoredModel,
  suggestName,
} from "../core/hub/index.js";

const READ_BYTES = 1 << 20;

/** The path of a GGUF file of the hub, downloaded or made if need be. @throws as pullGguf() */
export async function hubGguf(id: string, options?: HubOptions): Promise<string> {
  return pullGguf(await platform(), id, options, maker);
}

const maker: GgufMaker = {
  async check({ folder }) {
    await (await import("./convert.js")).checkFolder(folder);
  },
  async make({ folder, name }, out, { type, calibrate, signal, onProgress }) {
    const { convert } = await import("./convert.js");
    await mkdir(dirname(out), { recursive: true });
    await convert({ path: folder, name }, out, {
      type,
      calibrate: calibrate || undefined,
      signal,
      onProgress({ phase, doneBytes, totalBytes }) {
        if (phase !== "quantize" || !calibrate) onProgress({ phase, loadedBytes: doneBytes, totalBytes }); // calibration sets the pace
      },
    });
  },
};

/** The folder of a checkpoint of the hub (or the file that the id names) and the repository's name. @throws as pullCheckpoint() */
export async function hubCheckpoint(id: string, options?: HubOptions): Promise<{ path: string; name: string }> {
  return pullCheckpoint(await platform(), id, options);
}

/** Downloads and checks what an id means. @throws as pullModel() */
export async function hubPull(id: string, options?: HubOptions): Promise<Pulled> {
  return pullModel(await platform(), id, options);
}

/** The paths of an adapter's files, see pullAdapter(). @throws as it */
export async function hubAdapter(id: string, options?: HubOptions) {
  return pullAdapter(await platform(), id, options);
}

/** The files of a repository. @throws as listModel() */
export async function hubList(id: string, options?: HubOptions): Promise<HubListing> {
  return listModel(await platform(), id, options);
}

/** The models in the cache. */
export async function hubCached(): Promise<StoredModel[]> {
  return listCached(await platform());
}

/** Removes a repository from the cache. @throws as removeCached() */
export async function hubRemove(id: string): Promise<{ repository: string; bytes: number }> {
  return removeCached(await platform(), id);
}

/** The path of a GGUF file that load() would take, if it is in the cache. */
export async function hubPath(id: string): Promise<string | undefined> {
  const { settings, ...rest } = await platform();
  return pullGguf({ ...rest, settings: { ...settings, offline: true } }, id, {}).catch(() => undefined);
}

const hint = async (url: URL) => (await import("./hint.js")).proxyHint(url);

/** @throws ZagreusError INVALID_OPTION for an environment that makes no sense */
async function platform(): Promise<HubPlatform> {
  const paths = hubPaths(process.env, homedir(), join);
  const stored = await nodeFiles.readText(paths.token).catch(() => undefined);
  return { files: nodeFiles, fetch, hint, settings: hubSettings(process.env, paths.cache, stored) };
}

export const nodeFiles: HubFiles = {
  join,
  async size(path) {
    const found = await orMissing(stat(path));
    return found?.isFile() ? found.size : undefined;
  },
  async list(folder) {
    return (await orMissing(readdir(folder))) ?? [];
  },
  readText: (path) => orMissing(readFile(path, "utf8")),
  async writeText(path, text) {
    await replacing(path, (temporary) => writeFile(temporary, text));
  },
  async openPartial(path) {
    await mkdir(dirname(path), { recursive: true });
    const file = (await openOwn(path)) ?? (await open(path, "wx+"));
    const { size } = await file.stat();
    return {
      size,
      async write(bytes, at) {
        for (let from = 0; from < bytes.length; ) {
          from += (await file.write(bytes, from, bytes.length - from, at + from)).bytesWritten;
        }
      },
      sync: () => file.sync(),
      close: () => file.close(),
    } satisfies PartialFile;
  },
  async hash(algorithm, path, prefix, onBytes) {
    const hash = createHash(algorithm).update(prefix);
    for await (const bytes of createReadStream(path, { highWaterMark: READ_BYTES })) {
      await onBytes();
      hash.update(bytes as Uint8Array);
    }
    return hash.digest("hex");
  },
  async rename(from, to) {
    await mkdir(dirname(to), { recursive: true });
    await rename(from, to);
  },
  async copy(from, to) {
    await replacing(to, (temporary) => copyFile(from, temporary));
  },
  remove: (path) => rm(path, { force: true }),
  removeFolder: (folder) => rm(folder, { recursive: true, force: true }),
  async link(target, path) {
    try {
      await replacing(path, (temporary) => symlink(target, temporary, "file"));
    } catch (error) {
      // Windows without the right to, file systems without links, Deno where its permissions are for some folders only.
      if (["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL"].includes(codeOf(error) ?? "")) return false;
      if (error instanceof Error && error.name === "NotCapable") return false;
      throw error;
    }
    return true;
  },
  async age(path) {
    const found = await orMissing(stat(path));
    return found && Date.now() - found.mtimeMs;
  },
  async touch(path) {
    const now = new Date();
    return (await orMissing(utimes(path, now, now).then(() => true))) ?? false;
  },
  async freeBytes(folder) {
    for (let at = folder; ; at = dirname(at)) {
      const found = await statfs(at).catch(() => undefined);
      if (found) return found.bavail * found.bsize;
      if (at === dirname(at)) return undefined;
    }
  },
  owner: OWNER,
  hasEnded,
};

/**
 * A regular file that has this one name, opened to be written, or undefined when there is none. What else is there goes: written to
 * through a link, some other file would be.
 */
async function openOwn(path: string): Promise<FileHandle | undefined> {
  const found = await orMissing(lstat(path));
  if (!found) return undefined;
  if (found.isFile()) {
    const file = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0));
    const { nlink, ino } = await file.stat();
    if (nlink === 1 && ino === found.ino) return file;
    await file.close();
  }
  await rm(path, { force: true });
  return undefined;
}

/** Makes a file under another name, then gives it its own; nobody sees it half made. */
async function replacing(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = await freshTemporary(path);
  try {
    await make(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function orMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "");
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
