// Files of the origin private file system as workers write them.

import { ZagreusError } from "../../core/api/errors.js";

/** The origin's private file system. @throws ZagreusError UNSUPPORTED_RUNTIME in insecure contexts, sandboxes, and some private windows */
export async function privateFiles(): Promise<FileSystemDirectoryHandle> {
  let cause: unknown;
  try {
    const { storage, locks } = globalThis.navigator ?? {};
    if (storage && "getDirectory" in storage && locks) return await storage.getDirectory();
  } catch (error) {
    cause = error;
  }
  const why = cause instanceof Error ? `: ${cause.message}` : "; it needs a secure context";
  throw new ZagreusError("UNSUPPORTED_RUNTIME", `there is no private file system here${why}`, { cause });
}

/** lib.dom.d.ts lacks it: workers only. */
export interface SyncAccessHandle {
  getSize(): number;
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

/** Writes all of `bytes`, however little the handle takes at once. */
export function writeAll(handle: SyncAccessHandle, bytes: Uint8Array, start: number): void {
  for (let at = 0; at < bytes.length; ) at += handle.write(bytes.subarray(at), { at: start + at });
}
