// One repository at one revision: the list of its files, from the hub or the cache, and getting some of them.

import { ZagreusError } from "../api/errors.js";
import { parsePartName, partNames } from "../gguf/parts.js";
import { fetchBlob, hashOf } from "./blob.js";
import { RepositoryCache } from "./cache.js";
import { type GgufChoice, rankGguf, sideFiles, WEIGHTS_INDEX, weightFiles } from "./choose.js";
import { checkAborted, Http } from "./http.js";
import { type HubId, isCommit, parseHubId, showHubId } from "./id.js";
import { fetchListing, type HubEntry, isSha256, type Listing } from "./listing.js";
import { withLock } from "./lock.js";
import type { HubPlatform } from "./platform.js";

export interface HubProgress {
  phase: "download" | "calibrate" | "quantize";
  loadedBytes: number;
  totalBytes: number | undefined;
}

/** How a file is made where a repository has safetensors only. */
export interface QuantizeSettings {
  type?: "q4_0" | "q8_0" | undefined;
  calibrate?: boolean | undefined;
  keepSource?: boolean | undefined;
}

export interface HubOptions {
  /** Stops at once; what has arrived stays for the next time. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: HubProgress) => void) | undefined;
  /** For what gives a GGUF file. */
  quantize?: QuantizeSettings | undefined;
  /** Told in a sentence what a person may want to know: a wait for another process, the cache used instead of the hub. */
  onNotice?: ((message: string) => void) | undefined;
}

export interface PulledFile {
  /** In the repository. */
  path: string;
  bytes: number;
  sha256: string;
}

/** Failures that leave what is cached as good as it was. */
const OUTAGES = ["OFFLINE", "HUB_BUSY", "HUB_FAILED", "HUB_DENIED"];

export class HubModel {
  readonly id: HubId;
  readonly #platform: HubPlatform;
  readonly #options: HubOptions;
  readonly #http: Http;
  readonly #cache: RepositoryCache;
  /** All files of the commit, as far as is known. */
  #listing: Listing = { commit: "", entries: [] };
  /** Those that can be had. */
  readonly #available: HubEntry[] = [];
  /** Why the hub is not asked, if it is not. */
  #outage: ZagreusError | undefined;
  /** Files that obtain() was asked for, and whether they were downloaded just now. */
  readonly #obtained = new Map<HubEntry, boolean>();

  /** @throws ZagreusError INVALID_OPTION */
  constructor(platform: HubPlatform, id: string, options: HubOptions) {
    this.id = parseHubId(id);
    this.#platform = platform;
    this.#options = options;
    this.#http = new Http(platform, this.id.repository, options.signal);
    this.#cache = new RepositoryCache(platform, this.id.repository);
    if (platform.settings.offline) this.#outage = this.#offline("HF_HUB_OFFLINE is set");
  }

