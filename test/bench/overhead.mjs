// What a token costs beside its arithmetic:
//
//     node test/bench/overhead.mjs [MODEL] [--build B] [--tokens N] [--repetitions N]
//
// forwardLayers() and logits() of the core are timed where they are called; the rest of a token's time is the host's: sampling, text, stream, and with
// `offload` the way through the other thread. Medians of the tokens behind the first 16, and the best of the repetitions.

import { cpus } from "node:os";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string" },
    tokens: { type: "string", default: "300" },
    repetitions: { type: "string", default: "5" },
  },
});

/** Milliseconds in the core since the last token. */
let computing = 0;
const timed =
  (call) =>
  (...args) => {
    const start = performance.now();
    const result = call(...args);
    computing += performance.now() - start;
    return result;
  };
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (module, imports) => {
  const { exports } = await instantiate(module, imports);
  return { exports: { ...exports, forwardLayers: timed(exports.forwardLayers), logits: timed(exports.logits) } };
};

const { bundledModel, load } = await import("../../dist/index.js");
const source = positionals[0] ?? bundledModel;
const maxTokens = Number(values.tokens);
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

/** Median milliseconds from token to token, of the core, and of the rest. */
async function run(model, options) {
  const logitBias = Object.fromEntries(model.info.tokenizer.end.map((token) => [token, Number.NEGATIVE_INFINITY]));
  const [all, core, host] = [[], [], []];
  let last = performance.now();
  computing = 0;
  for await (const _ of model.complete("La luna", { maxTokens, logitBias, ...options })) {
    const now = performance.now();
    all.push(now - last);
    core.push(computing);
    host.push(now - last - computing);
    [last, computing] = [now, 0];
  }
  return { all: median(all.slice(16)), core: median(core.slice(16)), host: median(host.slice(16)) };
}

const SAMPLERS = [
  { name: "greedy", options: { temperature: 0, repetitionPenalty: 1 } },
  {
    name: "temperature 0.8, top-k 40, top-p 0.9, penalty 1.1",
    options: { temperature: 0.8, topK: 40, topP: 0.9, seed: 1 },
  },
];

const rows = [];
for (const offload of [false, true]) {
  const model = await load(source, { build: values.build, threads: 1, offload });
  for (const [i, { name, options }] of SAMPLERS.entries()) {
    const runs = [];
    for (let i = 0; i < Number(values.repetitions); i++) runs.push(await run(model, options));
    const best = (of) => Math.min(...runs.map((result) => result[of]));
    const core = offload ? rows[i].core : best("core");
    const host = offload ? best("all") - core : best("host");
    rows.push({ where: offload ? "offload" : "same thread", sampler: name, token: best("all"), core, host });
  }
  model.close();
}
console.log(`${cpus()[0].model}, Node ${process.versions.node}; milliseconds a token`);
const fixed = (value) => (typeof value === "number" ? Number(value.toFixed(3)) : value);
console.table(rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, fixed(value)]))));
