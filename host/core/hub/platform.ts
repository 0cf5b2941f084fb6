// What a runtime hands in: files, hashes, time. The adapter for Node, Deno and Bun is host/node/hub.ts.

export interface HubPlatform {
  files: HubFiles;
  fetch: typeof fetch;
  /** What a person may have to know about a host that cannot be reached: a clause that begins with "; ", or nothing. */
  hint?: ((url: URL) => Promise<string>) | undefined;
  settings: HubSettings;
}

/** Where the hub and the cache are, and how to talk to the hub; hubPaths() and hubSettings() have the rules. */
export interface HubSettings {
  /** An origin, perhaps with a path, without a slash at the end. */
  endpoint: string;
  /** The folder of models--OWNER--REPO. */
  cache: string;
  /** Sent to the endpoint's origin only. */
  token: string | undefined;
  /** Use what is cached, and no network. */
  offline: boolean;
  /** Copy instead of linking. */
  noLinks: boolean;
  /** How long a server may say nothing. */
  timeoutMs: number;
  /** The pause after a first failure; every further one takes twice as long. */
  retryDelayMs: number;
}

export interface HubFiles {
  join(...parts: string[]): string;
  /** Bytes of the file that `path` is or links to, undefined if there is none. */
  size(path: string): Promise<number | undefined>;
  /** Names in a folder, none if there is no folder. */
  list(folder: string): Promise<string[]>;
  /** undefined if there is no such file. */
  readText(path: string): Promise<string | undefined>;
  /** Makes or replaces a file and makes its folders; nobody ever sees half of it. */
  writeText(path: string, text: string): Promise<void>;
  /** Opens a file for writing as it is, or makes it and its folders. */
  openPartial(path: string): Promise<PartialFile>;
  /** The hash of `prefix` and the file, in hexadecimal; `onBytes` is called for every piece. */
  hash(
    algorithm: "sha1" | "sha256",
    path: string,
    prefix: string,
    onBytes: () => void | Promise<void>,
  ): Promise<string>;
  /** Makes the folders of `to`, and replaces it. */
  rename(from: string, to: string): Promise<void>;
  copy(from: string, to: string): Promise<void>;
  /** No error if there is none. */
  remove(path: string): Promise<void>;
  /** With all that is in it. */
  removeFolder(folder: string): Promise<void>;
  /** Makes or replaces a symbolic link. False where the system has none. */
  link(target: string, path: string): Promise<boolean>;
  /** Milliseconds since the last touch, undefined if there is no such file. */
  age(path: string): Promise<number | undefined>;
  /** False if there is no such file. */
  touch(path: string): Promise<boolean>;
  /** undefined where the system does not tell. */
  freeBytes(folder: string): Promise<number | undefined>;
  /** Names this process among all that may share the cache. */
  readonly owner: string;
  /** Whether an owner is a process of this machine that has ended; false if that cannot be known. */
  hasEnded(owner: string): boolean | Promise<boolean>;
}

export interface PartialFile {
  /** Bytes at opening. */
  readonly size: number;
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Returns when the bytes are on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}
