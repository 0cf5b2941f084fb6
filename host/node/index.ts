// zagreus-edge for Node. Paths are relative to dist/, where this file is bundled to.

import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { Build, LoadOptions, Model, ModelInfo } from "../core/api.js";
import { inspectModel, loadModel, type Platform } from "../core/model.js";
import { openSource, type Source } from "./source.js";
import { nodeThreads } from "./threads.js";

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
 * Loads a GGUF model.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, ABORTED, OVER_BUDGET, or what is wrong with the file
 */
export async function load(source: Source, options: LoadOptions = {}): Promise<Model> {
  return loadModel((signal) => openSource(source, signal), options, node);
}

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export async function inspect(source: Source, options: LoadOptions = {}): Promise<ModelInfo> {
  return inspectModel((signal) => openSource(source, signal), options, node);
}
