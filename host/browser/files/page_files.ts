// Pages of prompts as files of the origin's private file system. Only workers can write to it everywhere.

import { ZagreusError } from "../../core/api/errors.js";
import { isPageName, type PageFile, type PageFiles } from "../../core/kv/disk/page_files.js";
import { privateFiles, type SyncAccessHandle, writeAll } from "./access_handle.js";

/** lib.dom.d.ts lacks both methods. */
type OpfsFile = FileSystemFileHandle & {
  createSyncAccessHandle(): Promise<SyncAccessHandle & { read(bytes: Uint8Array, options: { at: number }): number }>;
  move(name: string): Promise<void>;
};

const FOLDER = "zagreus-prompts";
const PART = ".part";
/** Milliseconds after which nobody writes a file any more. */
const STALE_MS = 60_000;

/** @throws ZagreusError UNSUPPORTED_RUNTIME on a page, and where there is no private file system */
export async function pageFiles(folder = FOLDER): Promise<PageFiles> {
  const root = await privateFiles();
  if (!("createSyncAccessHandle" in FileSystemFileHandle.prototype)) {
    const message = "prompts can be kept by workers only; on a page, load with offload: true";
    throw new ZagreusError("UNSUPPORTED_RUNTIME", message, { field: "promptCache" });
  }
  const open = (create = false) => root.getDirectoryHandle(folder, { create });
  const find = async (name: string) =>
    (await orMissing(open().then((at) => at.getFileHandle(name)))) as OpfsFile | undefined;
  return {
    async list() {
      const found: PageFile[] = [];
      const here = await open();
      for await (const handle of here.values()) {
        if (handle.kind !== "file") continue;
        const { name, size: bytes, lastModified: used } = await (handle as FileSystemFileHandle).getFile();
        if (isPageName(name)) found.push({ name, bytes, used });
        else if (name.endsWith(PART) && Date.now() - used > STALE_MS) await here.removeEntry(name).catch(() => {});
      }
      return found;
    },
    async read(name, most) {
      const file = await (await find(name))?.getFile();
      return file && new Uint8Array(await file.slice(0, most).arrayBuffer());
    },
    write: async (name, bytes) => write(await open(true), name, bytes),
    async touch(name) {
      const file = await find(name);
      if (file) await touch(file);
      return file !== undefined;
    },
    async remove(name) {
      await orMissing(open().then((at) => at.removeEntry(name)));
    },
  };
}

async function write(folder: FileSystemDirectoryHandle, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${name}.${crypto.randomUUID()}${PART}`;
  const file = (await folder.getFileHandle(temporary, { create: true })) as OpfsFile;
  try {
    const handle = await file.createSyncAccessHandle();
    try {
      writeAll(handle, bytes, 0);
    } finally {
      handle.close();
    }
    await file.move(name);
  } catch (error) {
    await folder.removeEntry(temporary).catch(() => {});
    throw error;
  }
}

/** There is no way to say when it was used; the first byte, written again, says now. */
async function touch(file: OpfsFile): Promise<void> {
  const handle = await file.createSyncAccessHandle().catch(() => undefined); // another tab has it
  if (!handle) return;
  try {
    const first = new Uint8Array(1);
    if (handle.read(first, { at: 0 }) === 1) handle.write(first, { at: 0 });
  } finally {
    handle.close();
  }
}

async function orMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if ((error as Error).name === "NotFoundError") return undefined;
    throw error;
  }
}
