// The hub's primitives over the origin private file system, for workers: only they can write to it everywhere.

import { Sha256 } from "../../core/api/sha256.js";
import { hex } from "../../core/hub/listing.js";
import type { HubFiles, PartialFile } from "../../core/hub/platform.js";
import { type SyncAccessHandle, writeAll } from "../files/access_handle.js";

/** lib.dom.d.ts lacks both methods. */
type OpfsFile = FileSystemFileHandle & {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
};

const READ_BYTES = 4 << 20;
/** Safari keeps the handle of a page that is gone for a while. */
const PATIENCE_MS = 2000;

const encoder = new TextEncoder();

/** The parts of a path; ".." goes up. */
function parts(path: string): string[] {
  const found: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") found.pop();
    else if (part !== "" && part !== ".") found.push(part);
  }
  return found;
}

async function folderOf(names: readonly string[], create: boolean): Promise<FileSystemDirectoryHandle | undefined> {
  let folder = await navigator.storage.getDirectory();
  for (const name of names) {
    const next = await orMissing(folder.getDirectoryHandle(name, { create }));
    if (!next) return undefined;
    folder = next;
  }
  return folder;
}

async function handleOf(path: string, create = false): Promise<OpfsFile | undefined> {
  const names = parts(path);
  const folder = await folderOf(names.slice(0, -1), create);
  const handle = folder && (await orMissing(folder.getFileHandle(names.at(-1)!, { create })));
  return handle as OpfsFile | undefined;
}

/** A file, undefined if there is none. */
export async function opfsFile(path: string): Promise<File | undefined> {
  return orMissing((await handleOf(path))?.getFile() ?? Promise.resolve(undefined));
}

/** A file that grows, opened for writing at any place; made if it is not there. */
export async function openPartial(path: string): Promise<PartialFile> {
  const handle = await accessOf((await handleOf(path, true))!);
  return {
    size: handle.getSize(),
    write: async (bytes, at) => writeAll(handle, bytes, at),
    sync: async () => handle.flush(),
    close: async () => handle.close(),
  };
}

async function accessOf(file: OpfsFile): Promise<SyncAccessHandle> {
  for (const begun = performance.now(); ; ) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      const isHeld = (error as Error).name === "NoModificationAllowedError";
      if (!isHeld || performance.now() - begun > PATIENCE_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function overwrite(path: string, write: (handle: SyncAccessHandle) => Promise<void>): Promise<void> {
  const handle = await accessOf((await handleOf(path, true))!);
  try {
    handle.truncate(0);
    await write(handle);
    handle.flush();
  } finally {
    handle.close();
  }
}

async function remove(path: string, recursive: boolean): Promise<void> {
  const names = parts(path);
  const folder = await folderOf(names.slice(0, -1), false);
  await orMissing(folder?.removeEntry(names.at(-1)!, { recursive }) ?? Promise.resolve());
}

async function rename(from: string, to: string): Promise<void> {
  const names = parts(to);
  const folder = (await folderOf(names.slice(0, -1), true))!;
  await (await handleOf(from))!.move(folder, names.at(-1)!);
}

/** @param owner the name of a Web Lock that this worker holds as long as it lives */
export function opfsFiles(owner: string): HubFiles {
  const join = (...paths: string[]) => parts(paths.join("/")).join("/");
  const writeText = async (path: string, text: string) => {
    const temporary = `${path}.${crypto.randomUUID()}.tmp`;
    await overwrite(temporary, async (handle) => writeAll(handle, encoder.encode(text), 0));
    await rename(temporary, path);
  };
  return {
    join,
    size: async (path) => (await opfsFile(path))?.size,
    async list(path) {
      const names: string[] = [];
      for await (const name of (await folderOf(parts(path), false))?.keys() ?? []) names.push(name);
      return names;
    },
    readText: async (path) => (await opfsFile(path))?.text(),
    writeText,
    openPartial,
    hash,
    rename,
    async copy(from, to) {
      const file = (await opfsFile(from))!;
      await overwrite(to, async (handle) => {
        for (let at = 0; at < file.size; at += READ_BYTES) writeAll(handle, await slice(file, at), at);
      });
    },
    remove: (path) => remove(path, false),
    removeFolder: (folder) => remove(folder, true),
    link: async () => false,
    async age(path) {
      const file = await opfsFile(path);
      return file && Date.now() - file.lastModified;
    },
    async touch(path) {
      const text = await (await opfsFile(path))?.text();
      if (text !== undefined) await writeText(path, text);
      return text !== undefined;
    },
    async freeBytes() {
      const { quota, usage = 0 } = await navigator.storage.estimate();
      return quota === undefined ? undefined : quota - usage;
    },
    owner,
    async hasEnded(other) {
      const { held = [] } = await navigator.locks.query();
      return !held.some(({ name }) => name === other);
    },
  };
}

const hash: HubFiles["hash"] = async (algorithm, path, prefix, onBytes) => {
  const file = (await opfsFile(path))!;
  if (algorithm === "sha1") {
    const digest = await crypto.subtle.digest("SHA-1", await new Blob([prefix, file]).arrayBuffer());
    return hex(new Uint8Array(digest));
  }
  const sha256 = new Sha256().update(encoder.encode(prefix));
  for (let at = 0; at < file.size; at += READ_BYTES) {
    await onBytes();
    sha256.update(await slice(file, at));
  }
  return sha256.digest();
};

async function slice(file: File, at: number): Promise<Uint8Array> {
  return new Uint8Array(await file.slice(at, at + READ_BYTES).arrayBuffer());
}

async function orMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (["NotFoundError", "TypeMismatchError"].includes((error as Error).name)) return undefined;
    throw error;
  }
}
