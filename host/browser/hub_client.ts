// Models of the hub, in the origin private file system. Loaded when one is wanted.

import type { LoadOptions, LoadProgress } from "../core/api/api.js";
import { ZagreusError } from "../core/api/errors.js";
import { Link } from "../core/offload/link.js";
import type { HubAssets } from "./assets.js";
import { privateFiles } from "./files/access_handle.js";
import { packageFile } from "./net/package_files.js";
import { canWriteOut, startWorker, whatFailed } from "./net/workers.js";

/**
 * The GGUF file that an id means, downloaded, or made of safetensors, if it is not here yet. A worker does that, and is gone then.
 * @throws ZagreusError UNSUPPORTED_RUNTIME, those of pullGguf(), ABORTED; what has come stays
 */
export async function hubFile(
  { hub, endpoint, assets = {} }: { hub: string; endpoint: string; assets: HubAssets | undefined },
  { signal, onProgress, quantize }: LoadOptions,
): Promise<File> {
  await privateFiles();
  navigator.storage.persist?.().catch(() => {}); // asked, not needed
  if (typeof Worker === "undefined") {
    throw new ZagreusError("UNSUPPORTED_RUNTIME", "models of the hub need a worker, and there are none here");
  }
  const worker = begin(assets.script);
  const link = new Link(
    { post: (message, transfer) => worker.postMessage(message, transfer) },
    { progress: (_, progress: LoadProgress) => onProgress?.(progress) },
  );
  worker.onmessage = ({ data }) => link.receive(data);
  worker.onerror = (event) =>
    link.fail(new ZagreusError("THREAD_FAILED", `the hub's worker failed: ${whatFailed(event)}`));
  try {
    return await link.call<File>("file", [hub, endpoint, quantize, assets.quantizer], signal);
  } finally {
    worker.terminate();
  }
}

function begin(script: string | undefined): Worker {
  if (script !== undefined) return startWorker(new URL(script));
  return canWriteOut
    ? new Worker(new URL("./browser-hub.js", import.meta.url), { type: "module" })
    : startWorker(packageFile("browser-hub.js"));
}
