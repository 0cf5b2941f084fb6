// What a browser supplies.

import type { Build } from "../core/api/api.js";
import type { Platform } from "../core/model/model.js";
import { macrotask } from "./macrotask.js";
import { compile } from "./net/request.js";
import { isModule, packageFile } from "./package_files.js";
import { computeThreads } from "./threads.js";

/** Written out, so that bundlers find the files. */
const CORES: Record<Build, URL> = {
  simd: isModule ? new URL("./zagreus-simd.wasm", import.meta.url) : packageFile("zagreus-simd.wasm"),
  relaxed: isModule ? new URL("./zagreus-relaxed.wasm", import.meta.url) : packageFile("zagreus-relaxed.wasm"),
  "simd-mt": isModule ? new URL("./zagreus-simd-mt.wasm", import.meta.url) : packageFile("zagreus-simd-mt.wasm"),
  "relaxed-mt": isModule
    ? new URL("./zagreus-relaxed-mt.wasm", import.meta.url)
    : packageFile("zagreus-relaxed-mt.wasm"),
};

export const platform: Platform = {
  module: (build) => compile(CORES[build]),
  macrotask,
  ...(computeThreads ? { threads: computeThreads } : {}),
};
