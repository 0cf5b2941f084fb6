// The life of a worker thread, on every runtime.

/** What a worker is sent. */
export interface WorkerTask {
  /** A threaded build of the core. */
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** Its number; the thread that loads is 0. */
  index: number;
}

/** Takes part in the core's work until it is stopped; `ready` is called before that. */
export function work({ module, memory, index }: WorkerTask, ready: () => void): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  ready();
  (exports.work as (index: number) => void)(index);
}
