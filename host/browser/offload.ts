// The worker that has an offloaded model.

import type { StartModelThread } from "../core/offload/load.js";
import { packageFile } from "./net/package_files.js";
import { canWriteOut, startWorker, whatFailed } from "./net/workers.js";

/** The first message to model_thread.ts. */
export interface Introduction {
  /** Name of the lock that it is to hold. */
  lock: string;
  /** Address of the script of its compute threads, if that is not its own affair. */
  thread: string | undefined;
}

/** @param begin starts model_thread.ts */
export const startModelThread =
  (begin: () => Worker = beginWorker, thread?: string): StartModelThread =>
  ({ message, failed }) => {
    const worker = begin();
    const life = new AbortController();
    const lock = `zagreus-edge worker ${performance.timeOrigin} ${Math.random()}`;
    worker.onmessage = ({ data }) => {
      if (data === lock) awaitDeath(lock, life.signal, failed);
      else message(data);
    };
    worker.onerror = (event) => failed(whatFailed(event));
    worker.onmessageerror = () => failed("a message of it could not be read");
    worker.postMessage({ lock, thread } satisfies Introduction);
    return {
      post: (data, transfer) => worker.postMessage(data, transfer),
      stop() {
        life.abort();
        worker.terminate();
      },
    };
  };

function beginWorker(): Worker {
  return canWriteOut
    ? new Worker(new URL("./browser-worker.js", import.meta.url), { type: "module" })
    : startWorker(packageFile("browser-worker.js"));
}

/** A worker that is gone, out of memory for instance, tells nobody; but the lock that it held is free. */
function awaitDeath(lock: string, signal: AbortSignal, failed: (cause: unknown) => void): void {
  navigator.locks.request(lock, { signal }, () => failed("it has ended")).catch(() => {}); // stop() came first
}
