// What Node supplies. Paths are relative to dist/, where this file is bundled to.

import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Build } from "../core/api/api.js";
import type { Primitives } from "../core/host/create_host.js";
import type { OffloadOptions } from "../core/offload/api.js";
import { openSource, type Source } from "./source.js";
import { nodeThreads } from "./threads.js";
import { workerModelThread } from "./worker_threads.js";

/** Written out, so that bundlers find the files. */
const CORES: Record<Build, URL> = {
  simd: new URL("./zagreus-simd.wasm", import.meta.url),
  relaxed: new URL("./zagreus-relaxed.wasm", import.meta.url),
  "simd-mt": new URL("./zagreus-simd-mt.wasm", import.meta.url),
  "relaxed-mt": new URL("./zagreus-relaxed-mt.wasm", import.meta.url),
};

export const node: Primitives<Source, OffloadOptions> = {
  /** At once, which takes 2 ms: Node 24 may end a process that only waits for WebAssembly.compile(). */
  module: async (build) => new WebAssembly.Module(await readFile(CORES[build])),
  macrotask: () => setImmediate(),
  threads: nodeThreads,
  open: openSource,
  modelThread: {
    start: workerModelThread(() => new Worker(new URL("./model_thread.js", import.meta.url), { execArgv: [] })),
  },
};
