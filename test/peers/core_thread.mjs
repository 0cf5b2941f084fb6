// A further thread of the core: its own instance over the shared memory, which works until it is stopped.

const work = ({ module, memory, index }) => new WebAssembly.Instance(module, { env: { memory } }).exports.work(index);

if (globalThis.process?.versions?.node) {
  const { parentPort } = await import("node:worker_threads");
  parentPort.once("message", work);
} else {
  globalThis.onmessage = ({ data }) => work(data);
}
