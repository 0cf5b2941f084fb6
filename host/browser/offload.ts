// The worker that has an offloaded model.

import type { StartModelThread } from "../core/offload/load.js";
import { isModule, packageFile } from "./package_files.js";
import { whatFailed } from "./threads.js";

/** Starts model_thread.ts. */
export const startModelThread: StartModelThread = ({ message, failed }) => {
  const worker = isModule
    ? new Worker(new URL("./browser-worker.js", import.meta.url), { type: "module" })
    : new Worker(packageFile("browser-worker.js"), { type: "module" });
  const life = new AbortController();
  const lock = `zagreus-edge worker ${performance.timeOrigin} ${Math.random()}`;
  worker.onmessage = ({ data }) => {
    if (data === lock) awaitDeath(lock, life.signal, failed);
    else message(data);
  };
  worker.onerror = (event) => failed(whatFailed(event));
  worker.onmessageerror = () => failed("a message of it could not be read");
  worker.postMessage(lock);
  return {
    post: (data, transfer) => worker.postMessage(data, transfer),
    stop() {
      life.abort();
      worker.terminate();
    },
  };
};

/** A worker that is gone, out of memory for instance, tells nobody; but the lock that it held is free. */
function awaitDeath(lock: string, signal: AbortSignal, failed: (cause: unknown) => void): void {
  navigator.locks.request(lock, { signal }, () => failed("it has ended")).catch(() => {}); // stop() came first
}
