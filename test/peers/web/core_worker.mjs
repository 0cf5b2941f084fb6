// Our core in a worker of the page. The file is a Blob before anything is timed.

import { coreCommands } from "../core.mjs";

const CHUNK = 1 << 20;

const commands = {
  async prepare(settings) {
    const file = await (await fetch("/model")).blob();
    const { tokens: prompt } = await (await fetch("/prompt")).json();
    const platform = {
      wasm: async () => (await fetch("/wasm")).arrayBuffer(),
      chunks: () => blobChunks(file),
      kernelChoice: async () => {
        const script = new Blob([await (await fetch("/kernel_choice")).text()], { type: "text/javascript" });
        return import(URL.createObjectURL(script));
      },
      startWorker: (message) => {
        const thread = new Worker(new URL("../core_thread.mjs", import.meta.url), { type: "module" });
        thread.postMessage(message);
      },
    };
    Object.assign(commands, coreCommands(platform, { ...settings, prompt }));
  },
};

async function* blobChunks(blob) {
  const reader = blob.stream().getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    for (let at = 0; at < value.length; at += CHUNK) yield value.subarray(at, at + CHUNK);
  }
}

globalThis.onmessage = async ({ data: { command, options } }) => {
  try {
    postMessage({ reply: await commands[command](options) });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
};
