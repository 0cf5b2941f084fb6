// Milliseconds from an abort in the middle of a 2,000-token prompt until nothing computes any more, at 0.4B: Ctrl-C in a terminal, an
// abort in the library and with the model in another thread, and a client that leaves the server.
//
//     node test/support/models/fullsize.mjs --type q4_0 --out FILE && node test/checks/abort.mjs FILE
//
// Run after `npm run build` on a machine that does nothing else: a layer that waits for a processor is a layer late. Exit code 1 above 200 ms.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { load } from "../../dist/index.js";

const [file] = process.argv.slice(2);
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const TOKENS = 2000;
const TIMES = 12;
const LIMIT_MS = 200;
const delayOf = (i) => 400 + 150 * i;
/** Prompts that have nothing in common. */
const promptOf = (i) => Array.from({ length: TOKENS }, (_, k) => (7 + i * 11 + k * 31) % 4096);

const zagreus = (...args) => spawn(process.execPath, [CLI, ...args], { stdio: ["pipe", "pipe", "ignore"] });

/** An abort of a model here or in another thread, until the completion says that it has stopped. */
async function inLibrary(offload) {
  const model = await load(file, { offload, contextLength: TOKENS + 1 });
  const waits = [];
  for (let i = 0; i < TIMES; i++) {
    const due = performance.now() + delayOf(i);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), delayOf(i));
    const completion = model.complete(promptOf(i), { signal: controller.signal, maxTokens: 1 });
    await completion.text().then(finished, () => {});
    waits.push(performance.now() - due); // with what the timer was late, since the model's turn had to end
  }
  model.close();
  return waits;
}

/** Ctrl-C while `complete` reads, until its process has ended. */
async function inTerminal() {
  const waits = [];
  for (let i = 0; i < TIMES; i++) {
    const child = zagreus("complete", "-m", file, "-n", "1");
    child.stdin.end("parola ".repeat(TOKENS / 2));
    await sleep(2000 + delayOf(i)); // for the load
    const begun = performance.now();
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    waits.push(performance.now() - begun);
    if (code === 0) finished();
  }
  return waits;
}

/** A client that closes its connection, until the server's model has no work. */
async function inServer() {
  const child = zagreus(
    "serve",
    "-m",
    file,
    "--port",
    "0",
    "--no-prompt-cache",
    "--context",
    String(TOKENS + 1),
    "--json",
  );
  const [line] = await once(child.stdout, "data");
  const { url } = JSON.parse(line);
  const isBusy = async () => /^zagreus_requests_running.* 1$/m.test(await (await fetch(`${url}/metrics`)).text());
  const waits = [];
  for (let i = 0; i < TIMES; i++) {
    const controller = new AbortController();
    const body = JSON.stringify({ prompt: promptOf(i), max_tokens: 1, stream: i % 2 === 0 });
    const { signal } = controller;
    const headers = { "content-type": "application/json" };
    const answer = fetch(`${url}/v1/completions`, { method: "POST", headers, body, signal }).then(finished, () => {});
    while (!(await isBusy()));
    await sleep(delayOf(i));
    const begun = performance.now();
    controller.abort();
    while (await isBusy());
    waits.push(performance.now() - begun);
    await answer;
  }
  child.kill();
  await once(child, "close");
  return waits;
}

function finished() {
  throw new Error("the prompt was read before the abort: this machine is too fast for the check");
}

const measured = {
  "terminal (Ctrl-C)": await inTerminal(),
  library: await inLibrary(false),
  "library, offload": await inLibrary(true),
  "server (disconnect)": await inServer(),
};
console.log(`${cpus().length} × ${cpus()[0].model.trim()}, Node ${process.versions.node}`);
for (const [where, waits] of Object.entries(measured)) {
  waits.sort((a, b) => a - b);
  const [median, worst] = [waits[TIMES >> 1], waits.at(-1)];
  console.log(`${where.padEnd(20)} median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`);
  if (worst > LIMIT_MS) process.exitCode = 1;
}
