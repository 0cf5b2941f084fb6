// What may go wrong around a model, in a real runtime: prints what came of it, as JSON. The argument is a URL whose connection
// breaks in the middle of the model.

import { Worker } from "node:worker_threads";
import { bundledModel, load, ZagreusError } from "zagreus-edge";

const [url] = globalThis.Deno?.args ?? process.argv.slice(2);

/** Every worker that has been started, of which the package keeps quiet. */
const workers = [];
const { unref } = Worker.prototype;
Worker.prototype.unref = function () {
  if (!workers.includes(this)) workers.push(this);
  return unref.call(this);
};

/** The code of the error, which must be this package's. */
async function codeOf(run) {
  try {
    await run();
    return "none";
  } catch (error) {
    return error instanceof ZagreusError ? error.code : String(error);
  }
}

/** A worker of a model is killed after three tokens, when a second request waits already. */
async function kill(options) {
  const from = workers.length;
  const model = await load(bundledModel, options);
  let waiting;
  const running = await codeOf(async () => {
    let pieces = 0;
    for await (const _ of model.complete("C'era una volta", { maxTokens: 3000 })) {
      if (++pieces !== 3) continue;
      waiting = codeOf(() => model.complete("Once upon a time", { maxTokens: 8 }).text());
      await workers[from].terminate();
    }
  });
  const codes = [running, await waiting, await codeOf(() => model.complete("a").text())];
  model.close();
  return codes.join();
}

const report = { cut: await codeOf(() => load(url, { threads: 1 })), threadKilled: await kill({ threads: 2 }) };
report.modelKilled = await kill({ offload: true });
report.cutOffloaded = await codeOf(() => load(url, { offload: true }));
report.missing = await codeOf(() => load("no-such-file.gguf", { offload: true }));
const again = await load(bundledModel);
report.after = (await again.complete("C'era una volta", { maxTokens: 3 }).text()).length > 0;
console.log(JSON.stringify(report)); // the open model does not keep the process alive
