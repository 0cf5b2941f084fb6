// npm run docs [-- --serve PORT]: the documents as pages, the API of the declarations, the chat page for the playground, and of it all
// a static site in dist/.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { PAGES } from "./pages.mjs";

const SITE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = join(SITE, "../..");
const OUT = join(SITE, "pages");
const { repository } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const sources = (repository?.url ?? repository)?.replace(/^git\+|\.git$/g, "");

if (!existsSync(join(SITE, "node_modules"))) throw new Error("first: npm ci --prefix docs/site");
rmSync(OUT, { recursive: true, force: true });
cpSync(join(SITE, "content"), OUT, { recursive: true });
cpSync(join(ROOT, "docs/images"), join(OUT, "public/images"), { recursive: true });
for (const [document, page] of PAGES) {
  writeFileSync(join(OUT, `${page}.md`), asPage(document, readFileSync(join(ROOT, document), "utf8")));
}
const { writeReference } = await import("./reference.mjs");
await writeReference(join(ROOT, "dist/types"), join(OUT, "api"));
execFileSync(process.execPath, [join(ROOT, "examples/web/build.mjs"), "--out", join(OUT, "public/chat")], {
  stdio: "inherit",
});

const { build, serve } = await import("vitepress");
await build(SITE);
const at = process.argv.indexOf("--serve");
if (at > 0) await serve({ root: SITE, port: Number(process.argv[at + 1] ?? 4000) });

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
      if (PAGES.has(file)) return `[${words}](./${PAGES.get(file)}.md${hash})`;
      if (file === "README.md") return `[${words}](./index.md)`;
      return sources ? `[${words}](${sources}/blob/main/${file}${hash})` : words;
    });
}
