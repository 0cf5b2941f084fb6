// Threads of a cross-origin isolated page.

import type { ThreadSupport } from "../core/wasm/threads.js";

const MOST_BY_DEFAULT = 4;

export const browserThreads: ThreadSupport = {
  defaultCount: Math.min(navigator.hardwareConcurrency || 1, MOST_BY_DEFAULT),
  mayBlock: typeof document === "undefined",
  start(task, { ready, failed }) {
    const worker = new Worker(new URL("./browser-thread.js", import.meta.url), { type: "module" });
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
