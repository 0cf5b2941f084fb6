// What a browser supplies.

import type { Build } from "../core/api/api.js";
import { ZagreusError } from "../core/api/errors.js";
import type { Platform } from "../core/model/model.js";
import { macrotask } from "./macrotask.js";
import { threads } from "./threads.js";

/** Written out, so that bundlers find the files. */
const CORES: Record<Build, URL> = {
  simd: new URL("./zagreus-simd.wasm", import.meta.url),
  relaxed: new URL("./zagreus-relaxed.wasm", import.meta.url),
  "simd-mt": new URL("./zagreus-simd-mt.wasm", import.meta.url),
  "relaxed-mt": new URL("./zagreus-relaxed-mt.wasm", import.meta.url),
};

export const platform: Platform = {
  module: (build) => compile(CORES[build]),
  macrotask,
  ...(threads ? { threads } : {}),
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