  /** The path of the first of files that can never change, because a commit was asked for, and are all there. */
  async cachedForGood(files: readonly string[]): Promise<string | undefined> {
    const { revision } = this.id;
    if (!isCommit(revision)) return undefined;
    const paths = files.map((file) => this.#cache.file(revision, file));
    for (const path of paths) if ((await this.#platform.files.size(path)) === undefined) return undefined;
    return paths[0];
  }

  /**
   * Lists the files that can be had: those of the repository or, when the hub cannot be asked, those that are cached.
   * @throws ZagreusError HUB_DENIED, HUB_NOT_FOUND, HUB_BUSY, HUB_FAILED, OFFLINE, ABORTED
   */
  async open(): Promise<Listing> {
    const cached = await this.#cachedListing();
    if (this.#outage || (cached?.isComplete && isCommit(this.id.revision))) {
      if (!cached) throw this.#outage;
      this.#listing = cached;
    } else {
      try {
        this.#listing = await fetchListing(this.#http, this.id, cached ? 1 : undefined);
      } catch (error) {
        if (!cached || !(error instanceof ZagreusError && OUTAGES.includes(error.code))) throw error;
        this.#outage = error;
        this.#options.onNotice?.(`${error.message}; using the cached ${showHubId(this.id)}`);
        this.#listing = cached;
      }
    }
    const { commit, entries } = this.#listing;
    for (const entry of entries) {
      if (!this.#outage || (await this.#cache.has(commit, entry))) this.#available.push(entry);
    }
    return { commit, entries: this.#available };
  }

  /** @throws ZagreusError HUB_NOT_FOUND, or why the hub could not be asked */
  entry(path: string): HubEntry {
    const entry = this.#listing.entries.find((entry) => entry.path === path);
    if (entry) return entry;
    throw this.#outage ?? this.notFound(`has no file "${path}"`);
  }

  path(path: string): string {
    return this.#cache.file(this.#listing.commit, path);
  }

  get commit(): string {
    return this.#listing.commit;
  }

  /** The repository's name without its owner. */
  get name(): string {
    const { repository } = this.id;
    return repository.slice(repository.indexOf("/") + 1);
  }

  /** The safetensors of a checkpoint, as far as the list of files tells. */
  weights(): HubEntry[] {
    return weightFiles(this.#paths, undefined).map((path) => this.entry(path));
  }

  /** All that obtainCheckpoint() may get. */
  checkpoint(): HubEntry[] {
    return [...sideFiles(this.#paths).map((path) => this.entry(path)), ...this.weights()];
  }

  /** @throws ZagreusError why the hub cannot be asked */
  assertOnline(): void {
    if (this.#outage) throw this.#outage;
  }

  /** The snapshot's folder. */
  folder(): string {
    return this.#cache.snapshot(this.#listing.commit);
  }

  gguf(): GgufChoice[] {
    return rankGguf(this.#available);
  }

  /**
   * The GGUF file to take, of `type` if one is named; undefined where one has to be made of safetensors.
   * @throws ZagreusError HUB_NOT_FOUND
   */
  chooseGguf(type?: string): GgufChoice | undefined {
    const ranked = this.gguf();
    const chosen = type === undefined ? ranked[0] : ranked.find((choice) => choice.type === type.toUpperCase());
    if (chosen || this.weights().length > 0) return chosen;
    if (this.#outage) throw this.#outage;
    if (ranked.length > 0)
      throw this.notFound(`has no GGUF file in ${type?.toUpperCase()}, and no safetensors to make one of`);
    const part = this.#listing.entries.find(({ path }) => parsePartName(path)?.number === 1);
    if (part) {
      throw this.notFound(`has GGUF files only in parts: name one, ${showHubId({ ...this.id, file: part.path })}`);
    }
    throw this.notFound("has neither a GGUF file nor safetensors");
  }

  /** All parts of a split GGUF file, or just the file. */
  partsOf(path: string): string[] {
    const part = parsePartName(path);
    return part ? partNames(part) : [path];
  }

  notFound(what: string): ZagreusError {
    const { repository } = this.id;
    return new ZagreusError("HUB_NOT_FOUND", `${repository} ${what}`, { field: repository });
  }

  /** Gets the config, tokenizer and safetensors at the repository's top. Returns how many files of weights there are. */
  async obtainCheckpoint(): Promise<number> {
    const paths = this.#paths;
    const side = sideFiles(paths);
    const index = side.includes(WEIGHTS_INDEX);
    if (index) await this.obtain([WEIGHTS_INDEX]);
    const text = index ? await this.#platform.files.readText(this.path(WEIGHTS_INDEX)) : undefined;
    const weights = weightFiles(paths, text);
    if (weights.length > 0) await this.obtain([...side, ...weights]);
    return weights.length;
  }

  /** Gets what a checkpoint has beside its weights. */
  obtainDescription(): Promise<void> {
    return this.obtain(sideFiles(this.#paths));
  }

  /** @throws ZagreusError those of fetchBlob() */
  async obtain(paths: readonly string[]): Promise<void> {
    const { commit, entries: all } = this.#listing;
    const { onProgress } = this.#options;
    const entries = paths.map((path) => this.entry(path));
    const totalBytes = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    let finished = 0;
    for (const entry of entries) {
      const report = (bytes: number) => onProgress?.({ phase: "download", loadedBytes: finished + bytes, totalBytes });
      await this.#obtain(entry, report);
      finished += entry.bytes;
      report(0);
    }
    if (this.#outage) return;
    // For the next time without a network. A cache that is read-only does without.
    await this.#cache.setTree(commit, all).catch(() => {});
    if (!isCommit(this.id.revision)) await this.#cache.setCommit(this.id.revision, commit).catch(() => {});
  }

  /**
   * Hashes what obtain() got, and gets anew what was cached and is damaged.
   * @returns the files in the order of their paths
   * @throws ZagreusError those of obtain(), and BAD_CHECKSUM for a damaged file when the hub cannot be asked
   */
  async check(): Promise<PulledFile[]> {
    const files: PulledFile[] = [];
    for (const [entry, isNew] of this.#obtained) {
      const { path, bytes, oid } = entry;
      if (!isNew && oid !== "" && (await this.#hash(entry)) !== oid) {
        const message = `${this.id.repository}: the cached "${path}" is damaged`;
        if (this.#outage) throw new ZagreusError("BAD_CHECKSUM", message, { field: path, expected: oid });
        this.#options.onNotice?.(`${message}: downloading it again`);
        await this.#platform.files.remove(this.path(path));
        await this.#platform.files.remove(this.#cache.blob(oid));
        await this.#obtain(entry, () => {});
      }
      const sha256 = isSha256(oid)
        ? oid
        : await this.#platform.files.hash("sha256", this.path(path), "", this.#assertNotAborted);
      files.push({ path, bytes, sha256 });
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  get #paths(): string[] {
    return this.#listing.entries.map(({ path }) => path);
  }

  async #obtain(entry: HubEntry, report: (bytes: number) => void): Promise<void> {
    const { files } = this.#platform;
    const cache = this.#cache;
    const { commit } = this.#listing;
    const isThere = () => cache.has(commit, entry);
    this.#obtained.set(entry, false);
    if (await isThere()) return;
    if (this.#outage) throw this.#outage;
    const waiting = () => this.#options.onNotice?.(`another process is downloading ${entry.path}: waiting for it`);
    const { signal } = this.#options;
    await withLock(files, cache.locks, entry.oid, signal, waiting, async (lock) => {
      if (await isThere()) return;
      const isNew = (await files.size(cache.blob(entry.oid))) !== entry.bytes;
      if (isNew) {
        const context = { platform: this.#platform, http: this.#http, cache, repository: this.id.repository };
        await fetchBlob({ ...context, commit, entry, lock, onBytes: report });
      }
      await cache.link(commit, entry.path, entry.oid, isNew);
      this.#obtained.set(entry, isNew);
    });
  }

  async #hash({ path, oid }: HubEntry): Promise<string> {
    return hashOf(this.#platform.files, this.path(path), oid, this.#assertNotAborted);
  }

  readonly #assertNotAborted = () => checkAborted(this.#options.signal);

  async #cachedListing(): Promise<(Listing & { isComplete: boolean }) | undefined> {
    const commit = await this.#cache.commitOf(this.id.revision);
    if (commit === undefined) return undefined;
    const tree = await this.#cache.tree(commit);
    // Hashes that nobody wrote down are empty.
    const entries = tree ?? (await this.#cache.walk(commit)).map((file) => ({ ...file, oid: "", gitOid: "" }));
    return entries.length > 0 ? { commit, entries, isComplete: tree !== undefined } : undefined;
  }

  #offline(why: string): ZagreusError {
    const { repository } = this.id;
    const message = `${showHubId(this.id)} is not in the cache ${this.#platform.settings.cache}, and ${why}`;
    return new ZagreusError("OFFLINE", message, { field: repository });
  }
}
