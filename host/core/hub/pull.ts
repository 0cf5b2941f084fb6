// What an id means to load(), to quantize and to the pull command.

import { ZagreusError } from "../api/errors.js";
import { isSafetensors } from "./choose.js";
import { sha256Of } from "./listing.js";
import { type GgufMaker, madeGguf } from "./made.js";
import { HubModel, type HubOptions, type PulledFile } from "./model.js";
import type { HubPlatform } from "./platform.js";

export interface Pulled {
  /** The GGUF file (the first part of a split one), or the folder of a checkpoint. */
  path: string;
  bytes: number;
  /** Of the one file; of several, of the lines that `sha256sum` prints for `files`. */
  sha256: string;
  /** Sorted by path. */
  files: PulledFile[];
}

export interface HubListing {
  repository: string;
  commit: string;
  /** `type`: of a GGUF file, as its name says; `chosen`: taken when an id names no file. */
  files: { path: string; bytes: number; type: string | undefined; chosen: boolean }[];
}

/**
 * The path of a GGUF file of the hub, for load(): the one that the id names (the first part of a split one, when all are here), or
 * the first by PREFERENCE, or one that was or is made of safetensors. Asks the hub whether the revision has moved on, unless it is a
 * commit.
 * @throws ZagreusError INVALID_OPTION, HUB_NOT_FOUND, HUB_DENIED, HUB_BUSY, HUB_FAILED, OFFLINE, BAD_CHECKSUM, DISK_FULL,
 *   SOURCE_FAILED (the cache), ABORTED; what is wrong with a checkpoint
 */
export function pullGguf(
  platform: HubPlatform,
  id: string,
  options: HubOptions = {},
  maker?: GgufMaker,
): Promise<string> {
  return blamingCache(platform, async () => {
    const model = new HubModel(platform, id, options);
    const { file } = model.id;
    if (file !== undefined) {
      const cached = await model.cachedForGood(model.partsOf(file));
      if (cached !== undefined) return cached;
    }
    await model.open();
    const path = file ?? model.chooseGguf(options.quantize?.type)?.path;
    if (path === undefined) return madeGguf(platform, model, maker, options);
    const parts = model.partsOf(path);
    await model.obtain(parts);
    return model.path(parts[0]!);
  });
}

/**
 * What quantize reads: the file, if the id names one, else the folder with config, tokenizer and safetensors. `name` is
 * the repository's, for the metadata.
 * @throws as pullGguf, and ZagreusError BAD_JSON, MISSING_KEY, BAD_VALUE for an index of shards that is wrong
 */
export function pullCheckpoint(
  platform: HubPlatform,
  id: string,
  options: HubOptions = {},
): Promise<{ path: string; name: string }> {
  return blamingCache(platform, async () => {
    const model = new HubModel(platform, id, options);
    const {
      id: { file },
      name,
    } = model;
    if (file !== undefined && !isSafetensors(file)) return { path: await pullGguf(platform, id, options), name };
    await model.open();
    if ((await model.obtainCheckpoint()) === 0) {
      const found = model.gguf().map(({ path }) => path);
      throw model.notFound(
        `has no safetensors at its top${found.length > 0 ? `; name one of its GGUF files: ${found.join(", ")}` : ""}`,
      );
    }
    if (file === undefined) return { path: model.folder(), name };
    await model.obtain([file]);
    return { path: model.path(file), name };
  });
}

/**
 * Downloads what the id means (the file that it names; else a GGUF file; else a checkpoint) and checks every byte of
 * it, also of what was there already.
 * @throws as pullCheckpoint
 */
export function pullModel(platform: HubPlatform, id: string, options: HubOptions = {}): Promise<Pulled> {
  return blamingCache(platform, async () => {
    const model = new HubModel(platform, id, options);
    await model.open();
    const first = model.id.file ?? model.gguf()[0]?.path;
    if (first === undefined) {
      if ((await model.obtainCheckpoint()) === 0) throw model.notFound("has neither a GGUF file nor safetensors");
      return summary(model.folder(), await model.check());
    }
    const parts = model.partsOf(first);
    await model.obtain(parts);
    return summary(model.path(parts[0]!), await model.check());
  });
}

const ADAPTER_FILES = ["adapter_config.json", "adapter_model.safetensors"] as const;

/**
 * The paths of PEFT's two files at the repository's top, or in the folder that the id names; undefined where they are not.
 * @throws as pullGguf
 */
export function pullAdapter(
  platform: HubPlatform,
  id: string,
  options: HubOptions = {},
): Promise<{ config: string; weights: string } | undefined> {
  return blamingCache(platform, async () => {
    const model = new HubModel(platform, id, options);
    const { file } = model.id;
    const { entries } = await model.open();
    const [config, weights] = ADAPTER_FILES.map((name) => (file === undefined ? name : `${file}/${name}`));
    if (![config, weights].every((path) => entries.some((entry) => entry.path === path))) return undefined;
    await model.obtain([config!, weights!]);
    return { config: model.path(config!), weights: model.path(weights!) };
  });
}

/** The files of a repository, and which one is taken when the id names none. @throws as pullGguf */
export function listModel(platform: HubPlatform, id: string, options: HubOptions = {}): Promise<HubListing> {
  return blamingCache(platform, async () => {
    const model = new HubModel(platform, id, options);
    const { commit, entries } = await model.open();
    const ranked = model.gguf();
    const files = entries.map(({ path, bytes }) => {
      const type = ranked.find((choice) => choice.path === path)?.type;
      return { path, bytes, type, chosen: path === ranked[0]?.path };
    });
    return { repository: model.id.repository, commit, files };
  });
}

async function summary(path: string, files: PulledFile[]): Promise<Pulled> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (files.length === 1) return { path, bytes, sha256: files[0]!.sha256, files };
  const lines = files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join("");
  return { path, bytes, sha256: await sha256Of(lines), files };
}

/** What goes wrong with files, and is not known better, is the cache's fault. */
async function blamingCache<T>({ settings }: HubPlatform, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ZagreusError || typeof (error as { code?: unknown } | null)?.code !== "string") throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const message = `cannot use the cache ${settings.cache}: ${reason}; HF_HUB_CACHE can name another folder`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "cache", value: settings.cache, cause: error });
  }
}
