// What a browser supplies.

import type { Build } from "../core/api/api.js";
import type { Platform } from "../core/model/model.js";
import { macrotask } from "./macrotask.js";
import { request } from "./request.js";
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
  const response = await request(url.href, {});
  if (!response.ok) throw new Error(`HTTP status of ${url} is ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}
