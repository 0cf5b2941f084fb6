// Bundled to dist/model_thread.js, which host/node/platform.ts starts.

import { setImmediate } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { serveModel } from "../../core/offload/serve.js";
import { nodeComputeThreads } from "./threads.js";

const port = parentPort!;
const channel = { post: (message: unknown, transfer: ArrayBuffer[]) => port.postMessage(message, transfer) };
port.on("message", serveModel(channel, { macrotask: () => setImmediate(), threads: nodeComputeThreads }));
