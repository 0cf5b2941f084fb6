// The machine's limits as WebAssembly sees them, on one and two threads:  roofline.mjs '{"wasm"}'

import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { serve } from "./serve.mjs";

const BYTES = 512 << 20;
const PAGE = 65536;
const ROUNDS = 20_000_000;
/** Multiply-adds of a round of roofline.wat. */
const PER_ROUND = { dots: 48, relaxedDots: 96 };

/** What a thread can measure: (name) => seconds. */
async function meter(wasm) {
  const { instance } = await WebAssembly.instantiate(readFileSync(wasm));
  const { memory, sum, dots, relaxedDots } = instance.exports;
  memory.grow(BYTES / PAGE);
  new Uint8Array(memory.buffer).fill(1); // untouched memory is one page of zeros
  const work = { sum: () => sum(BYTES), dots: () => dots(ROUNDS), relaxedDots: () => relaxedDots(ROUNDS) };
  sum(PAGE);
  dots(ROUNDS / 10);
  relaxedDots(ROUNDS / 10);
  return (name) => {
    const start = performance.now();
    work[name]();
    return (performance.now() - start) / 1000;
  };
}

if (isMainThread) {
  const { wasm } = JSON.parse(process.argv[2]);
  const seconds = await meter(wasm);
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: wasm });
  const answer = () => new Promise((resolve) => worker.once("message", resolve));
  await answer();

  /** Seconds on `threads` threads, of the slower one. */
  async function together(name, threads) {
    if (threads === 1) return seconds(name);
    const other = answer();
    worker.postMessage(name);
    return Math.max(seconds(name), await other);
  }

  await serve({
    /** One repetition: bytes and multiply-adds per second by number of threads. */
    async measure() {
      const result = {};
      for (const threads of [1, 2]) {
        result[threads] = { bytes: (threads * BYTES) / (await together("sum", threads)) };
        for (const [name, macs] of Object.entries(PER_ROUND)) {
          result[threads][name] = (threads * macs * ROUNDS) / (await together(name, threads));
        }
      }
      return result;
    },
  });
} else {
  const seconds = await meter(workerData);
  parentPort.on("message", (name) => parentPort.postMessage(seconds(name)));
  parentPort.postMessage("ready");
}
