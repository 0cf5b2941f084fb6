// zagreus-edge/raspberry-pi, a preset over Node: its load() with threads, build and memory budget that suit the board.

import { readFileSync } from "node:fs";
import type { Build, LoadOptions } from "../core/api/api.js";
import { invalidOption } from "../core/api/errors.js";
import { CACHE_BUDGET, checkLoadOptions } from "../core/api/options.js";
import type { Load } from "../core/host/api.js";
import { createHost } from "../core/host/create_host.js";
import { chooseBuild } from "../core/wasm/builds.js";
import { MAX_DEFAULT_THREADS } from "../core/wasm/threads.js";
import type { NodeLoadOptions } from "../node/options.js";
import { node } from "../node/platform.js";
import type { Source } from "../node/source.js";
import { nodeComputeThreads } from "../node/threads/threads.js";
import { type Board, readBoard } from "./board.js";

export * from "../node/index.js";
export type { Board } from "./board.js";

/** What Node takes beside the core's memory: heap, compiled code, stacks of threads. Measured: 38 MB. */
const HOST_BYTES = 48 * 2 ** 20;

/** Load options with what the board decides filled in. */
export interface Preset extends LoadOptions {
  /** Build of the core. */
  build: Build;
  /** Threads of the core, the caller's among them. */
  threads: number;
}

/** The board that this process runs on. */
export function board(): Board {
  return readBoard((path) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  });
}

/**
 * Fills in what `options` leave open: a thread for each processor that the process may use and that its control groups
 * pay for (4 at most), the build that is best on them, and the memory that is left as the model's budget, of which an eighth (64 MiB at
 * most) is for several texts at once and what they leave in the KV cache.
 * @throws ZagreusError INVALID_OPTION, UNSUPPORTED_RUNTIME
 */
export function preset(options: LoadOptions = {}, on: Board = board()): Preset {
  if (on === null || typeof on !== "object") throw invalidOption("on", on, "a board");
  const { build, threads, memoryBudget, cacheBudget = cacheFor(on) } = checkLoadOptions(options);
  const single = build !== undefined && !build.endsWith("-mt");
  return {
    ...options,
    ...chooseBuild({ build, threads: threads ?? (single ? 1 : threadsFor(on)) }, nodeComputeThreads),
    memoryBudget: memoryBudget ?? budgetFor(on),
    cacheBudget,
  };
}

/** Node's load() with preset(): a model that the board has no memory for is refused before its weights are read. */
export const load: Load<Source, NodeLoadOptions> = createHost({
  ...node,
  defaults: (options) => ({ ...preset(options), build: options.build }), // a build that was asked for must have its threads
}).load;

function threadsFor({ cores = nodeComputeThreads.defaultCount, cpuQuota = cores }: Board): number {
  return Math.max(1, Math.min(cores, Math.floor(cpuQuota), MAX_DEFAULT_THREADS));
}

function cacheFor({ availableMemory = Number.POSITIVE_INFINITY }: Board): number {
  return Math.min(Math.floor(Math.max(0, availableMemory - HOST_BYTES) / 8), CACHE_BUDGET);
}

function budgetFor({ availableMemory }: Board): number | undefined {
  return availableMemory === undefined ? undefined : Math.max(1, availableMemory - HOST_BYTES);
}
