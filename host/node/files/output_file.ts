// A file that is there when it is complete, or not at all.

import { lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { invalidOption, ZagreusError } from "../../core/api/errors.js";
import { freshTemporary } from "./temporary.js";

/**
 * Where a file at `path` goes: links are followed.
 * @throws ZagreusError INVALID_OPTION when there is something else than a regular file
 */
export async function outputPath(path: string): Promise<string> {
  const link = await lstat(path).catch(() => undefined);
  if (!link) return resolve(path);
  const existing = await stat(path).catch(() => undefined);
  if (!existing?.isFile()) throw invalidOption("out", path, "a file, or not exist");
  return realpath(path);
}

/** The error for a file that could not be written: WRITE_FAILED, or DISK_FULL. */
export function unwritten(path: string, cause: unknown): ZagreusError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = (cause as NodeJS.ErrnoException).code === "ENOSPC" ? "DISK_FULL" : "WRITE_FAILED";
  return new ZagreusError(code, `cannot write "${path}": ${reason}`, { field: "out", value: path, cause });
}

/**
 * Writes a new file beside `path` and moves it there when `write` is done; whatever fails, `path` is as before and the new file gone,
 * or after a kill found by the next call.
 * @returns what `write` returns
 * @throws ZagreusError WRITE_FAILED or DISK_FULL with the cause, and what `write` throws
 */
export async function writeAtomically<T>(
  path: string,
  write: (sink: (bytes: Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  const partial = await freshTemporary(path);
  const guarded = async <R>(action: () => Promise<R>): Promise<R> => {
    try {
      return await action();
    } catch (cause) {
      throw unwritten(path, cause);
    }
  };

  const file = await guarded(() => open(partial, "wx"));
  try {
    const result = await write((bytes) =>
      guarded(async () => {
        for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
      }),
    );
    await guarded(async () => {
      await file.sync();
      await file.close();
      await rename(partial, path);
    });
    return result;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}
