// Downloads one file of a repository into blobs/.

import { ZagreusError } from "../api/errors.js";
import type { RepositoryCache } from "./cache.js";
import { checkAborted, type Http, type HubResponse, Transient } from "./http.js";
import { type HubEntry, isSha256 } from "./listing.js";
import type { Lock } from "./lock.js";
import type { HubFiles, HubPlatform, PartialFile } from "./platform.js";

/** Even with some progress each time. */
const MAX_CONNECTIONS = 1000;

export interface Download {
  platform: HubPlatform;
  http: Http;
  cache: RepositoryCache;
  repository: string;
  commit: string;
  entry: HubEntry;
  lock: Lock;
  /** Bytes of the file that are here now; falls when they have to be fetched again. */
  onBytes: (bytes: number) => void;
}

/**
 * Fetches blobs/<oid>, beginning where the last attempt ended. What arrives goes to a partial file; it gets the blob's
 * name when all of it, read back from the disk, has the hash that the hub states. An abort or failure leaves the
 * partial file for the next time, a wrong hash does not.
 * @throws ZagreusError ABORTED, BAD_CHECKSUM, DISK_FULL, SOURCE_FAILED (the cache), and those of Http.request
 */
export async function fetchBlob(download: Download): Promise<void> {
  const { platform, http, cache, entry, lock, repository } = download;
  const { files } = platform;
  const partial = cache.partial(entry.oid);
  for (let isRetry = false; ; isRetry = true) {
    await receive(download);
    const actual = await hashOf(files, partial, entry.oid, async () => {
      checkAborted(http.signal);
      await checkLock(lock);
    });
    if (actual === entry.oid) break;
    await files.remove(partial);
    // Once more, because a resumed beginning may be to blame, or memory.
    if (!isRetry) continue;
    const message = `${repository}: "${entry.path}" arrives damaged: its hash is ${actual}, the hub states ${entry.oid}`;
    throw new ZagreusError("BAD_CHECKSUM", message, { field: entry.path, value: actual, expected: entry.oid });
  }
  await files.rename(partial, cache.blob(entry.oid));
}

/** The hash of a file as the hub names it by: of the same kind as `oid`. */
export async function hashOf(
  files: HubFiles,
  path: string,
  oid: string,
  onBytes: () => void | Promise<void>,
): Promise<string> {
  if (isSha256(oid)) return files.hash("sha256", path, "", onBytes);
  return files.hash("sha1", path, `blob ${(await files.size(path)) ?? 0}\0`, onBytes); // as git does
}

/** The partial file. */
class Beginning {
  readonly #files: HubFiles;
  readonly #path: string;
  #file: PartialFile;
  /** Bytes that are here. */
  length: number;
  /** Of the answer that the last of them came from. */
  etag: string | undefined;
  /** Whether to ask for what is missing only. Not of a mirror that has answered such a question with something else. */
  ranges = true;

  private constructor(files: HubFiles, path: string, file: PartialFile) {
    this.#files = files;
    this.#path = path;
    this.#file = file;
    this.length = file.size;
  }

