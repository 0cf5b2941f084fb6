// Debian's Chromium, and a server for its pages.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { CHROMIUM_FLAGS } from "../support/chromium.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const MODEL = readFileSync(join(ROOT, "host/models/zagreus-nano-Q8_0.gguf"));
export const PROMPT = "C'era una volta un re che aveva";

/** CHROMIUM names another browser than Debian's. */
const FLAGS = [...CHROMIUM_FLAGS, "--host-resolver-rules=MAP insecure.test 127.0.0.1"];

/** A browser with a new profile, and the extension in a folder; restart() keeps the profile. */
export async function browser({ extension, ...options } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "zagreus-chromium-"));
  const launch = () =>
    chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: extension ? [...FLAGS, `--load-extension=${extension}`] : FLAGS,
      ...(extension && { ignoreDefaultArgs: ["--disable-extensions"] }),
      ...options,
    });
  let context = await launch();
  return {
    /** A tab with the page at `url`; what it throws fails the test that looks at `errors`. */
    async open(url) {
      const page = await context.newPage();
      page.errors = [];
      page.on("pageerror", (error) => page.errors.push(error.message));
      await page.goto(url);
      return page;
    },
    async restart() {
      await context.close();
      context = await launch();
    },
    /** The service worker of the extension. */
    serviceWorker: async () => context.serviceWorkers()[0] ?? context.waitForEvent("serviceworker"),
    version: () => context.browser().version(),
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

const PAGE = '<!doctype html><title>test</title><script type="module" src="/test/browser/page.mjs"></script>';
export const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/**
 * Serves `folder` and, at /model.gguf, the model as `model` says: { bytes, etag, ranges, restAs200, allAs206, cutAt, stallAt, status }, with
 * `unsized` so many bytes of it without a length; at / the page of page.mjs, or `html`. Requests for the model are noted in `requests`.
 */
export async function serve({ folder = ROOT, isolated = false, model = {}, html = PAGE } = {}) {
  const requests = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (isolated) for (const [name, value] of Object.entries(ISOLATION)) response.setHeader(name, value);
    if (pathname === "/model.gguf") return sendModel(request, response, model, requests);
    try {
      const body = pathname === "/" ? html : readFileSync(join(folder, pathname));
      response.setHeader("content-type", TYPES[extname(pathname) || ".html"] ?? "application/octet-stream");
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://localhost:${server.address().port}`,
    model,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function sendModel(request, response, model, requests) {
  const { bytes = MODEL, etag, ranges = true, restAs200, allAs206, unsized, cutAt, stallAt, status = 200 } = model;
  const { range } = request.headers;
  requests.push(range ?? "all");
  if (status !== 200) return response.writeHead(status).end();
  const start = ranges && range ? Number(/^bytes=(\d+)-$/.exec(range)[1]) : 0;
  const body = bytes.subarray(allAs206 ? 0 : start);
  if (etag) response.setHeader("etag", etag);
  if (!unsized) response.setHeader("content-length", body.length);
  if (start > 0 && !restAs200)
    response.setHeader("content-range", `bytes ${start}-${bytes.length - 1}/${bytes.length}`);
  response.writeHead(start > 0 && !restAs200 ? 206 : 200);
  if (unsized) return response.end(body.subarray(0, unsized));
  const end = cutAt ?? stallAt;
  if (end === undefined) return response.end(body);
  response.write(body.subarray(0, end), () => {
    if (cutAt !== undefined) setTimeout(() => response.destroy(), 200); // what was sent arrives before
  });
}
