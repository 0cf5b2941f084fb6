// What a browser supplies.

import type { Build } from "../core/api/api.js";
import type { Platform } from "../core/model/model.js";
import { pageFiles } from "./files/prompt_folder.js";
import { macrotask } from "./macrotask.js";
import { isModule, packageFile } from "./net/package_files.js";
import { readPackageFile } from "./net/request.js";
import { computeThreads } from "./threads.js";

/** Written out, so that bundlers find the files. */
const CORES: Record<Build, () => URL> = {
  simd: () => new URL("./zagreus-simd.wasm", import.meta.url),
  relaxed: () => new URL("./zagreus-relaxed.wasm", import.meta.url),
  "simd-mt": () => new URL("./zagreus-simd-mt.wasm", import.meta.url),
  "relaxed-mt": () => new URL("./zagreus-relaxed-mt.wasm", import.meta.url),
};
const threads = computeThreads();

export const platform: Platform = {
  module: async (build) =>
    WebAssembly.compile(await readPackageFile(isModule ? CORES[build]() : packageFile(`zagreus-${build}.wasm`))),
  macrotask,
  pageFiles,
  ...(threads && { threads }),
};
