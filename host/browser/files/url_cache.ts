// Downloaded models in the origin private file system: for every URL a file, which grows while it is downloaded, and a
// record beside it that says what it is.

import type { LoadOptions } from "../../core/api/api.js";
import { aborted, ZagreusError } from "../../core/api/errors.js";
import { hex } from "../../core/api/hex.js";
import { byteSource, readSource } from "../../core/load/source.js";
import { absoluteUrl, request } from "../net/request.js";
import { privateFiles, type SyncAccessHandle, writeAll } from "./access_handle.js";

/** A model in the browser's cache. */
export interface CachedModel {
  /** Where it was downloaded from: an address, or of the hub "hf:owner/repo". */
  url: string;
  /** Bytes that are here; of a repository all files. */
  bytes: number;
  /** Size of the file in bytes; undefined as long as the server has not said. */
  totalBytes: number | undefined;
  /** Whether all of it is here. */
  complete: boolean;
}

interface CacheRecord {
  url: string;
  /** What the server calls this version of the file; without it a download cannot go on. */
  version: string | undefined;
  totalBytes: number | undefined;
  complete: boolean;
}

const MAGIC = [0x47, 0x47, 0x55, 0x46]; // "GGUF"
const DIRECTORY = "zagreus-edge";
const RECORD = ".json";

/**
 * The file of a URL, downloaded as far as it is not here yet. What is here is not asked for again.
 * @throws ZagreusError SOURCE_FAILED, ABORTED, DISK_FULL, WRITE_FAILED, UNSUPPORTED_RUNTIME; what has come stays
 */
export async function cacheModel(url: string, { signal, onProgress }: LoadOptions): Promise<File> {
  const directory = await openDirectory();
  const name = await nameOf(url);
  return exclusively(name, signal, async () => {
    const file = await writing(() => directory.getFileHandle(name, { create: true }));
    const record = await readRecord(directory, name);
    if (!record?.complete || (await file.getFile()).size !== record.totalBytes) {
      await download(url, directory, file, record, { signal, onProgress });
    }
    return file.getFile();
  });
}

/** The next load downloads the model of a URL anew: what is here is not the whole of one. */
export async function distrustCachedModel(url: string): Promise<void> {
  const directory = await openDirectory();
  await exclusively(await nameOf(url), undefined, () =>
    writeRecord(directory, { url, version: undefined, totalBytes: undefined, complete: false }),
  );
}

/** Whether the model of a URL is here, on its way to here, or neither. */
export async function cacheState(url: string): Promise<"available" | "downloading" | "downloadable"> {
  const directory = await openDirectory();
  const name = await nameOf(url);
  const record = await readRecord(directory, name);
  if (record?.complete) {
    const file = await directory.getFileHandle(name).catch(() => undefined);
    if ((await file?.getFile())?.size === record.totalBytes) return "available";
  }
  const { held = [] } = await navigator.locks.query();
  return held.some((lock) => lock.name === lockOf(name)) ? "downloading" : "downloadable";
}

/** The models of URLs, whole or not. */
export async function cachedModels(): Promise<CachedModel[]> {
  const directory = await openDirectory();
  const models: CachedModel[] = [];
  for await (const key of directory.keys()) {
    if (!key.endsWith(RECORD)) continue;
    const name = key.slice(0, -RECORD.length);
    const record = await readRecord(directory, name);
    if (!record) continue;
    const { size } = await (await directory.getFileHandle(name, { create: true })).getFile();
    const complete = record.complete && size === record.totalBytes;
    models.push({ url: record.url, bytes: size, totalBytes: record.totalBytes, complete });
  }
  return models;
}

/** Removes the model of a URL, if it is there. Waits for whoever is downloading it. */
export async function removeCachedModel(url: string | URL): Promise<void> {
  const directory = await openDirectory();
  const name = await nameOf(absoluteUrl(url, "url").href);
  await exclusively(name, undefined, async () => {
    for (const key of [name + RECORD, name]) {
      await writing(() =>
        directory.removeEntry(key).catch((error) => {
          if (error.name !== "NotFoundError") throw error;
        }),
      );
    }
  });
}

async function download(
  url: string,
  directory: FileSystemDirectoryHandle,
  file: FileSystemFileHandle,
  record: CacheRecord | undefined,
  { signal, onProgress }: Pick<LoadOptions, "signal" | "onProgress">,
): Promise<void> {
  const handle = await openForWriting(file);
  let at = 0;
  try {
    const had = record?.version ? handle.getSize() : 0;
    const { chunks, start, version, totalBytes, likelyBytes } = await resume(url, had, record, signal);
    const report = () => {
      const total = totalBytes ?? (likelyBytes !== undefined && at <= likelyBytes ? likelyBytes : undefined);
      onProgress?.({ phase: "download", loadedBytes: at, totalBytes: total });
    };
    at = start;
    await writing(() => handle.truncate(start));
    await writeRecord(directory, { url, version, totalBytes, complete: false });
    report();
    for await (const chunk of chunks) {
      await writing(() => writeAll(handle, chunk, at));
      at += chunk.length;
      report();
    }
    if (totalBytes !== undefined && at !== totalBytes) {
      const message = `the download of "${url}" ended after ${at} bytes, must be ${totalBytes}`;
      throw new ZagreusError("SOURCE_FAILED", message, { field: "source", value: at, expected: totalBytes });
    }
    await writing(() => handle.flush());
    await writeRecord(directory, { url, version, totalBytes: at, complete: true });
  } finally {
    handle.close();
  }
}

