// Puts the chat page and what it loads into dist/ (--out FOLDER: there), which any web server can serve.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const OUT = process.argv.indexOf("--out");
const FOLDER = OUT > 0 ? process.argv[OUT + 1] : fileURLToPath(new URL("dist", import.meta.url));
const site = (path = "") => join(FOLDER, path);
const library = join(createRequire(import.meta.url).resolve("zagreus-edge/package.json"), "..");
const MODEL = "host/models/zagreus-nano-Q8_0.gguf";

/** What the library loads in a browser, beside the chunks of its script. */
const ASSETS = [
  ...["browser-worker.js", "browser-thread.js", "browser-hub.js", "zagreus-quantizer.wasm"],
  ...["simd", "relaxed", "simd-mt", "relaxed-mt"].map((core) => `zagreus-${core}.wasm`),
];

/** A script and all that it imports. */
function withChunks(name, known = new Set()) {
  if (known.has(name)) return known;
  known.add(name);
  const imported = readFileSync(join(library, "dist", name), "utf8").matchAll(/"\.\/(browser-[A-Z0-9]{8}\.js)"/g);
  for (const [, chunk] of imported) withChunks(chunk, known);
  return known;
}

rmSync(site(), { recursive: true, force: true });
mkdirSync(site("zagreus"), { recursive: true });
cpSync(join(library, "dist/page"), site(), { recursive: true });
for (const file of [...ASSETS, ...withChunks("browser.js")]) {
  cpSync(join(library, "dist", file), site(`zagreus/${file}`));
}
cpSync(join(library, MODEL), site(MODEL));

// What the page needs without a network, and what tells this version of it from others.
const PAGE = ["index.html", "app.js", "mcp.js", "style.css", "icon.svg", "manifest.webmanifest", "licenses.txt"];
const files = [...PAGE, ...[...ASSETS, ...withChunks("browser.js")].map((name) => `zagreus/${name}`)].sort();
const script = readFileSync(site("service_worker.js"));
const hash = [...files.map((file) => readFileSync(site(file))), script].reduce(
  (hash, bytes) => hash.update(bytes),
  createHash("sha256"),
);
const version = hash.digest("hex").slice(0, 16);
const known = `const FILES = ${JSON.stringify(files)};\nconst VERSION = ${JSON.stringify(version)};\n`;
writeFileSync(site("service_worker.js"), known + script);
