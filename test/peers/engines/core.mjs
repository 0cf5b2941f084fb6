// Our core in Node and Deno:  core.mjs '{"model", "prompt", "wasm", "build", "kernelChoice", "threads", "context"}'

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { coreCommands } from "../core.mjs";
import { peakRss, serve } from "./serve.mjs";

const CHUNK = 1 << 20;
const settings = JSON.parse(process.argv[2]);
const prompt = JSON.parse(readFileSync(settings.prompt, "utf8")).tokens;

function* chunks() {
  const file = openSync(settings.model, "r");
  const buffer = new Uint8Array(CHUNK);
  for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer))
    yield buffer.subarray(0, length);
  closeSync(file);
}

const platform = {
  wasm: () => readFile(settings.wasm),
  chunks,
  kernelChoice: () => import(pathToFileURL(settings.kernelChoice).href),
  startWorker: (message) => new Worker(new URL("../core_thread.mjs", import.meta.url)).postMessage(message),
};

await serve({ ...coreCommands(platform, { ...settings, prompt }), peakRss: () => peakRss() });
