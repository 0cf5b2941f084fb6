// Bundled to dist/browser-thread.js, which host/browser/threads.ts starts.

import { runComputeThread } from "../core/wasm/compute_thread.js";

addEventListener("message", ({ data }) => runComputeThread(data, () => postMessage("ready")));