  static async open(files: HubFiles, path: string): Promise<Beginning> {
    return new Beginning(files, path, await files.openPartial(path));
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes, this.length);
    this.length += bytes.length;
  }

  /** Begins anew, in another file: should two processes ever hold the lock, this one may be the other's blob by now. */
  async discard(): Promise<void> {
    await this.#file.close();
    await this.#files.remove(this.#path);
    this.#file = await this.#files.openPartial(this.#path);
    this.length = 0;
    this.etag = undefined;
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Fills the partial file up. */
async function receive(download: Download): Promise<void> {
  const { platform, http, cache, entry, onBytes } = download;
  const beginning = await Beginning.open(platform.files, cache.partial(entry.oid));
  try {
    if (beginning.length > entry.bytes) await beginning.discard();
    await checkSpace(download, entry.bytes - beginning.length);
    const patience = http.patience();
    let farthest = beginning.length;
    for (let connection = 0; beginning.length < entry.bytes; connection++) {
      onBytes(beginning.length);
      try {
        const answer = await ask(download, beginning);
        try {
          await store(download, answer, beginning);
        } finally {
          answer.cancel();
        }
      } catch (error) {
        if (error instanceof Mismatch) {
          beginning.ranges = false;
          await beginning.discard();
        }
        if (beginning.length > farthest && connection < MAX_CONNECTIONS) patience.progressed();
        farthest = Math.max(farthest, beginning.length);
        await patience.after(error);
      }
    }
    await beginning.sync();
  } finally {
    await beginning.close();
  }
}

/** @throws Transient when the body is too short, Mismatch when it is too long */
async function store(download: Download, { response, read }: HubResponse, beginning: Beginning): Promise<void> {
  const { entry, lock, onBytes } = download;
  const whole = response.status !== 206 && !isRest(response, entry.bytes - beginning.length);
  const asked = beginning.length > 0 && beginning.ranges;
  if (beginning.length > 0 && whole) await beginning.discard();
  if (response.status === 416) return; // the next request is for all of it
  beginning.etag = strongEtag(response);
  for (let bytes = await read(); bytes; bytes = await read()) {
    if (beginning.length + bytes.length > entry.bytes) {
      throw new Mismatch(contradiction(download, `it is longer than ${entry.bytes} bytes`));
    }
    await checkLock(lock);
    try {
      await beginning.append(bytes);
    } catch (error) {
      throw await explained(download, entry.bytes - beginning.length, error);
    }
    onBytes(beginning.length);
  }
  if (beginning.length === entry.bytes) return;
  if (asked && whole) beginning.ranges = false; // it was the rest, without a length that tells
  throw new Transient(contradiction(download, `it ends after ${beginning.length} of ${entry.bytes} bytes`));
}

/**
 * An answer whose body goes on behind the beginning (status 206) or has all (200), or none (416).
 * @throws Mismatch for a 206 answer that does not continue what is there
 */
async function ask(download: Download, { length: at, etag, ranges }: Beginning): Promise<HubResponse> {
  const { http, repository, commit, entry } = download;
  const path = entry.path.split("/").map(encodeURIComponent).join("/");
  const range =
    at > 0 && ranges ? { range: `bytes=${at}-`, ...(etag !== undefined && { "if-range": etag }) } : undefined;
  const answer = await http.request(`/${repository}/resolve/${commit}/${path}`, range ? [200, 206, 416] : [200], range);
  const { response, hub } = answer;
  const stated = statedHash(hub);
  if (stated?.length === entry.oid.length && stated !== entry.oid) {
    answer.cancel();
    throw contradiction(download, `its hash is ${entry.oid} in the list of files, ${stated} where it is downloaded`);
  }
  const isOther = etag !== undefined && strongEtag(response) !== etag;
  if (response.status === 206 && (isOther || rangeBegin(response, entry.bytes) !== at)) {
    answer.cancel();
    throw new Mismatch(contradiction(download, "it does not continue where the download broke off"));
  }
  return answer;
}

/** What has arrived so far cannot be continued. */
class Mismatch extends Transient {}

/** Whether a 200 answer to a range is what is missing, as some mirrors have it; the hash tells in the end. */
function isRest({ status, headers }: Response, missing: number): boolean {
  const coding = headers.get("content-encoding") ?? "identity";
  return status === 200 && coding === "identity" && headers.get("content-length") === String(missing);
}

/** The first byte of a 206 answer, undefined if it is not of this file or coded. */
function rangeBegin({ headers }: Response, size: number): number | undefined {
  const coding = headers.get("content-encoding") ?? "identity";
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (coding !== "identity" || !match || (match[2] !== "*" && Number(match[2]) !== size)) return undefined;
  return Number(match[1]);
}

/** The hash that the hub states where it answers for the file; its ETag counts if that looks like one. */
function statedHash(hub: Headers): string | undefined {
  const etag = hub.get("x-linked-etag") ?? hub.get("etag");
  return /^(?:W\/)?"?([0-9a-f]{64}|[0-9a-f]{40})"?$/.exec(etag ?? "")?.[1];
}

/** What If-Range takes. */
function strongEtag({ headers }: Response): string | undefined {
  const etag = headers.get("etag");
  return etag?.startsWith('"') ? etag : undefined;
}

function contradiction({ repository, entry }: Download, what: string): ZagreusError {
  return new ZagreusError("HUB_FAILED", `${repository}: "${entry.path}": ${what}`, { field: entry.path });
}

async function checkLock(lock: Lock): Promise<void> {
  if (await lock.renew()) return;
  const message = "this process slept for so long that another one has taken over the download: try again";
  throw new ZagreusError("SOURCE_FAILED", message, { field: "lock" });
}

async function checkSpace(download: Download, needed: number): Promise<void> {
  const free = await download.platform.files.freeBytes(download.cache.folder);
  if (free !== undefined && free < needed) throw diskFull(download, needed, free);
}

/** The error for a write that failed. */
async function explained(download: Download, needed: number, error: unknown): Promise<unknown> {
  const { code } = error as { code?: unknown };
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return diskFull(download, needed, await download.platform.files.freeBytes(download.cache.folder), error);
}

function diskFull({ cache, entry }: Download, needed: number, free: number | undefined, cause?: unknown): ZagreusError {
  const left = free === undefined ? "" : `, ${free.toLocaleString("en-US")} are free`;
  const message =
    `the disk is full: "${entry.path}" needs ${needed.toLocaleString("en-US")} more bytes${left} ` +
    `in ${cache.folder}; free some or set HF_HUB_CACHE to a folder on another disk`;
  return new ZagreusError("DISK_FULL", message, { field: entry.path, value: free, expected: needed, cause });
}
