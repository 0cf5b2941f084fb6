// A server on this machine that answers as the Hugging Face hub and its CDN do, and misbehaves when told to.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { HubSettings } from "../../host/core/hub/platform";

export interface HubFile {
  path: string;
  bytes: Uint8Array;
  /** Files of weights are in LFS, and come from the CDN. */
  lfs?: boolean;
}

export interface HubRepository {
  /** "owner/repo" */
  name: string;
  commit: string;
  files: HubFile[];
  /** Branches and tags besides main. */
  refs?: Record<string, string>;
  /** Only with this token. */
  token?: string;
  gated?: boolean;
}

/** What one answer does wrong. */
export interface Fault {
  /** The connection breaks after so many bytes of the body. */
  cut?: number;
  /** This byte of the file is wrong. */
  flip?: number;
  /** Nothing comes after so many bytes. */
  stall?: number;
  /** Milliseconds for every 16 KB. */
  slow?: number;
  status?: number;
  headers?: Record<string, string>;
  ignoreRange?: boolean;
  /** A range comes with status 200 and nothing that tells. */
  rest?: boolean;
  /** The range begins so many bytes too late. */
  shift?: number;
  etag?: string;
  gzip?: boolean;
  /** No content-length. */
  chunked?: boolean;
  /** Bytes behind the end. */
  extra?: number;
  /** The address of a redirect. */
  redirect?: string;
  body?: string;
}

export interface HubRequest {
  host: "hub" | "cdn";
  /** "api" lists a repository, "file" is a file of one. */
  kind: "api" | "file";
  url: string;
  headers: IncomingMessage["headers"];
}

export interface HubServer {
  /** For HF_ENDPOINT. */
  endpoint: string;
  cdn: string;
  /** All that were made, in order. */
  requests: HubRequest[];
  repositories: HubRepository[];
  /** Asked for every request; a fault or nothing. */
  misbehave: (request: HubRequest) => Fault | undefined;
  close(): Promise<void>;
}

const CHECKPOINT = new URL("../fixtures/zagreus-nano-hf/", import.meta.url);
const PIECE = 16384;
/** Pages may read everything, as at the hub. */
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "ETag,Content-Range,X-Repo-Commit,X-Error-Code,X-Linked-Size,X-Linked-ETag",
};

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Git's name of a blob. */
export function gitOid(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** By which the hub names a file's content. */
export function oidOf({ bytes, lfs }: HubFile): string {
  return lfs ? sha256(bytes) : gitOid(bytes);
}

/** The fixtures' checkpoint as files of a repository. */
export function checkpointFiles(): HubFile[] {
  return readdirSync(CHECKPOINT).map((path) => ({
    path,
    bytes: readFileSync(new URL(path, CHECKPOINT)),
    lfs: path.endsWith(".safetensors"),
  }));
}

/** What a client of the server is set to: it waits for nothing long. */
export function settingsFor({ endpoint }: HubServer, cache: string): HubSettings {
  const usual = { token: undefined, offline: false, noLinks: false };
  return { endpoint, cache, ...usual, timeoutMs: 2000, retryDelayMs: 1 };
}

export async function startHub(repositories: HubRepository[]): Promise<HubServer> {
  const hub = createServer((request, response) => answer("hub", request, response));
  const cdn = createServer((request, response) => answer("cdn", request, response));
  const server: HubServer = {
    endpoint: await listen(hub),
    cdn: await listen(cdn),
    requests: [],
    repositories,
    misbehave: () => undefined,
    async close() {
      for (const each of [hub, cdn]) {
        each.closeAllConnections();
        await new Promise((resolve) => each.close(resolve));
      }
    },
  };

  async function answer(host: "hub" | "cdn", incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
    const url = incoming.url ?? "/";
    const kind = url.startsWith("/api/") ? "api" : "file";
    const request: HubRequest = { host, kind, url, headers: incoming.headers };
    server.requests.push(request);
    const fault = server.misbehave(request) ?? {};
    if (fault.redirect !== undefined) return end(response, 302, { location: fault.redirect });
    if (fault.status !== undefined) return end(response, fault.status, fault.headers ?? {}, "an error page");
    if (host === "cdn") return fromCdn(request, response, fault);
    return kind === "api" ? list(request, response, fault) : resolve(request, response, fault);
  }

  /** /api/models/OWNER/REPO/revision/REVISION?blobs=true */
  async function list({ url, headers }: HubRequest, response: ServerResponse, fault: Fault): Promise<void> {
    const [, name = "", revision = ""] = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^?]+)/.exec(url) ?? [];
    const repository = find(name, headers);
    if (!repository) return end(response, 401, { "x-error-code": "RepoNotFound" });
    if (commitOf(repository, decodeURIComponent(revision)) === undefined) {
      return end(response, 404, { "x-error-code": "RevisionNotFound" });
    }
    const siblings = repository.files.map((file) => ({
      rfilename: file.path,
      size: file.bytes.length,
      blobId: file.lfs ? gitOid(new TextEncoder().encode(`pointer ${sha256(file.bytes)}`)) : gitOid(file.bytes),
      ...(file.lfs && { lfs: { sha256: sha256(file.bytes), size: file.bytes.length, pointerSize: 134 } }),
    }));
    await end(response, 200, {}, fault.body ?? JSON.stringify({ id: name, sha: repository.commit, siblings }));
  }

  /** /OWNER/REPO/resolve/REVISION/PATH: small files, or the way to the CDN. */
  async function resolve(request: HubRequest, response: ServerResponse, fault: Fault): Promise<void> {
    const match = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(request.url);
    const [, name = "", revision = "", path = ""] = match ?? [];
    const repository = find(name, request.headers);
    if (!repository) return end(response, 401, { "x-error-code": "RepoNotFound" });
    if (repository.gated) return end(response, 403, { "x-error-code": "GatedRepo" });
    const file = repository.files.find((file) => file.path === decodeURIComponent(path));
    if (commitOf(repository, revision) === undefined || !file) {
      return end(response, 404, { "x-error-code": "EntryNotFound", "x-repo-commit": repository.commit });
    }
    const common = { "x-repo-commit": repository.commit };
    if (!file.lfs) return send(request, response, file.bytes, `"${oidOf(file)}"`, common, fault);
    const linked = { "x-linked-size": String(file.bytes.length), "x-linked-etag": `"${oidOf(file)}"`, ...common };
    await end(response, 302, { ...linked, ...fault.headers, location: `${server.cdn}/${oidOf(file)}?signature=1` });
  }

  async function fromCdn(request: HubRequest, response: ServerResponse, fault: Fault): Promise<void> {
    const oid = request.url.slice(1).split("?")[0];
    const file = server.repositories.flatMap(({ files }) => files).find((file) => file.lfs && oidOf(file) === oid);
    if (!file) return end(response, 404, {});
    await send(request, response, file.bytes, fault.etag ?? `"cdn-${oid!.slice(0, 16)}"`, {}, fault);
  }

  function find(name: string, headers: IncomingMessage["headers"]): HubRepository | undefined {
    const repository = server.repositories.find((repository) => repository.name === name);
    const isAllowed = !repository?.token || headers.authorization === `Bearer ${repository.token}`;
    return isAllowed ? repository : undefined;
  }

  return server;
}

