// Files of the origin private file system as workers write them.

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
