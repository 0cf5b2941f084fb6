// Milliseconds from an abort in the middle of a 2,000-token prompt until the model is free, at 0.4B: library, offload and Ctrl-C.
//
//     node test/support/models/fullsize.mjs --type q4_0 --out FILE && node test/checks/abort.mjs FILE
//
// Run after `npm run build` on a machine that does nothing else: a batch that waits for a processor is a batch late. Exit code 1 above 200 ms.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { load } from "../../dist/index.js";

const [file] = process.argv.slice(2);
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const TOKENS = 2000;
const TIMES = 12;
const LIMIT_MS = 200;
const delayOf = (i) => 400 + 150 * i;

/** An abort of a model here or in another thread, until the next prompt has had its turn. */
async function inLibrary(offload) {
  const model = await load(file, { offload, contextLength: TOKENS + 1 });
  const waits = [];
  for (let i = 0; i < TIMES; i++) {
    const controller = new AbortController();
    const prompt = Array.from({ length: TOKENS }, (_, k) => (7 + i * 11 + k * 31) % 4096);
    const due = performance.now() + delayOf(i);
    setTimeout(() => controller.abort(), delayOf(i));
    const { signal } = controller;
    await model
      .complete(prompt, { signal, maxTokens: 1 })
      .text()
      .catch(() => {});
    await model.complete([1], { maxTokens: 0 }).text();
    waits.push(performance.now() - due);
  }
  model.close();
  return waits;
}

/** Ctrl-C while `complete` reads, until its process has ended. */
async function inTerminal() {
  const waits = [];
  for (let i = 0; i < TIMES; i++) {
    const child = spawn(process.execPath, [CLI, "complete", "-m", file, "-n", "1"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin.end("parola ".repeat(TOKENS / 2));
    await new Promise((resolve) => setTimeout(resolve, 2000 + delayOf(i))); // for the load
    const begun = performance.now();
    child.kill("SIGINT");
    await once(child, "close");
    waits.push(performance.now() - begun);
  }
  return waits;
}

const measured = { library: await inLibrary(false), offload: await inLibrary(true), terminal: await inTerminal() };
for (const [where, waits] of Object.entries(measured)) {
  waits.sort((a, b) => a - b);
  const [median, worst] = [waits[TIMES >> 1], waits.at(-1)];
  console.log(`${where.padEnd(10)} median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`);
  if (worst > LIMIT_MS) process.exitCode = 1;
}
