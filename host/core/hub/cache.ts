// The hub's cache layout, shared with Python's huggingface_hub, llama.cpp and others
// (https://huggingface.co/docs/hub/local-cache):
//
//     <cache>/models--OWNER--REPO/
//       blobs/<oid>                      a file by its hash: SHA-256 of LFS files, git's SHA-1 of others
//       blobs/<oid>.zagreus.incomplete   the beginning of one; the name is ours alone
//       refs/main                        the commit of a branch or tag
//       snapshots/<commit>/<path>        -> ../../blobs/<oid>, or the file itself where there are no links
//       trees/<commit>.json              all files of a commit with size and hashes
//       zagreus/<key>/<name>-Q4_0.gguf   made of safetensors (made.ts); the key is that of their hashes. Other tools look into the
//                                        folders that they know, and remove this one with the repository
//     <cache>/.locks/models--OWNER--REPO/

import { isCommit, isPath, repositoryFolder } from "./id.js";
import { type HubEntry, isSha1, isSha256 } from "./listing.js";
import type { HubPlatform } from "./platform.js";

const TREE_VERSION = 1;
export const MADE = "zagreus";

export class RepositoryCache {
  readonly #platform: HubPlatform;
  readonly folder: string;
  readonly locks: string;

  constructor(platform: HubPlatform, repository: string) {
    const { files, settings } = platform;
    const name = repositoryFolder(repository);
    this.#platform = platform;
    this.folder = files.join(settings.cache, name);
    this.locks = files.join(settings.cache, ".locks", name);
  }

  blob(oid: string): string {
    return this.#platform.files.join(this.folder, "blobs", oid);
  }

  partial(oid: string): string {
    return this.blob(`${oid}.zagreus.incomplete`);
  }

  snapshot(commit: string): string {
    return this.#platform.files.join(this.folder, "snapshots", commit);
  }

  file(commit: string, path: string): string {
    return this.#platform.files.join(this.snapshot(commit), ...path.split("/"));
  }

  /** A file that was made of files of the repository. */
  made(key: string, file: string): string {
    return this.#platform.files.join(this.folder, MADE, key, file);
  }

  async has(commit: string, { path, bytes }: Pick<HubEntry, "path" | "bytes">): Promise<boolean> {
    return (await this.#platform.files.size(this.file(commit, path))) === bytes;
  }

  /** Whether a file is here in any form: this snapshot's, or a blob that another one may link. */
  async holds(commit: string, entry: HubEntry): Promise<boolean> {
    return (await this.has(commit, entry)) || (await this.#platform.files.size(this.blob(entry.oid))) === entry.bytes;
  }

  /** The files of a snapshot with their sizes. */
  async walk(commit: string, folder = ""): Promise<Pick<HubEntry, "path" | "bytes">[]> {
    const { files } = this.#platform;
    const found: Pick<HubEntry, "path" | "bytes">[] = [];
    for (const name of await files.list(folder === "" ? this.snapshot(commit) : this.file(commit, folder))) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const bytes = await files.size(this.file(commit, path));
      if (bytes === undefined) found.push(...(await this.walk(commit, path)));
      else found.push({ path, bytes });
    }
    return found;
  }

  /** Removes a file from a snapshot, and its blob. */
  async discard(commit: string, { path, oid }: HubEntry): Promise<void> {
    await this.#platform.files.remove(this.file(commit, path));
    await this.#platform.files.remove(this.blob(oid));
  }

  /** The commit of a revision when it was last looked up. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = (await this.#platform.files.readText(this.#ref(revision)))?.trim();
    return text !== undefined && isCommit(text) ? text : undefined;
  }

  async setCommit(revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(revision)) !== commit) await this.#platform.files.writeText(this.#ref(revision), commit);
  }

  /** All files of a commit, if they were ever listed. */
  async tree(commit: string): Promise<HubEntry[] | undefined> {
    const text = await this.#platform.files.readText(this.#tree(commit));
    try {
      const { format_version, files } = JSON.parse(text ?? "null") ?? {};
      if (format_version !== TREE_VERSION) return undefined;
      const entries = Object.entries<Record<string, unknown>>(files).map(([path, file]) => ({
        path,
        bytes: Number(file.lfs_size ?? file.size),
        oid: String(file.lfs_sha256 ?? file.blob_id),
        gitOid: String(file.blob_id),
      }));
      const usable = ({ path, bytes, oid }: HubEntry) =>
        isPath(path) && Number.isSafeInteger(bytes) && (isSha1(oid) || isSha256(oid));
      return entries.every(usable) ? entries : undefined;
    } catch {
      return undefined; // another tool's file, in a form that we do not know: as good as none
    }
  }

  async setTree(commit: string, entries: readonly HubEntry[]): Promise<void> {
    const { files } = this.#platform;
    const path = this.#tree(commit);
    if ((await files.size(path)) !== undefined) return; // perhaps Python's, which knows more
    const tree = entries.map(({ path, bytes, oid, gitOid }) => [
      path,
      isSha256(oid)
        ? { size: bytes, blob_id: gitOid, lfs_sha256: oid, lfs_size: bytes }
        : { size: bytes, blob_id: gitOid },
    ]);
    await files.writeText(path, JSON.stringify({ format_version: TREE_VERSION, files: Object.fromEntries(tree) }));
  }

  /** Makes a blob a file of the snapshot. */
  async link(commit: string, path: string, oid: string, isNew: boolean): Promise<void> {
    const { files, settings } = this.#platform;
    const to = this.file(commit, path);
    const up = path.split("/").map(() => "..");
    if (!settings.noLinks && (await files.link(files.join(...up, "..", "blobs", oid), to))) return;
    await (isNew ? files.rename(this.blob(oid), to) : files.copy(this.blob(oid), to));
  }

  #ref(revision: string): string {
    return this.#platform.files.join(this.folder, "refs", ...revision.split("/"));
  }

  #tree(commit: string): string {
    return this.#platform.files.join(this.folder, "trees", `${commit}.json`);
  }
}
