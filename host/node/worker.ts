// Bundled to dist/worker.js, which host/node/threads.ts starts.

import { parentPort, workerData } from "node:worker_threads";
import { work } from "../core/worker.js";

work(workerData, () => parentPort!.postMessage("ready"));
