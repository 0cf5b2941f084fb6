// Workers by the address of their script, which may be of another origin.

import { isModule, packageFile, WHERE } from "./package_files.js";

/** new Worker() takes scripts of one's own origin only. */
const isForeign = ({ protocol, origin }: URL) => protocol.startsWith("http") && origin !== globalThis.origin;

/** Whether `new Worker(new URL(name, import.meta.url))` works, which bundlers look for. */
export const canWriteOut = isModule && !isForeign(packageFile(""));

/** Scripts of this origin that import those of others. */
const borrowed = new Map<string, string>();

function borrow(script: string): string {
  let url = borrowed.get(script);
  if (!url) {
    const code = `import ${JSON.stringify(script)}`;
    url =
      globalThis.origin === "null" // pages of files and sandboxes have no blob: that a module may come from
        ? `data:text/javascript,${encodeURIComponent(code)}`
        : URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    borrowed.set(script, url);
  }
  return url;
}

/** Starts a module; one of another origin needs CORS. */
export function startWorker(script: URL): Worker {
  return new Worker(isForeign(script) ? borrow(script.href) : script, { type: "module" });
}

/** What a worker's error event says: nothing when its script was not found, or not allowed. */
export function whatFailed(event: ErrorEvent): Error {
  event.preventDefault();
  const borrows = borrowed.size > 0 ? ", from another origin (CORS, and blob: in the worker-src of a policy)" : "";
  return new Error(event.message || `its script could not be loaded${borrows}; ${WHERE}`);
}
