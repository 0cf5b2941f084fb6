// zagreus-edge for Cloudflare Workers. Paths are relative to dist/, where this file is bundled to. A Worker compiles no bytes: its
// WebAssembly is imported, and compiled when the Worker is deployed.

import type { LoadOptions, Model } from "../core/api/api.js";
import type { Inspect } from "../core/host/api.js";
import { createHost } from "../core/host/create_host.js";
import relaxedProbe from "./probe-relaxed.wasm";
import simdProbe from "./probe-simd.wasm";
import { openSource, type Source } from "./source.js";
import relaxed from "./zagreus-relaxed.wasm";
import simd from "./zagreus-simd.wasm";

export * from "../index.js";
export { assets, type Bucket, type Fetcher, type LazySource, r2, type Source } from "./source.js";

/** Of the 128 MB that an isolate has; JavaScript and machine code take 7 MB after a load, and need room for snapshots. */
const MEMORY_BUDGET = 112e6;
/** Of it, for what texts leave. */
const CACHE_BUDGET = 4e6;
/** Requests that share a pass would wait on each other's timers, which end with their requests: they take turns. */
const SEQUENCES = 1;

const host = createHost<Source, LoadOptions>({
  module: async (build) => (build === "relaxed" ? relaxed : simd),
  macrotask: () => new Promise<void>((resolve) => setTimeout(resolve, 0)),
  probes: { simd: simdProbe, relaxed: relaxedProbe },
  open: (source, { signal }) => openSource(source, signal),
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
