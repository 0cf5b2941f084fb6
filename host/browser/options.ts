// Options of load() in a browser.

import type { CoreAsset, CoreAssets } from "../core/api/assets.js";
import type { OffloadOptions } from "../core/offload/api.js";

/** Where the package's files are, each where it is not beside the package's script. */
export interface Assets {
  /** dist/zagreus-BUILD.wasm: the address, bytes or WebAssembly.Module of one, or of several by build. */
  core?: CoreAssets | undefined;
  /** dist/browser-worker.js, for offloaded models and compute threads; a blob: URL will do. */
  worker?: string | URL | undefined;
  /** dist/browser-hub.js, for models of the hub. */
  hub?: string | URL | undefined;
  /** dist/zagreus-quantizer.wasm, for models of the hub that are safetensors. Default: beside the script `hub`. */
  quantizer?: CoreAsset | undefined;
}

/** Options of load() in a browser. */
export interface BrowserLoadOptions extends OffloadOptions {
  /**
   * Keeps the file of a URL in the origin's private file system: downloaded once, an interrupted download goes on where
   * it ended. Needs a secure context and a worker: on a page, `offload`. Default: false.
   */
  cache?: boolean | undefined;
  /** The hub, or a mirror of it, for sources such as "hf:owner/repo", which are always kept. Default: https://huggingface.co */
  hub?: string | URL | undefined;
  /**
   * Where the package's files are, if not beside its script: the address of a folder as dist/, or of single ones. Other origins need
   * CORS, and blob: in the worker-src of a Content-Security-Policy.
   */
  assets?: string | URL | Assets | undefined;
}
