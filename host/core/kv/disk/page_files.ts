// What a runtime hands in: files of one folder.

/** A file of a page. */
export interface PageFile {
  name: string;
  bytes: number;
  /** When it was used last, as Date.now(). */
  used: number;
}

/** All may fail as the file system does; names are isPageName(). */
export interface PageFiles {
  /** The pages that are here; what killed writers have left is removed. */
  list(): Promise<PageFile[]>;
  /** A file's first bytes, `most` of them or fewer; undefined if there is none. */
  read(name: string, most: number): Promise<Uint8Array | undefined>;
  /** Makes or replaces a file that nobody else may read, and its folder. Nobody ever sees half of it. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Says when it was used. False if there is no such file. */
  touch(name: string, used: number): Promise<boolean>;
  /** No error if there is none. */
  remove(name: string): Promise<void>;
}

/** Whether a file is one of ours: others of the folder are left alone. */
export const isPageName = (name: string): boolean => /^[0-9a-f]{64}\.kv$/.test(name);

/** Whether there was no room. */
export function isFull(error: unknown): boolean {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return code === "ENOSPC" || code === "EDQUOT" || name === "QuotaExceededError";
}