interface FileResponse {
  chunks: AsyncIterable<Uint8Array>;
  /** Where in the file they start. */
  start: number;
  version: string | undefined;
  /** Of the whole file, when that is sure. */
  totalBytes: number | undefined;
  /** What the server says, which across origins may be the length of compressed bytes. */
  likelyBytes: number | undefined;
}

/** Asks for what follows `had` bytes; gets all if the server cannot do that, or has another file by now. */
async function resume(
  url: string,
  had: number,
  record: CacheRecord | undefined,
  signal: AbortSignal | undefined,
): Promise<FileResponse> {
  const init: RequestInit = { signal: signal ?? null, cache: "no-store" }; // this is the cache
  if (had > 0) {
    const response = await request(url, { ...init, headers: { range: `bytes=${had}-` } });
    const answer = await resumedOrWhole(response, had, record?.version, signal);
    if (answer) return answer;
  }
  return answerOf(await request(url, init), 0, signal);
}

/**
 * What a server makes of a range. Some mirrors send the rest as if it were all, or all as if it were the rest: a model says what it
 * is at its beginning, and only there. Undefined for what cannot be used.
 */
async function resumedOrWhole(
  response: Response,
  had: number,
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<FileResponse | undefined> {
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  const isRest = response.status === 206 && Number(range?.[1]) === had && versionOf(response) === version;
  if (!isRest && response.status !== 200) {
    await response.body?.cancel();
    return undefined;
  }
  const answer = answerOf(response, isRest ? had : 0, signal);
  const iterator = answer.chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (isRest === isBeginning(first.value)) {
    await iterator.return?.();
    return undefined;
  }
  return { ...answer, chunks: chain(first, iterator), ...(isRest ? { totalBytes: Number(range![2]) } : {}) };
}

function answerOf(response: Response, start: number, signal: AbortSignal | undefined): FileResponse {
  const source = byteSource(response);
  const length = Number(response.headers.get("content-length")) || undefined;
  const likelyBytes = response.headers.has("content-encoding") ? undefined : length;
  return {
    chunks: readSource(source, signal),
    start,
    version: versionOf(response),
    totalBytes: source.size,
    likelyBytes,
  };
}

function isBeginning(chunk: Uint8Array | undefined): boolean {
  return chunk !== undefined && MAGIC.every((byte, i) => chunk[i] === byte);
}

async function* chain(first: IteratorResult<Uint8Array>, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (let next = first; !next.done; next = await rest.next()) yield next.value;
}

/** A strong validator, of bytes that come as they lie. */
function versionOf({ headers }: Response): string | undefined {
  const tag = headers.get("etag");
  const version = tag && !tag.startsWith("W/") ? tag : headers.get("last-modified");
  return headers.has("content-encoding") ? undefined : (version ?? undefined);
}

async function openDirectory(): Promise<FileSystemDirectoryHandle> {
  const root = await privateFiles();
  return writing(() => root.getDirectoryHandle(DIRECTORY, { create: true }));
}

async function openForWriting(file: FileSystemFileHandle): Promise<SyncAccessHandle> {
  const { createSyncAccessHandle } = file as { createSyncAccessHandle?: () => Promise<SyncAccessHandle> };
  if (!createSyncAccessHandle) {
    const message = "the cache can be written in workers only; on a page, load with offload: true";
    throw new ZagreusError("UNSUPPORTED_RUNTIME", message, { field: "cache", value: true });
  }
  return writing(() => createSyncAccessHandle.call(file));
}

async function readRecord(directory: FileSystemDirectoryHandle, name: string): Promise<CacheRecord | undefined> {
  try {
    const file = await directory.getFileHandle(name + RECORD);
    return JSON.parse(await (await file.getFile()).text());
  } catch {
    return undefined; // none, or a tab was closed while it was written
  }
}

async function writeRecord(directory: FileSystemDirectoryHandle, record: CacheRecord): Promise<void> {
  const name = (await nameOf(record.url)) + RECORD;
  const handle = await openForWriting(await writing(() => directory.getFileHandle(name, { create: true })));
  const bytes = new TextEncoder().encode(JSON.stringify(record));
  try {
    await writing(() => {
      handle.truncate(bytes.length);
      writeAll(handle, bytes, 0);
      handle.flush();
    });
  } finally {
    handle.close();
  }
}

/** One tab at a time; the lock of a tab that is closed is free. @throws ZagreusError ABORTED */
async function exclusively<T>(name: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  let begun = false;
  try {
    return await navigator.locks.request(lockOf(name), signal ? { signal } : {}, () => {
      begun = true;
      return run();
    });
  } catch (error) {
    if (!begun && signal?.aborted) throw aborted(signal.reason);
    throw error;
  }
}

const lockOf = (name: string) => `${DIRECTORY} ${name}`;

async function nameOf(url: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url));
  return hex(new Uint8Array(digest));
}

/** Runs what may find no room. @throws ZagreusError DISK_FULL, WRITE_FAILED */
export async function writing<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof ZagreusError) throw cause;
    const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
    if (name === "QuotaExceededError")
      throw new ZagreusError("DISK_FULL", `no room in the cache: ${message}`, { cause });
    throw new ZagreusError("WRITE_FAILED", `the cache cannot be written: ${message}`, { cause });
  }
}
