// Bundled to dist/model_thread.js, which host/node/platform.ts starts. Where a caller brings one script along, it is that of the compute
// threads too.

import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { serveModel } from "../../core/offload/serve.js";
import { runComputeThread } from "../../core/wasm/compute_thread.js";
import { pageFiles } from "../files/prompt_folder.js";
import { nodeComputeThreads, threadsOf } from "./threads.js";

const port = parentPort!;
if (workerData?.memory) {
  runComputeThread(workerData, () => port.postMessage("ready"));
} else {
  const channel = { post: (message: unknown, transfer: ArrayBuffer[]) => port.postMessage(message, transfer) };
  const threads = workerData?.thread ? threadsOf(new URL(workerData.thread)) : nodeComputeThreads;
  port.on("message", serveModel(channel, { macrotask: () => setImmediate(), threads, pageFiles }));
}
