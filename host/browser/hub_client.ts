// Models of the hub, in the origin private file system. Loaded when one is wanted.

import type { LoadOptions, LoadProgress } from "../core/api/api.js";
import { ZagreusError } from "../core/api/errors.js";
import { Link } from "../core/offload/link.js";
import { isModule, packageFile } from "./package_files.js";
import { whatFailed } from "./threads.js";

/**
 * The GGUF file that an id means, downloaded, or made of safetensors, if it is not here yet. A worker does that, and is gone then.
 * @throws ZagreusError UNSUPPORTED_RUNTIME, those of pullGguf(), ABORTED; what has come stays
 */
export async function hubFile(
  id: string,
  endpoint: string,
  { signal, onProgress, quantize }: LoadOptions,
): Promise<File> {
  if (!globalThis.navigator?.storage?.getDirectory || !navigator.locks) {
    throw new ZagreusError(
      "UNSUPPORTED_RUNTIME",
      "models of the hub need a private file system, and that a secure context",
    );
  }
  navigator.storage.persist?.().catch(() => {}); // asked, not needed
  const worker = isModule
    ? new Worker(new URL("./browser-hub.js", import.meta.url), { type: "module" })
    : new Worker(packageFile("browser-hub.js"), { type: "module" });
  const link = new Link(
    { post: (message, transfer) => worker.postMessage(message, transfer) },
    { progress: (_, progress: LoadProgress) => onProgress?.(progress) },
  );
  worker.onmessage = ({ data }) => link.receive(data);
  worker.onerror = (event) =>
    link.fail(new ZagreusError("THREAD_FAILED", `the hub's worker failed: ${whatFailed(event)}`));
  try {
    return await link.call<File>("file", [id, endpoint, quantize], signal);
  } finally {
    worker.terminate();
  }
}
