// Compute threads, which need memory that can be shared: a cross-origin isolated page.

import { MAX_DEFAULT_THREADS, type ThreadSupport } from "../core/wasm/threads.js";
import { packageFile } from "./net/package_files.js";
import { canWriteOut, startWorker, whatFailed } from "./net/workers.js";

/** Service workers cannot start any, even where memory may be shared. @param begin starts a worker that takes a ComputeTask */
export function computeThreads(begin: () => Worker = beginThread): ThreadSupport | undefined {
  if (typeof Worker === "undefined") return undefined;
  return {
    defaultCount: Math.min(navigator.hardwareConcurrency || 1, MAX_DEFAULT_THREADS),
    mayBlock: typeof document === "undefined",
    start(task, { ready, failed }) {
      const worker = begin();
      worker.onmessage = ready;
      worker.onerror = (event) => failed(whatFailed(event));
      worker.postMessage(task);
      return { stop: () => worker.terminate() };
    },
  };
}

/** Starts compute_thread.ts. */
function beginThread(): Worker {
  return canWriteOut
    ? new Worker(new URL("./browser-thread.js", import.meta.url), { type: "module" })
    : startWorker(packageFile("browser-thread.js"));
}
