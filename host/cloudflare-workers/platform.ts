// What a Worker supplies. Paths are relative to dist/, where this file is bundled to. A Worker compiles no bytes: its WebAssembly is
// imported, and compiled when the Worker is deployed.

import type { LoadOptions } from "../core/api/api.js";
import relaxedProbe from "./probe-relaxed.wasm";
import simdProbe from "./probe-simd.wasm";
import { openSource, type Source } from "./source.js";
import relaxed from "./zagreus-relaxed.wasm";
import simd from "./zagreus-simd.wasm";

/** Of the 128 MB that an isolate has; JavaScript and machine code take 7 MB after a load, and need room for snapshots. */
export const MEMORY_BUDGET = 112e6;

export const platform = {
  module: async (build: string) => (build === "relaxed" ? relaxed : simd),
  macrotask: () => new Promise<void>((resolve) => setTimeout(resolve, 0)),
  probes: { simd: simdProbe, relaxed: relaxedProbe },
  open: (source: Source, { signal }: LoadOptions) => openSource(source, signal),
};
