// Threads of Node.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { ThreadSupport } from "../core/threads.js";

const MOST_BY_DEFAULT = 4;

export const nodeThreads: ThreadSupport = {
  defaultCount: Math.min(availableParallelism(), MOST_BY_DEFAULT),
  mayBlock: true,
  start(task, { ready, failed }) {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: task, execArgv: [] });
    worker.once("message", () => {
      worker.unref(); // until then the load that waits for it keeps the process alive
      ready();
    });
    worker.once("error", failed);
    worker.once("exit", (code) => failed(`it ended with code ${code}`));
    return { stop: () => void worker.terminate() };
  },
};
