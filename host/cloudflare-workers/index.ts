// zagreus-edge for Cloudflare Workers.

import type { LoadOptions, Model } from "../core/api/api.js";
import type { Inspect } from "../core/host/api.js";
import { createHost } from "../core/host/create_host.js";
import { MEMORY_BUDGET, platform } from "./platform.js";
import type { Source } from "./source.js";

export * from "../index.js";
export { assets, type Bucket, type Fetcher, type LazySource, r2, type Source } from "./source.js";

/** Of it, for what texts leave. */
const CACHE_BUDGET = 4e6;
/** Requests that share a pass would wait on each other's timers, which end with their requests: they take turns. */
const SEQUENCES = 1;

const host = createHost<Source, LoadOptions>({
  ...platform,
  defaults: ({ memoryBudget = MEMORY_BUDGET, cacheBudget = CACHE_BUDGET, sequences = SEQUENCES, ...options }) => ({
    ...options,
    memoryBudget,
    cacheBudget,
    sequences,
  }),
});

/**
 * Loads a GGUF model, in a request: a Worker's global scope may neither wait nor read. A model that would take more memory than an
 * isolate has is refused, unless `memoryBudget` says otherwise; `cacheBudget` is 4 MB by default, `sequences` 1: requests take turns.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, BAD_CHECKSUM, ABORTED, OVER_BUDGET, or what is wrong with the file
 */
export const load: (source: Source, options?: LoadOptions) => Promise<Model> = host.load;

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export const inspect: Inspect<Source> = host.inspect;
