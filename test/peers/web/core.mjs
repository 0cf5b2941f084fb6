// The page's side of our core: it runs in a worker, which may wait and block.

/** @returns {Promise<Record<string, (options: unknown) => Promise<unknown>>>} */
export async function commands(settings) {
  const worker = new Worker(new URL("core_worker.mjs", import.meta.url), { type: "module" });
  const call = (command, options) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.reply));
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage({ command, options });
    });
  await call("prepare", settings);
  return Object.fromEntries(
    ["load", "prefill", "decode", "sha256"].map((name) => [name, (options) => call(name, options)]),
  );
}
