// Compute threads of Node.

import * as os from "node:os";
import { Worker } from "node:worker_threads";
import { packageFile, writtenUrlsAreFiles } from "../files/package_files.js";
import { workerComputeThreads } from "./worker_threads.js";

export const nodeComputeThreads = workerComputeThreads(os.availableParallelism?.() ?? 1, (task) => {
  const options = { workerData: task, execArgv: [] };
  return writtenUrlsAreFiles
    ? new Worker(new URL("./compute_thread.js", import.meta.url), options)
    : new Worker(packageFile("compute_thread.js"), options);
});
