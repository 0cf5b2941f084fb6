// An engine in a page of headless Chromium:
//
//     chromium.mjs '{"page": "core" | "wllama" | "onnx", "model", "prompt", "isolated", ...what the page takes}'
//
// The page and all it needs come from a server on 127.0.0.1. `isolated` gives it shared memory, and with it threads.

import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { CHROMIUM_FLAGS } from "../../support/chromium.mjs";
import { descendants } from "../processes.mjs";
import { peakRss, serve } from "./serve.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
const settings = JSON.parse(process.argv[2]);
const files = {
  "/model": settings.model,
  "/prompt": settings.prompt,
  "/wasm": settings.wasm,
  "/kernel_choice": settings.kernelChoice,
};

const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  const file = files[path] ?? join(ROOT, path);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) return response.writeHead(404).end();
  response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
  response.setHeader("content-length", stat.size);
  if (settings.isolated) {
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-embedder-policy", "require-corp");
  }
  createReadStream(file).pipe(response);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: CHROMIUM_FLAGS });
const page = await browser.newPage();
page.setDefaultTimeout(0);
page.on("pageerror", (error) => console.error(error.message));
await page.goto(`http://127.0.0.1:${server.address().port}/web/page.html`);
await page.evaluate(
  async ([name, options]) => {
    const { commands } = await import(`./${name}.mjs`);
    globalThis.engine = await commands(options);
  },
  [settings.page, settings],
);

const command = (name) => (options) =>
  page.evaluate(([name, options]) => globalThis.engine[name](options), [name, options]);

await serve({
  ...Object.fromEntries(["load", "prefill", "decode", "sha256"].map((name) => [name, command(name)])),
  /** Of the largest renderer, which is where the engine runs. */
  peakRss: () =>
    Math.max(
      ...descendants(process.pid)
        .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer"))
        .map((pid) => peakRss(pid)),
    ),
  close: () => browser.close(),
});
