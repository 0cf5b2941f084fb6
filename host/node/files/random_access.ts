// Files and folders as quant/ reads them.

import { open, readdir, stat } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import type { Directory, RandomAccess } from "../../../quant/checkpoint/checkpoint.js";
import { ZagreusError } from "../../core/api/errors.js";

/** @throws ZagreusError SOURCE_FAILED with the cause when it cannot be opened, or is no regular file */
async function openFile(path: string, name = path): Promise<RandomAccess> {
  try {
    if (!(await stat(path)).isFile()) throw new Error("it is no regular file");
    const file = await open(path);
    const { size } = await file.stat();
    return {
      name,
      byteLength: size,
      close: () => file.close(),
      async read(offset, length) {
        const bytes = new Uint8Array(length);
        for (let at = 0; at < length; ) {
          const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
          if (bytesRead === 0) throw truncated(name, offset + at, offset + length);
          at += bytesRead;
        }
        return bytes;
      },
    };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Links in it are followed, as the hub's cache needs it. Nothing is read before it is asked for. */
export function openDirectory(path: string): Directory {
  const root = resolve(path);
  return {
    name: basename(root),
    async list() {
      try {
        const entries = await readdir(root, { recursive: true, withFileTypes: true });
        const files = entries.filter((entry) => !entry.isDirectory());
        return files.map(({ parentPath, name }) => relative(root, join(parentPath, name)).replaceAll("\\", "/")).sort();
      } catch (error) {
        throw unreadable(path, error);
      }
    },
    has: (name) =>
      stat(join(root, name)).then(
        () => true,
        () => false,
      ),
    open: (name) => openFile(join(root, name), name),
  };
}

function unreadable(path: string, cause: unknown): ZagreusError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `cannot read "${path}": ${reason}`;
  return new ZagreusError("SOURCE_FAILED", message, { field: basename(path), value: path, cause });
}

function truncated(name: string, value: number, expected: number): ZagreusError {
  return new ZagreusError("TRUNCATED", `${name} ends at byte ${value}, needs ${expected}: it has been cut short`, {
    field: name,
    value,
    expected,
  });
}
