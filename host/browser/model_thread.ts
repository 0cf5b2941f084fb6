// Bundled to dist/browser-worker.js, which host/browser/offload.ts starts. Where a caller brings one script along, it is that of the compute
// threads too.

import { serveModel } from "../core/offload/serve.js";
import { type ComputeTask, runComputeThread } from "../core/wasm/compute_thread.js";
import { pageFiles } from "./files/prompt_folder.js";
import { macrotask } from "./macrotask.js";
import { startWorker } from "./net/workers.js";
import type { Introduction } from "./offload.js";
import { openSource, type PreparedSource } from "./source.js";
import { computeThreads } from "./threads.js";

type Receive = ReturnType<typeof serveModel>;
let receive: Receive | undefined;

addEventListener("message", ({ data }) => {
  if (receive) receive(data);
  else if ("lock" in data) receive = introduced(data);
  else runComputeThread(data as ComputeTask, () => postMessage("ready"));
});

function introduced({ lock, thread }: Introduction): Receive {
  holdLock(lock);
  const threads = computeThreads(thread === undefined ? undefined : () => startWorker(new URL(thread)));
  return serveModel(
    { post: (message, transfer) => postMessage(message, { transfer }) },
    {
      macrotask,
      pageFiles,
      ...(threads && { threads }),
      open: (source, options) => openSource(source as PreparedSource, options),
    },
  );
}

/** Holds a lock as long as this worker lives, and says so. Pages that are not secure have no locks, those without an origin may not. */
function holdLock(lock: string): void {
  const hold = () => {
    postMessage(lock);
    return new Promise(() => {});
  };
  navigator.locks?.request(lock, hold).catch(() => {});
}
