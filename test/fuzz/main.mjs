// npm run fuzz -- TARGET [SECONDS] [SEED]
//
// Calls run(random, watch) of test/fuzz/TARGET with random numbers until the time is over. What a run throws is a finding, be
// it a mistake or a cost, and so is a run that takes more processor time than the target's `maxMilliseconds`, if it has one,
// or holds the event loop for more than MAX_HOLD in what it gives `watch` to do. Findings are printed with the seed that
// gives them again.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { generator } from "../checks/random.mjs";
import { watched } from "./holds.mjs";

/** Milliseconds of processor time between two turns of the event loop. */
const MAX_HOLD = 50;
/** What a garbage collection or a compiler adds is not there each time. */
const REPETITIONS = 3;

const here = path.dirname(fileURLToPath(import.meta.url));
/** File names by target; the others are what they measure with. */
const targets = new Map(
  readdirSync(here)
    .filter((name) => !["main.mjs", "checkpoints.ts", "cost.mjs", "holds.mjs"].includes(name))
    .map((name) => [path.parse(name).name, name]),
);

async function load(target) {
  const file = path.join(here, targets.get(target));
  if (file.endsWith(".mjs")) return import(pathToFileURL(file).href);
  const folder = mkdtempSync(path.join(os.tmpdir(), "fuzz-"));
  try {
    const outfile = path.join(folder, "target.mjs");
    await build({ entryPoints: [file], bundle: true, format: "esm", platform: "node", outfile });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fuzz(target, seconds, firstSeed) {
  const { run, maxMilliseconds = Number.POSITIVE_INFINITY } = await load(target);
  const end = performance.now() + seconds * 1000;
  let runs = 0;
  const slowest = { seed: firstSeed, milliseconds: 0 };
  const longest = { seed: firstSeed, milliseconds: 0 };
  const note = (worst, seed, milliseconds) => {
    if (milliseconds > worst.milliseconds) Object.assign(worst, { seed, milliseconds });
  };
  for (let seed = firstSeed; performance.now() < end; seed++, runs++) {
    const begun = process.cpuUsage();
    let hold = Number.POSITIVE_INFINITY;
    for (let i = 1; i <= REPETITIONS && hold > MAX_HOLD; i++) {
      try {
        let longest = 0;
        await run(generator(seed), (work) => watched(work, (ms) => (longest = Math.max(longest, ms))));
        hold = Math.min(hold, longest);
      } catch (error) {
        const { isCost, stack = String(error) } = error.cause ?? error;
        if (!isCost || i === REPETITIONS) return { seed, finding: `${error}\n${stack}` };
      }
    }
    if (hold > MAX_HOLD) return { seed, finding: `it holds the event loop for ${Math.round(hold)} ms` };
    note(longest, seed, hold);
    const { user, system } = process.cpuUsage(begun);
    // The first runs compile the program.
    if (runs > 50) note(slowest, seed, (user + system) / 1000);
    if (slowest.milliseconds > maxMilliseconds)
      return { seed, finding: `it takes ${Math.round(slowest.milliseconds)} ms` };
  }
  const figure = ({ seed, milliseconds }) => `${Math.round(milliseconds)} ms (seed ${seed})`;
  console.log(`${target}: ${runs} runs, the slowest ${figure(slowest)}, the longest hold ${figure(longest)}`);
  return undefined;
}

const [target, seconds = "20", given] = process.argv.slice(2);
if (!targets.has(target)) {
  console.error(`usage: npm run fuzz -- ${[...targets.keys()].join("|")} [SECONDS] [SEED]`);
  process.exit(2);
}
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
console.log(`${target}: seed ${seed}`);
const found = await fuzz(target, Number(seconds), seed);
if (found) {
  console.error(`FOUND by npm run fuzz -- ${target} ${seconds} ${found.seed}\n${found.finding}`);
  process.exit(1);
}
