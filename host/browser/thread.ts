// Bundled to dist/browser-thread.js, which host/browser/threads.ts starts.

import { work } from "../core/worker.js";

addEventListener("message", ({ data }) => work(data, () => postMessage("ready")));
