// Engines side by side on one file:  npm run bench:peers -- [--quick] [--type q4_0|q8_0] [--json FILE] [--only ID,ID] [--no-build]
// What is measured, and how: README.md.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cachedFullsize } from "../support/models/fullsize.mjs";
import { startEngine } from "./child.mjs";
import { watchOthers } from "./processes.mjs";
import { makePrompt } from "./prompt.mjs";
import { checks, table } from "./report.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = fileURLToPath(new URL("../.cache/peers", import.meta.url));
const CONTEXT = 4096;
const DECODED = 64;
const LONG = 2048;
const FULL = { repetitions: 5, budgetMs: 60_000, fillMs: 180_000, quietMs: 600_000 };
const QUICK = { repetitions: 2, budgetMs: 12_000, fillMs: 30_000, quietMs: 20_000 };
/** Processors that others may use before a measurement begins. */
const QUIET = 0.15;
const QUIET_SAMPLE_MS = 250;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    type: { type: "string", default: "q4_0" },
    json: { type: "string" },
    only: { type: "string" },
    "no-build": { type: "boolean", default: false },
  },
});
const { repetitions, budgetMs, fillMs, quietMs } = options.quick ? QUICK : FULL;
let patienceMs = quietMs;
const log = (text) => process.stderr.write(`${text}\n`);

const dist = join(CACHE, "dist");
const model = prepare();
const { defineEngines, rooflineCommand } = await import("./engines.mjs");
const kernelChoice = join(CACHE, "kernel_choice.mjs");
const definitions = defineEngines({ model, dist, kernelChoice, prompt: join(CACHE, "prompt.json"), context: CONTEXT });
const engines = definitions
  .filter(({ id }) => !options.only || options.only.split(",").includes(id))
  .map((definition) => ({ ...definition, samples: {}, loads: [], hashes: [], notes: [] }));
for (const engine of engines) if (engine.missing) engine.notes.push(engine.missing);
const usable = () => engines.filter(({ missing, failed }) => !missing && !failed);

for (let repetition = 1; repetition <= repetitions; repetition++) {
  log(`load, prefill and decode, ${repetition} of ${repetitions}`);
  for (const engine of usable()) await measureFresh(engine);
}
await fillLong();
for (let repetition = 1; repetition <= repetitions; repetition++) {
  log(`decode behind ${LONG} tokens, ${repetition} of ${repetitions}`);
  for (const engine of usable()) await measure(engine, "decode2048", "decode", { at: LONG, count: DECODED });
}
for (const engine of usable()) engine.peakRssBytes = await attempt(engine, "peakRss");
for (const engine of engines) await engine.process?.stop();
const roofline = await measureRoofline();

const result = {
  type: options.type,
  quick: options.quick,
  repetitions,
  others: median(
    engines.flatMap(({ samples }) =>
      Object.values(samples)
        .flat()
        .map(({ others }) => others),
    ),
  ),
  machine: { processor: cpus()[0]?.model, flags: processorFlags(), threads: cpus().length },
  roofline,
  engines: Object.fromEntries(engines.map((engine) => [engine.id, summarize(engine)])),
};
result.checks = checks(result);
process.stdout.write(table(result));
const json = options.json ?? join(CACHE, `bench-${options.type}${options.quick ? "-quick" : ""}.json`);
writeFileSync(json, `${JSON.stringify(result, undefined, 2)}\n`);
log(`JSON: ${json}`);

const hashes = new Set(engines.flatMap(({ hashes }) => hashes));
if (hashes.size > 1) {
  log("The logits differ between our builds or runtimes.");
  process.exitCode = 1;
}

/** Installs the peers, builds, copies dist/ away from other builds, and makes the file; returns its path. */
function prepare() {
  const run = (program, args, cwd) => execFileSync(program, args, { cwd, stdio: ["ignore", 2, 2] });
  if (!existsSync(join(HERE, "node_modules/.package-lock.json"))) run("npm", ["ci"], HERE);
  mkdirSync(CACHE, { recursive: true });
  if (!options["no-build"]) {
    run("npm", ["run", "-s", "build"], ROOT);
    rmSync(dist, { recursive: true, force: true });
    cpSync(join(ROOT, "dist"), dist, { recursive: true });
  }
  const bundler = join(ROOT, "node_modules/esbuild/bin/esbuild");
  const choice = "host/core/wasm/kernel_choice.ts";
  run(bundler, [choice, "--bundle", "--format=esm", `--outfile=${join(CACHE, "kernel_choice.mjs")}`], ROOT);
  const assembler = join(ROOT, "node_modules/binaryen/bin/wasm-as");
  const features = ["--enable-simd", "--enable-relaxed-simd"];
  run(process.execPath, [assembler, ...features, join(HERE, "roofline.wat"), "-o", join(CACHE, "roofline.wasm")], ROOT);
  writeFileSync(join(CACHE, "prompt.json"), JSON.stringify(makePrompt()));
  return cachedFullsize(options.type);
}

/**
 * Every repetition is a new process, because code that an engine has compiled badly once stays bad; the last one stays for what
 * follows. Engines take turns, so that a slow minute of the machine hits everybody.
 */
