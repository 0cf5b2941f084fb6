// A model in a thread of its own; imported when one is wanted.

import { Worker } from "node:worker_threads";
import type { LoadOptions } from "../core/api/api.js";
import { byteSource } from "../core/load/source.js";
import type { OffloadedModel } from "../core/offload/api.js";
import { loadOffloaded, type StartThread } from "../core/offload/load.js";
import type { Source } from "./source.js";

export function loadInThread(source: Source, options: LoadOptions): Promise<OffloadedModel> {
  return loadOffloaded(start, sendable(source), options);
}

const start: StartThread = ({ message, failed }) => {
  const worker = new Worker(new URL("./model_thread.js", import.meta.url), { execArgv: [] });
  worker.unref(); // only what is awaited keeps the process alive
  worker.on("message", message);
  worker.once("error", failed);
  worker.once("exit", (code) => failed(`it ended with code ${code}`));
  return {
    post: (data, transfer) => worker.postMessage(data, transfer),
    busy: (busy) => (busy ? worker.ref() : worker.unref()),
    stop: () => void worker.terminate(),
  };
};

/** What another thread can have of a source: its name, its bytes, or an AsyncIterable of them. */
function sendable(source: Source): unknown {
  if (source instanceof URL) return source.href;
  return typeof source === "string" || source instanceof Blob ? source : byteSource(source).chunks;
}
