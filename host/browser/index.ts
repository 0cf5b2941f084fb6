// zagreus-edge for browsers. What it loads lies beside this file in dist/: the cores and the workers.

import { part } from "../core/api/errors.js";
import type { Inspect, Load } from "../core/host/api.js";
import { createHost } from "../core/host/create_host.js";
import type { CachedModel } from "./files/url_cache.js";
import { packageFile } from "./net/package_files.js";
import { startModelThread } from "./offload.js";
import type { BrowserLoadOptions } from "./options.js";
import { platform } from "./platform.js";
import { canBeOpenedElsewhere, openSource, type PreparedSource, prepareSource, type Source } from "./source.js";

export type { CoreAsset, CoreAssets } from "../core/api/assets.js";
export type { OffloadedModel, OffloadedSession } from "../core/offload/api.js";
export * from "../index.js";
export type { CachedModel } from "./files/url_cache.js";
export type { Assets, BrowserLoadOptions } from "./options.js";
export type { Source } from "./source.js";

/**
 * The model that comes with the package: zagreus-nano, int8. Bundlers do not ship its 5 MB; where they shall, import it from
 * "zagreus-edge/bundled-model".
 */
export const bundledModel = packageFile("../host/models/zagreus-nano-Q8_0.gguf");

const host = createHost<Source, BrowserLoadOptions, PreparedSource>({
  ...platform,
  async prepare(source, { cache, hub, assets, ...options }) {
    const brought = assets === undefined ? undefined : await (await part(import("./extras.js"))).bringAssets(assets);
    return { source: prepareSource(source, cache, hub, brought?.hub), options, ...brought };
  },
  open: openSource,
  ...(typeof Worker !== "undefined" && { modelThread: { start: startModelThread(), opens: canBeOpenedElsewhere } }),
});

/**
 * Loads a GGUF model; on a page with `offload: true`, so that it stays responsive.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, ABORTED, OVER_BUDGET, what is wrong with the file; with `offload`
 * THREAD_FAILED, with `cache` DISK_FULL and UNSUPPORTED_RUNTIME
 */
export const load: Load<Source, BrowserLoadOptions> = host.load;

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export const inspect: Inspect<Source, BrowserLoadOptions> = host.inspect;

/** The models in the cache, whole or not. @throws ZagreusError UNSUPPORTED_RUNTIME */
export async function cachedModels(): Promise<CachedModel[]> {
  return (await part(import("./files/cached.js"))).cachedModels();
}

/**
 * Removes the model of a URL, if it is there, waiting for whoever is downloading it; or what is here of a repository of the hub
 * ("hf:owner/repo", a short name).
 * @throws ZagreusError INVALID_OPTION, UNSUPPORTED_RUNTIME, WRITE_FAILED
 */
export async function removeCachedModel(url: string | URL): Promise<void> {
  return (await part(import("./files/cached.js"))).removeCachedModel(url);
}
