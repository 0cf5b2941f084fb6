// Threads of runtimes that have node:worker_threads.

import type { Worker } from "node:worker_threads";
import type { WorkerTask } from "../core/wasm/compute_thread.js";
import type { ThreadSupport } from "../core/wasm/threads.js";

const MOST_BY_DEFAULT = 4;

/** @param start starts compute_thread.ts with the task as its workerData */
export function workerThreads(cores: number, start: (task: WorkerTask) => Worker): ThreadSupport {
  return {
    defaultCount: Math.min(cores, MOST_BY_DEFAULT),
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