async function measureFresh(engine) {
  await engine.process?.stop();
  engine.process = startEngine(engine.command);
  await attempt(engine, "open");
  await awaitQuiet(engine);
  const load = await attempt(engine, "load");
  if (!load) return;
  engine.loads.push(load);
  engine.loadedRssBytes = await attempt(engine, "peakRss");
  if (!lacks(engine, "prefill128") && !isSlow(engine)) await attempt(engine, "prefill", { count: 128 }); // compiles
  await measure(engine, "prefill128", "prefill", { count: 128 });
  await measure(engine, "decode128", "decode", { at: 128, count: DECODED });
  await measure(engine, "prefill512", "prefill", { count: 512 });
  if (engine.failed || engine.side !== "ours" || lacks(engine, "sha256")) return;
  const hash = await attempt(engine, "sha256");
  if (hash) engine.hashes.push(hash);
}

async function measure(engine, metric, command, options) {
  if (engine.failed || lacks(engine, metric) || !affordable(engine, metric)) return;
  await awaitQuiet(engine);
  const others = watchOthers(engine.process.pid);
  const reply = await attempt(engine, command, options);
  if (!reply) return;
  engine.samples[metric] ??= [];
  engine.samples[metric].push({ ...reply, tokensPerSecond: (1000 * options.count) / reply.ms, others: others() });
}

/** Waits until nobody else works on the machine, but not for ever: over the whole run at most quietMs. */
async function awaitQuiet(engine) {
  while (patienceMs > 0) {
    const others = watchOthers(engine.process.pid);
    await setTimeout(QUIET_SAMPLE_MS);
    if (others() < QUIET) return;
    patienceMs -= QUIET_SAMPLE_MS;
  }
}

function isSlow(engine) {
  return engine.samples.prefill128?.[0].ms > 10_000;
}

/** Slow engines get fewer repetitions, or none: they would take hours. */
function affordable(engine, metric) {
  if (metric === "decode2048" && !engine.filled) return false;
  const samples = engine.samples[metric] ?? [];
  const spent = samples.reduce((sum, { ms }) => sum + ms, 0);
  if (samples.length > 0) return spent + spent / samples.length <= budgetMs;
  if (metric !== "prefill512") return true;
  const expected = 4 * engine.samples.prefill128[0].ms;
  if (expected < budgetMs) return true;
  note(engine, `prefill of 512 is left out: it takes about ${seconds(expected)}`);
  return false;
}

async function fillLong() {
  log(`prefill of ${LONG}`);
  for (const engine of usable()) {
    if (lacks(engine, "decode2048")) continue;
    const expected = (LONG / 128) * engine.samples.prefill128[0].ms;
    if (expected > fillMs) {
      note(engine, `decode at ${LONG} is left out: the prefill takes about ${seconds(expected)}`);
      continue;
    }
    await measure(engine, "prefill2048", "prefill", { count: LONG });
    engine.filled = engine.samples.prefill2048 !== undefined;
  }
}

async function measureRoofline() {
  log("roofline");
  const machine = startEngine(rooflineCommand(join(CACHE, "roofline.wasm")));
  const best = {};
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const [threads, rates] of Object.entries(await machine.call("measure"))) {
      best[threads] ??= {};
      for (const [name, rate] of Object.entries(rates)) best[threads][name] = Math.max(best[threads][name] ?? 0, rate);
    }
  }
  await machine.stop();
  return best;
}

/** The engine's reply; an engine that fails is told of in the notes and left alone from then on. */
async function attempt(engine, command, options) {
  if (engine.failed) return undefined;
  try {
    return await engine.process.call(command, options);
  } catch (error) {
    engine.failed = true;
    await engine.process.stop();
    note(engine, `${command} failed: ${error.message.split("\n")[0]}`);
  }
}

function note(engine, text) {
  if (engine.notes.includes(text)) return;
  engine.notes.push(text);
  log(`${engine.label}: ${text}`);
}

function lacks(engine, metric) {
  return engine.lacks?.some((lack) => metric.startsWith(lack));
}

function summarize({ process: _, command: __, samples, loads, filled: ___, ...engine }) {
  const rates = Object.entries(samples).map(([metric, list]) => {
    const all = list.map(({ tokensPerSecond }) => tokensPerSecond);
    const tokenMs = list.flatMap(({ tokenMs }) => tokenMs ?? []);
    const rate = {
      best: Math.max(...all),
      median: median(all),
      fastestToken: tokenMs.length > 0 ? 1000 / Math.min(...tokenMs) : undefined,
      medianToken: tokenMs.length > 0 ? 1000 / median(tokenMs) : undefined,
      samples: all,
      others: list.map(({ others }) => others),
    };
    return [metric, rate];
  });
  const times = loads.map(({ loadMs }) => loadMs);
  return {
    ...engine,
    hashes: [...new Set(engine.hashes)],
    info: loads.at(-1)?.info,
    tokensPerSecond: Object.fromEntries(rates),
    load: loads.length > 0 && {
      bestMs: Math.min(...times),
      medianMs: median(times),
      samplesMs: times,
      firstTokenMs: median(loads.map(({ tokenMs }) => tokenMs[0])),
      tenthTokenMs: median(loads.map(({ tokenMs }) => tokenMs[9])),
      tokenMs: loads.map(({ tokenMs }) => tokenMs),
    },
  };
}

/** Those that decide which kernels are fast, here and in native engines. */
function processorFlags() {
  const known = ["avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"];
  const flags = new Set(readFileSync("/proc/cpuinfo", "utf8").split(/\s+/));
  return known.filter((flag) => flags.has(flag));
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function seconds(ms) {
  return `${Math.round(ms / 1000)} s`;
}
