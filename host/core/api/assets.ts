// The core as a caller brings it along.

import type { Build } from "./api.js";

/** Where a core (`dist/zagreus-BUILD.wasm`) is: its address, its bytes, or the compiled WebAssembly.Module. */
export type CoreAsset = string | URL | ArrayBuffer | Uint8Array | object;
/** One core, which then is the build that runs, or several to choose from. */
export type CoreAssets = CoreAsset | Partial<Record<Build, CoreAsset>>;
