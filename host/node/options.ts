// Options of load() in Node, Deno and Bun.

import type { CoreAssets } from "../core/api/assets.js";
import type { OffloadOptions } from "../core/offload/api.js";

/** Where the package's files are, each where it is not beside the package's script. */
export interface Assets {
  /** dist/zagreus-BUILD.wasm: the path, URL, bytes or WebAssembly.Module of one, or of several by build. */
  core?: CoreAssets | undefined;
  /** "zagreus-edge/worker" bundled to one file, for offloaded models and compute threads: a path, or a file: or data: URL. */
  worker?: string | URL | undefined;
}

/** Options of load() in Node. */
export interface NodeLoadOptions extends OffloadOptions {
  /** Where the package's files are, if not beside its script: the path or URL of a folder as dist/, or of single ones. */
  assets?: string | URL | Assets | undefined;
}
