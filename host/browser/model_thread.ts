// Bundled to dist/browser-worker.js, which host/browser/offload.ts starts.

import { serveModel } from "../core/offload/serve.js";
import { macrotask } from "./macrotask.js";
import { openSource, type PreparedSource } from "./source.js";
import { computeThreads } from "./threads.js";

const receive = serveModel(
  { post: (message, transfer) => postMessage(message, { transfer }) },
  { macrotask, threads: computeThreads, open: (source, options) => openSource(source as PreparedSource, options) },
);

addEventListener("message", ({ data }) => {
  if (typeof data === "string") holdLock(data);
  else receive(data);
});

/** Holds a lock as long as this worker lives, and says so. Pages that are not secure have no locks. */
function holdLock(lock: string): void {
  navigator.locks?.request(lock, () => {
    postMessage(lock);
    return new Promise(() => {});
  });
}
