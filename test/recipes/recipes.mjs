// The recipes of docs/hosts.md: what a reader would write into files, and run.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundledModel, load } from "../../dist/index.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DOCUMENT = readFileSync(here("../../docs/hosts.md"), "utf8");

const model = await load(bundledModel);
/** What the model writes in all of them, greedily and on every build. */
export const WRITTEN = await model.complete("C'era una volta", { maxTokens: 8, temperature: 0 }).text();
model.close();

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
