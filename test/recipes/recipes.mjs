// The recipes of docs/hosts.md: what a reader would write into files, and run.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DOCUMENT = readFileSync(here("../../docs/hosts.md"), "utf8");

/** What the model writes in all of them, greedily and on every build. */
export const WRITTEN = "che non aveva mai fatto. Ma,";

/** Writes the files of the section `heading` into `directory`, beside the model; returns its commands. */
export function writeRecipe(heading, directory) {
  const section = DOCUMENT.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  if (!section) throw new Error(`docs/hosts.md has no section "${heading}"`);
  let commands = "";
  for (const [, language, name, content] of section.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)) {
    if (language === "sh") commands += content;
    if (!name) continue;
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  cpSync(here("../../host/models/zagreus-nano-Q8_0.gguf"), join(directory, "model.gguf"));
  return commands;
}
