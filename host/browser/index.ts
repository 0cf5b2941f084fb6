// zagreus-edge for browsers. What it loads lies beside this file in dist/: the cores and the workers.

import type { LoadOptions, Model, ModelInfo } from "../core/api/api.js";
import { splitOffload } from "../core/api/options.js";
import { inspectModel, loadModel } from "../core/model/model.js";
import type { OffloadedModel, OffloadOptions } from "../core/offload/api.js";
import { loadOffloaded } from "../core/offload/load.js";
import { startWorker } from "./offload.js";
import { browser } from "./platform.js";
import { openSource, prepareSource, type Source } from "./source.js";

export type { OffloadedModel, OffloadedSession } from "../core/offload/api.js";
export * from "../index.js";
export { type CachedModel, cachedModels, removeCachedModel } from "./cache.js";
export type { Source } from "./source.js";

export interface BrowserLoadOptions extends OffloadOptions {
  /**
   * Keeps the file of a URL in the origin's private file system: downloaded once, an interrupted download goes on where
   * it ended. Needs a secure context and a worker: on a page, `offload`. Default: false.
   */
  cache?: boolean | undefined;
}

/** The model that comes with the package: zagreus-nano, int8. */
export const bundledModel = new URL("../host/models/zagreus-nano-Q8_0.gguf", import.meta.url);

/**
 * Loads a GGUF model; on a page with `offload: true`, so that it stays responsive.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, ABORTED, OVER_BUDGET, what is wrong with the file; with `offload`
 * THREAD_FAILED, with `cache` DISK_FULL and UNSUPPORTED_RUNTIME
 */
export async function load(source: Source, options: BrowserLoadOptions & { offload: true }): Promise<OffloadedModel>;
export async function load(
  source: Source,
  options?: BrowserLoadOptions & { offload?: false | undefined },
): Promise<Model>;
export async function load(source: Source, options: BrowserLoadOptions = {}): Promise<Model | OffloadedModel> {
  const { offload, rest } = splitOffload(options);
  const { cache, ...loadOptions } = rest;
  const prepared = prepareSource(source, cache);
  if (offload) return loadOffloaded(startWorker, prepared, loadOptions);
  return loadModel((checked) => openSource(prepared, checked), loadOptions, browser);
}

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export async function inspect(source: Source, options: LoadOptions = {}): Promise<ModelInfo> {
  return inspectModel((checked) => openSource(prepareSource(source), checked), options, browser);
}
