// What Node supplies.

import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Build } from "../core/api/api.js";
import type { Primitives } from "../core/host/create_host.js";
import { fileAt, packageFile, readPackageFile, writtenUrlsAreFiles } from "./files/package_files.js";
import { pageFiles } from "./files/prompt_folder.js";
import type { NodeLoadOptions } from "./options.js";
import { prepareWith } from "./prepare.js";
import { adapterFolder, openSource, type Source } from "./source.js";
import { nodeComputeThreads, threadsOf } from "./threads/threads.js";
import { workerModelThread } from "./threads/worker_threads.js";

const CORES: Record<Build, URL> = {
  simd: fileAt(() => new URL("./zagreus-simd.wasm", import.meta.url), "zagreus-simd.wasm"),
  relaxed: fileAt(() => new URL("./zagreus-relaxed.wasm", import.meta.url), "zagreus-relaxed.wasm"),
  "simd-mt": fileAt(() => new URL("./zagreus-simd-mt.wasm", import.meta.url), "zagreus-simd-mt.wasm"),
  "relaxed-mt": fileAt(() => new URL("./zagreus-relaxed-mt.wasm", import.meta.url), "zagreus-relaxed-mt.wasm"),
};

export const node: Primitives<Source, NodeLoadOptions> = {
  /** At once, which takes 2 ms: Node 24 may end a process that only waits for WebAssembly.compile(). */
  module: async (build) => new WebAssembly.Module(await readPackageFile(CORES[build])),
  macrotask: () => setImmediate(),
  threads: nodeComputeThreads,
  prepare: prepareWith(threadsOf),
  open: openSource,
  adapterFolder,
  pageFiles,
  modelThread: { start: workerModelThread(startModelThread) },
};

function startModelThread(): Worker {
  const options = { execArgv: [] };
  return writtenUrlsAreFiles
    ? new Worker(new URL("./model_thread.js", import.meta.url), options)
    : new Worker(packageFile("model_thread.js"), options);
}
