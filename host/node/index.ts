// zagreus-edge for Node. Paths are relative to dist/, where this file is bundled to.

import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { Build, LoadOptions, Model, ModelInfo } from "../core/api/api.js";
import { splitOffload } from "../core/api/options.js";
import { inspectModel, loadModel, type Platform } from "../core/model/model.js";
import type { OffloadedModel, OffloadOptions } from "../core/offload/api.js";
import { openSource, type Source } from "./source.js";
import { nodeThreads } from "./threads.js";

export type { OffloadedModel, OffloadedSession, OffloadOptions } from "../core/offload/api.js";
export * from "../index.js";
export type { Source } from "./source.js";

/** The model that comes with the package: zagreus-nano, int8. */
export const bundledModel = new URL("../host/models/zagreus-nano-Q8_0.gguf", import.meta.url);

const modules = new Map<Build, Promise<WebAssembly.Module>>();

const node: Platform = {
  module(build) {
    const compiled = modules.get(build) ?? compile(build);
    modules.set(build, compiled);
    return compiled;
  },
  macrotask: () => setImmediate(),
  threads: nodeThreads,
};

/** At once, which takes 2 ms: Node 24 may end a process that only waits for WebAssembly.compile(). */
async function compile(build: Build): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await readFile(new URL(`./zagreus-${build}.wasm`, import.meta.url)));
}

/**
 * Loads a GGUF model, downloading it first if it is one of the hub that is not cached; with `offload: true` in a thread of its
 * own, so that a server's event loop stays free.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, ABORTED, OVER_BUDGET, what is wrong with the file, or the download; with
 * `offload` THREAD_FAILED
 */
export async function load(source: Source, options: OffloadOptions & { offload: true }): Promise<OffloadedModel>;
export async function load(source: Source, options?: OffloadOptions & { offload?: false | undefined }): Promise<Model>;
export async function load(source: Source, options: OffloadOptions = {}): Promise<Model | OffloadedModel> {
  const { offload, rest } = splitOffload(options);
  if (offload) return (await import("./offload.js")).loadInThread(source, rest);
  return loadModel((checked) => openSource(source, checked), rest, node);
}

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export async function inspect(source: Source, options: LoadOptions = {}): Promise<ModelInfo> {
  return inspectModel((checked) => openSource(source, checked), options, node);
}
