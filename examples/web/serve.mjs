// Builds the page and serves it: node serve.mjs [PORT]. With its headers the page may use threads.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import "./build.mjs";

const ROOT = fileURLToPath(new URL("dist", import.meta.url));
const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
  ".wasm": "application/wasm",
};

const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  const file = join(ROOT, path.endsWith("/") ? `${path}index.html` : path);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) return response.writeHead(404).end();
  const [start, status] = rangeStart(request.headers.range, stat.size);
  response.writeHead(status, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-length": stat.size - start,
    etag: `"${stat.size}-${stat.mtimeMs}"`, // downloads go on where they ended, if the file is the same
    "accept-ranges": "bytes",
    ...(status === 206 ? { "content-range": `bytes ${start}-${stat.size - 1}/${stat.size}` } : {}),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  createReadStream(file, { start }).pipe(response);
});

/** Of "bytes=START-"; of everything else 0. */
function rangeStart(range, size) {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? Number.NaN);
  return start < size ? [start, 206] : [0, 200];
}

server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => {
  console.log(`http://localhost:${server.address().port}/`);
});
