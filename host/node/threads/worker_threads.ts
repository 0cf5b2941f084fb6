// Compute threads and the model thread of runtimes that have node:worker_threads.

import type { Worker } from "node:worker_threads";
import type { StartModelThread } from "../../core/offload/load.js";
import type { ComputeTask } from "../../core/wasm/compute_thread.js";
import { MAX_DEFAULT_THREADS, type ThreadSupport } from "../../core/wasm/threads.js";

/** @param start starts compute_thread.ts with the task as its workerData */
export function workerComputeThreads(cores: number, start: (task: ComputeTask) => Worker): ThreadSupport {
  return {
    defaultCount: Math.min(cores, MAX_DEFAULT_THREADS),
    mayBlock: true,
    start(task, { ready, failed }) {
      const worker = start(task);
      worker.once("message", () => {
        worker.unref(); // until then the load that waits for it keeps the process alive
        ready();
      });
      worker.once("error", failed);
      worker.once("exit", (code) => failed(`it ended with code ${code}`));
      return { stop: () => void worker.terminate() };
    },
  };
}

/** @param start starts model_thread.ts */
export function workerModelThread(start: () => Worker): StartModelThread {
  return ({ message, failed }) => {
    const worker = start();
    worker.unref(); // only what is awaited keeps the process alive
    worker.on("message", message);
    worker.once("error", failed);
    worker.once("exit", (code) => failed(`it ended with code ${code}`));
    return {
      post: (data, transfer) => worker.postMessage(data, transfer),
      busy: (busy) => (busy ? worker.ref() : worker.unref()),
      stop: () => void worker.terminate(),
    };
  };
}
