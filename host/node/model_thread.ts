// Bundled to dist/model_thread.js, which host/node/offload.ts starts.

import { parentPort } from "node:worker_threads";
import { type LoadHere, serveModel } from "../core/offload/serve.js";
import { load } from "./index.js";

const port = parentPort!;
const receive = serveModel({ post: (message, transfer) => port.postMessage(message, transfer) }, load as LoadHere);
port.on("message", receive);
