// Bundled to dist/browser-worker.js, which host/browser/offload.ts starts.

import { loadModel } from "../core/model/model.js";
import { serveModel } from "../core/offload/serve.js";
import { browser } from "./platform.js";
import { openSource, type PreparedSource } from "./source.js";

const receive = serveModel({ post: (message, transfer) => postMessage(message, { transfer }) }, (source, options) =>
  loadModel((checked) => openSource(source as PreparedSource, checked), options, browser),
);

addEventListener("message", ({ data }) => {
  if (typeof data === "string") hold(data);
  else receive(data);
});

/** Holds a lock as long as this worker lives, and says so. Pages that are not secure have no locks. */
function hold(lock: string): void {
  navigator.locks?.request(lock, () => {
    postMessage(lock);
    return new Promise(() => {});
  });
}
