// zagreus-edge for Deno. It asks for no permission but to read the model. Paths are relative to dist/, where this file is
// bundled to.

import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Inspect, Load } from "../core/host/api.js";
import { createHost } from "../core/host/create_host.js";
import { pageFiles } from "../node/files/prompt_folder.js";
import type { NodeLoadOptions } from "../node/options.js";
import { prepareWith } from "../node/prepare.js";
import { adapterFolder, openSource, type Source } from "../node/source.js";
import { workerComputeThreads, workerModelThread } from "../node/threads/worker_threads.js";
import { cores } from "./cores.js";

export type { CoreAsset, CoreAssets } from "../core/api/assets.js";
export type { OffloadedModel, OffloadedSession, OffloadOptions } from "../core/offload/api.js";
export * from "../index.js";
export type { Assets, NodeLoadOptions } from "../node/options.js";
export type { Source } from "../node/source.js";

/** The model that comes with the package: zagreus-nano, int8. */
export const bundledModel = new URL("../host/models/zagreus-nano-Q8_0.gguf", import.meta.url);

/** host/node/threads/compute_thread.ts. As text, because Deno wants the permission to read a worker's file. */
declare const ZAGREUS_WORKER: string;

const threadsOf = (script?: URL) =>
  workerComputeThreads(
    navigator.hardwareConcurrency,
    (task) => new Worker(script ?? ZAGREUS_WORKER, { eval: !script, workerData: task }),
  );

const host = createHost<Source, NodeLoadOptions>({
  module: (build) => cores[build](),
  macrotask: () => setImmediate(), // timers take 2 ms
  // Deno's own workers would keep the process alive.
  threads: threadsOf(),
  prepare: prepareWith(threadsOf),
  open: openSource,
  adapterFolder,
  pageFiles,
  modelThread: { start: workerModelThread(() => new Worker(new URL("./model_thread.js", import.meta.url))) },
});

/**
 * Loads a GGUF model; with `offload: true` in a thread of its own, so that a server's event loop stays free. A file needs --allow-read,
 * a URL --allow-net; a model of the hub both, --allow-write and --allow-env.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, ABORTED, OVER_BUDGET, what is wrong with the file, or the download; with
 * `offload` THREAD_FAILED
 */
export const load: Load<Source, NodeLoadOptions> = host.load;

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export const inspect: Inspect<Source, NodeLoadOptions> = host.inspect;
