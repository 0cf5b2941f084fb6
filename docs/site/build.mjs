// npm run docs [-- --serve PORT | --dev PORT]: the documents as pages, the API of the declarations, the chat page for the playground, and
// of it all a static site in dist/; --dev shows each document as it is saved instead, without the API.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, watchFile, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { PAGES } from "./pages.mjs";

const SITE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = join(SITE, "../..");
const OUT = join(SITE, "pages");
const { repository } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const sources = (repository?.url ?? repository)?.replace(/^git\+|\.git$/g, "");

if (!existsSync(join(SITE, "node_modules"))) throw new Error("first: npm ci --prefix docs/site");
const { values } = parseArgs({ options: { serve: { type: "string" }, dev: { type: "string" } } });
rmSync(OUT, { recursive: true, force: true });
cpSync(join(ROOT, "docs/images"), join(OUT, "public/images"), { recursive: true });
const content = readdirSync(join(SITE, "content"), { recursive: true }).filter((name) => name.endsWith(".md"));
const pages = [...PAGES, ...content.map((name) => [`docs/site/content/${name}`, name.slice(0, -".md".length)])];
for (const [document, page] of pages) writePage(document, page);
const { build, createServer, serve } = await import("vitepress");
if (values.dev === undefined) {
  const { writeReference } = await import("./reference.mjs");
  await writeReference(join(ROOT, "dist/types"), join(OUT, "api"));
  const chat = ["examples/web/build.mjs", "--out", join(OUT, "public/chat")];
  execFileSync(process.execPath, chat, { cwd: ROOT, stdio: "inherit" });
  await build(SITE);
  if (values.serve !== undefined) await serve({ root: SITE, port: Number(values.serve) });
} else {
  for (const [document, page] of pages) {
    watchFile(join(ROOT, document), { interval: 200 }, () => writePage(document, page));
  }
  const server = await createServer(SITE, { port: Number(values.dev) });
  await server.listen();
  server.printUrls();
}

function writePage(document, page) {
  const path = join(OUT, `${page}.md`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, asPage(document, readFileSync(join(ROOT, document), "utf8")));
}

/** A document with links that lead to pages, pictures of the site, or the repository. */
function asPage(document, text) {
  const parts = text.split(/(^```[\s\S]*?^```$)/m);
  return parts.map((part, i) => (i % 2 ? part : withLinks(document, part))).join("");
}

function withLinks(document, text) {
  return text
    .replace(/\bsrc="(?:(?:\.\.\/)*docs\/)?images\//g, 'src="/images/')
    .replace(/\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g, (link, words, target) => {
      if (/^(#|[a-z]+:)/.test(target)) return link;
      const [path, anchor] = target.split("#");
      const file = posix.normalize(posix.join(dirname(document), path));
      const hash = anchor ? `#${anchor}` : "";
      if (PAGES.has(file)) return `[${words}](/${PAGES.get(file)}.md${hash})`;
      if (file === "README.md") return `[${words}](/index.md)`;
      return sources ? `[${words}](${sources}/blob/main/${file}${hash})` : words;
    });
}
