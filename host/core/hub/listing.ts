// What a repository holds at a revision, as the hub's API tells it.

import { ZagreusError } from "../api/errors.js";
import { parseJson } from "../api/json.js";
import type { Http } from "./http.js";
import { type HubId, isCommit, isPath } from "./id.js";

export interface HubEntry {
  /** In the repository. */
  path: string;
  bytes: number;
  /** SHA-256 of the file where it is in LFS, else the SHA-1 of its git blob. Names the blob in the cache. */
  oid: string;
  /** SHA-1 of the git blob: the file itself, or what points into LFS. */
  gitOid: string;
}

export interface Listing {
  commit: string;
  entries: HubEntry[];
}

const MAX_BYTES = 32 << 20;

/** Whether it is a SHA-256 in hexadecimal, as LFS names objects. */
export function isSha256(oid: string): boolean {
  return /^[0-9a-f]{64}$/.test(oid);
}

/** Whether it is a SHA-1 in hexadecimal, as Git names objects. */
export function isSha1(oid: string): boolean {
  return /^[0-9a-f]{40}$/.test(oid);
}

/** Bytes in hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The SHA-256 of a text's UTF-8, in hexadecimal. */
export async function sha256Of(text: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}

/** @throws ZagreusError HUB_DENIED, HUB_NOT_FOUND, HUB_BUSY, HUB_FAILED, OFFLINE, ABORTED */
export async function fetchListing(http: Http, { repository, revision }: HubId, attempts?: number): Promise<Listing> {
  const path = `/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const text = await http.retrying(async () => {
    const answer = await http.request(path, [200]);
    const decoder = new TextDecoder();
    let text = "";
    for (let bytes = await answer.read(); bytes; bytes = await answer.read()) {
      text += decoder.decode(bytes, { stream: true });
      if (text.length > MAX_BYTES) {
        answer.cancel();
        throw nonsense(repository, `the list of files is longer than ${MAX_BYTES} bytes`);
      }
    }
    return text + decoder.decode();
  }, attempts);
  return parseListing(repository, text);
}

/** Parses the answer of /api/models/…/revision/…?blobs=true. @throws ZagreusError HUB_FAILED */
function parseListing(repository: string, text: string): Listing {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    throw nonsense(repository, "the list of files is not JSON", error);
  }
  const { sha, siblings } = record(json);
  if (typeof sha !== "string" || !isCommit(sha)) throw nonsense(repository, `"sha" is ${show(sha)}, must be a commit`);
  if (!Array.isArray(siblings)) throw nonsense(repository, `"siblings" is ${show(siblings)}, must be a list`);
  return { commit: sha, entries: siblings.map((sibling) => parseEntry(repository, record(sibling))) };
}

function parseEntry(repository: string, { rfilename: path, size, blobId, lfs }: Record<string, unknown>): HubEntry {
  if (typeof path !== "string" || !isPath(path)) {
    throw nonsense(repository, `lists ${show(path)}, which is no path inside a repository`);
  }
  const { sha256, size: lfsBytes } = record(lfs);
  const oid = lfs ? sha256 : blobId;
  const bytes = lfs ? (lfsBytes ?? size) : size;
  if (typeof blobId !== "string" || !isSha1(blobId) || typeof oid !== "string" || !(isSha1(oid) || isSha256(oid))) {
    throw nonsense(repository, `states no hash of "${path}": blobId is ${show(blobId)}, lfs.sha256 ${show(sha256)}`);
  }
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw nonsense(repository, `"${path}" has ${show(bytes)} bytes`);
  }
  return { path, bytes, oid, gitOid: blobId };
}

function nonsense(repository: string, what: string, cause?: unknown): ZagreusError {
  return new ZagreusError("HUB_FAILED", `${repository}: the hub's answer makes no sense: ${what}`, {
    field: repository,
    cause,
  });
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 100);
}
