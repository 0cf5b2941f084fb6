// Bundled to dist/browser-thread.js, which host/browser/threads.ts starts.

import { work } from "../core/wasm/compute_thread.js";

addEventListener("message", ({ data }) => work(data, () => postMessage("ready")));
