// What a person may have meant by a path that cannot be read. Loaded when that happens.

import { readdir } from "node:fs/promises";
import { suggestName } from "../core/hub/id.js";
import { SHORT_NAMES } from "../core/hub/names.js";

/** A sentence to go on with, or nothing. */
export async function hintFor(path: string, error: unknown): Promise<string> {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EISDIR") return aboutFolder(path);
  if (code !== "ENOENT" || !/^[\w-]+(?:\.[\w-]+)?$/.test(path) || /\.(?:gguf|bin)$/i.test(path)) return "";
  const name = suggestName(path);
  if (name !== undefined) return `; did you mean ${name}?`;
  return `; short names are ${Object.keys(SHORT_NAMES).join(", ")}, other models of the hub hf:OWNER/REPO`;
}

async function aboutFolder(path: string): Promise<string> {
  const names = await readdir(path).catch(() => [] as string[]);
  if (names.includes("config.json") && names.some((name) => name.endsWith(".safetensors"))) {
    return ` with a checkpoint; zagreus quantize ${path} -t q4_0 -o model.gguf makes a model of it`;
  }
  const models = names.filter((name) => /\.gguf$/i.test(name));
  return models.length > 0 ? `; GGUF files in it: ${models.join(", ")}` : ", and has no model";
}
