// Compute threads, which need memory that can be shared: a cross-origin isolated page.

import { MAX_DEFAULT_THREADS, type ThreadSupport } from "../core/wasm/threads.js";
import { isModule, packageFile } from "./package_files.js";

/** Service workers cannot start any, even where memory may be shared. */
export const computeThreads: ThreadSupport | undefined =
  typeof Worker === "undefined"
    ? undefined
    : {
        defaultCount: Math.min(navigator.hardwareConcurrency || 1, MAX_DEFAULT_THREADS),
        mayBlock: typeof document === "undefined",
        start(task, { ready, failed }) {
          const worker = isModule
            ? new Worker(new URL("./browser-thread.js", import.meta.url), { type: "module" })
            : new Worker(packageFile("browser-thread.js"), { type: "module" });
          worker.onmessage = ready;
          worker.onerror = (event) => failed(whatFailed(event));
          worker.postMessage(task);
          return { stop: () => worker.terminate() };
        },
      };

/** What a worker's error event says: nothing when its script was not found. */
export function whatFailed(event: ErrorEvent): Error {
  event.preventDefault();
  return new Error(event.message || "its script could not be loaded");
}
