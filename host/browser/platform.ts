// What a browser supplies, on a page as in a worker.

import type { Build } from "../core/api/api.js";
import { ZagreusError } from "../core/api/errors.js";
import type { Platform } from "../core/model/model.js";
import { browserThreads } from "./threads.js";

/** Written out, so that bundlers find the files. */
const CORES: Record<Build, URL> = {
  simd: new URL("./zagreus-simd.wasm", import.meta.url),
  relaxed: new URL("./zagreus-relaxed.wasm", import.meta.url),
  "simd-mt": new URL("./zagreus-simd-mt.wasm", import.meta.url),
  "relaxed-mt": new URL("./zagreus-relaxed-mt.wasm", import.meta.url),
};

const modules = new Map<Build, Promise<WebAssembly.Module>>();

export const browser: Platform = {
  module(build) {
    const compiled = modules.get(build) ?? compile(CORES[build]);
    modules.set(build, compiled);
    compiled.catch(() => modules.delete(build)); // the next load may find the network again
    return compiled;
  },
  macrotask: nextMacrotask,
  ...(globalThis.crossOriginIsolated ? { threads: browserThreads } : {}),
};

async function compile(url: URL): Promise<WebAssembly.Module> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP status is ${response.status}`);
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ZagreusError("SOURCE_FAILED", `cannot load the core from ${url}: ${reason}`, {
      field: "core",
      value: url.href,
      cause: error,
    });
  }
}

const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];
port1.onmessage = () => waiting.shift()?.();

/** A message comes at once, where timers take 4 ms. */
function nextMacrotask(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(undefined);
  });
}