function commitOf({ commit, refs }: HubRepository, revision: string): string | undefined {
  return revision === "main" || revision === commit ? commit : refs?.[revision];
}

async function end(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body = "",
): Promise<void> {
  response.writeHead(status, { "content-length": Buffer.byteLength(body), ...headers });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Sends a file, or the range of it that is asked for. */
async function send(
  { headers }: HubRequest,
  response: ServerResponse,
  whole: Uint8Array,
  etag: string,
  more: Record<string, string>,
  fault: Fault,
): Promise<void> {
  const range = /^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1];
  const isCurrent = headers["if-range"] === undefined || headers["if-range"] === etag;
  const ranged = range !== undefined && isCurrent && !fault.ignoreRange;
  if (ranged && Number(range) >= whole.length) {
    return end(response, 416, { "content-range": `bytes */${whole.length}` });
  }
  const begin = ranged ? Number(range) + (fault.shift ?? 0) : 0;
  let body = Buffer.from(whole.subarray(begin));
  if (fault.flip !== undefined && fault.flip >= begin) body[fault.flip - begin]! ^= 1;
  if (fault.extra) body = Buffer.concat([body, Buffer.alloc(fault.extra)]);
  if (fault.gzip) body = gzipSync(body);
  response.writeHead(ranged && !fault.rest ? 206 : 200, {
    etag,
    "accept-ranges": "bytes",
    ...(!fault.chunked && { "content-length": body.length }),
    ...(ranged && !fault.rest && { "content-range": `bytes ${begin}-${whole.length - 1}/${whole.length}` }),
    ...(fault.gzip && { "content-encoding": "gzip" }),
    ...more,
    ...fault.headers,
  });
  if (response.req.method === "HEAD") return void response.end();
  const stop = Math.min(fault.cut ?? body.length, fault.stall ?? body.length);
  for (let at = 0; at < stop && !response.destroyed; at += PIECE) {
    if (fault.slow) await sleep(fault.slow);
    const piece = body.subarray(at, Math.min(at + PIECE, stop));
    await new Promise((resolve) => response.write(piece, resolve));
  }
  if (fault.cut !== undefined && fault.cut < body.length) return void response.destroy();
  if (fault.stall === undefined) response.end();
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
