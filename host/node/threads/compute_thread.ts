// Bundled to dist/compute_thread.js, which host/node/threads/threads.ts starts.

import { parentPort, workerData } from "node:worker_threads";
import { runComputeThread } from "../../core/wasm/compute_thread.js";

runComputeThread(workerData, () => parentPort!.postMessage("ready"));
