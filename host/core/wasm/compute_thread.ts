// The life of a compute thread, on every runtime.

/** What a compute thread is sent. */
export interface ComputeTask {
  /** A threaded build of the core. */
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** Its number; the thread that loads is 0. */
  index: number;
}

/** Takes part in the core's work until it is stopped; `ready` is called before that. */
export function runComputeThread({ module, memory, index }: ComputeTask, ready: () => void): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  ready();
  (exports.work as (index: number) => void)(index);
}
