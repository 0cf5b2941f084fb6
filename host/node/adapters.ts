// Folders with an adapter of PEFT, on the disk and on the hub, and what room adapters need. Loaded when an adapter is.

import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { badAdapter } from "../core/adapters/adapter.js";
import { WEIGHTS_FILE } from "../core/adapters/peft.js";
import { CONFIG_FILE } from "../core/adapters/peft_config.js";
import { rankOf } from "../core/adapters/rank.js";
import { isHubId } from "../core/hub/names.js";
import { type AdapterOpener, adapterFiles } from "../core/load/adapter_source.js";
import { fileSource } from "./files/file.js";

/** @throws ZagreusError BAD_ADAPTER for a folder without the two files, and those of pullAdapter() */
export const adapterFolder: NonNullable<AdapterOpener["folder"]> = async (source) => {
  if (typeof source === "string" && isHubId(source)) {
    const found = await (await import("./hub.js")).hubAdapter(source);
    return found && open(found.config, found.weights);
  }
  const path = pathOf(source);
  const folder = path === undefined ? undefined : await folderOf(path);
  if (folder === undefined) return undefined;
  const missing = async (name: string) => !(await stat(join(folder, name)).catch(() => undefined))?.isFile();
  for (const name of [CONFIG_FILE, WEIGHTS_FILE]) {
    if (await missing(name)) {
      throw badAdapter(
        folder,
        name,
        "is missing: an adapter of PEFT is that file and one of safetensors, nothing else is read",
      );
    }
  }
  return open(join(folder, CONFIG_FILE), join(folder, WEIGHTS_FILE));
};

function open(config: string, weights: string) {
  return { config: () => fileSource(config), weights: () => fileSource(weights) };
}

function pathOf(source: string | URL): string | undefined {
  const text = String(source);
  if (text.startsWith("file:")) return fileURLToPath(text);
  return typeof source === "string" && !/^[a-z]{2,}:/i.test(text) ? text : undefined;
}

/** The folder, also by one of its files. */
async function folderOf(path: string): Promise<string | undefined> {
  if ([CONFIG_FILE, WEIGHTS_FILE].includes(basename(path))) return dirname(path);
  return (await stat(path).catch(() => undefined))?.isDirectory() ? path : undefined;
}

/** The largest rank of some adapters. @param open as load() does @throws as Model.adapter() does for files that cannot be read */
export async function adapterRank(
  sources: readonly string[],
  open: AdapterOpener["open"],
  signal: AbortSignal,
): Promise<number> {
  let rank = 1;
  for (const source of sources) {
    const { name, files } = await adapterFiles(source, { open, folder: adapterFolder }, signal);
    rank = Math.max(rank, await rankOf(name, files));
  }
  return rank;
}
