// Compute threads of Node.

import * as os from "node:os";
import { Worker } from "node:worker_threads";
import { packageFile, writtenUrlsAreFiles } from "../files/package_files.js";
import { workerComputeThreads } from "./worker_threads.js";

/** Compute threads of a script that takes a ComputeTask. Default: compute_thread.ts. */
export const threadsOf = (script?: URL) =>
  workerComputeThreads(os.availableParallelism?.() ?? 1, (task) => {
    const options = { workerData: task, execArgv: [] };
    if (script) return new Worker(script, options);
    return writtenUrlsAreFiles
      ? new Worker(new URL("./compute_thread.js", import.meta.url), options)
      : new Worker(packageFile("compute_thread.js"), options);
  });

export const nodeComputeThreads = threadsOf();
