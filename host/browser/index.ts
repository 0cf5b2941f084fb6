// zagreus-edge for browsers. What it loads lies beside this file in dist/: the cores and the workers.

import type { Inspect, Load } from "../core/host/api.js";
import { createHost } from "../core/host/create_host.js";
import type { OffloadOptions } from "../core/offload/api.js";
import { startModelThread } from "./offload.js";
import { packageFile } from "./package_files.js";
import { platform } from "./platform.js";
import { canBeOpenedElsewhere, openSource, type PreparedSource, prepareSource, type Source } from "./source.js";

export type { OffloadedModel, OffloadedSession } from "../core/offload/api.js";
export * from "../index.js";
export { type CachedModel, cachedModels, removeCachedModel } from "./cache.js";
export type { Source } from "./source.js";

/** Options of load() in a browser. */
export interface BrowserLoadOptions extends OffloadOptions {
  /**
   * Keeps the file of a URL in the origin's private file system: downloaded once, an interrupted download goes on where
   * it ended. Needs a secure context and a worker: on a page, `offload`. Default: false.
   */
  cache?: boolean | undefined;
  /** The hub, or a mirror of it, for sources such as "hf:owner/repo", which are always kept. Default: https://huggingface.co */
  hub?: string | URL | undefined;
}

/**
 * The model that comes with the package: zagreus-nano, int8. Bundlers do not ship its 5 MB; where they shall, import it from
 * "zagreus-edge/bundled-model".
 */
export const bundledModel = packageFile("../host/models/zagreus-nano-Q8_0.gguf");

const host = createHost<Source, BrowserLoadOptions, PreparedSource>({
  ...platform,
  prepare: (source, { cache, hub, ...options }) => ({ source: prepareSource(source, cache, hub), options }),
  open: openSource,
  modelThread: { start: startModelThread, opens: canBeOpenedElsewhere },
});

/**
 * Loads a GGUF model; on a page with `offload: true`, so that it stays responsive.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, ABORTED, OVER_BUDGET, what is wrong with the file; with `offload`
 * THREAD_FAILED, with `cache` DISK_FULL and UNSUPPORTED_RUNTIME
 */
export const load: Load<Source, BrowserLoadOptions> = host.load;

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export const inspect: Inspect<Source> = host.inspect;
