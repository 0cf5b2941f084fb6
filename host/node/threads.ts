// Threads of Node.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { workerThreads } from "./worker_threads.js";

export const nodeThreads = workerThreads(
  availableParallelism(),
  (task) => new Worker(new URL("./compute_thread.js", import.meta.url), { workerData: task, execArgv: [] }),
);
