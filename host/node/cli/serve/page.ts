// The chat page, as the server has it: its files in dist/page/, told that a server answers.

import { readFile } from "node:fs/promises";

const TYPES: Record<string, string> = {
  "index.html": "text/html; charset=utf-8",
  "app.js": "text/javascript; charset=utf-8",
  "mcp.js": "text/javascript; charset=utf-8",
  "style.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
  "manifest.webmanifest": "application/manifest+json",
};

export async function chatPage(): Promise<Record<string, Blob>> {
  const files = Object.entries(TYPES).map(async ([name, type]) => {
    const text = await readFile(new URL(`./page/${name}`, import.meta.url), "utf8");
    return [name, new Blob([text.replace('data-backend="page"', 'data-backend="server"')], { type })];
  });
  return Object.fromEntries(await Promise.all(files));
}
