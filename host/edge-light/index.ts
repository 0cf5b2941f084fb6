// zagreus-edge for runtimes that compile no WebAssembly but what their bundler knows, as Next.js's edge runtime: it says so.

import type { Model, ModelInfo } from "../core/api/api.js";
import { ZagreusError } from "../core/api/errors.js";

export * from "../index.js";

/** Of no use here, but programs that import it still compile. */
export const bundledModel = new URL("file:///zagreus-nano-Q8_0.gguf");

/** @throws ZagreusError UNSUPPORTED_RUNTIME */
export async function load(): Promise<Model> {
  throw unsupported();
}

/** @throws ZagreusError UNSUPPORTED_RUNTIME */
export async function inspect(): Promise<ModelInfo> {
  throw unsupported();
}

function unsupported(): ZagreusError {
  const message = "an edge runtime compiles no WebAssembly while it runs; in Next.js, export const runtime = 'nodejs'";
  return new ZagreusError("UNSUPPORTED_RUNTIME", message, { field: "runtime" });
}
