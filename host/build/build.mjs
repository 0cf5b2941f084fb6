// npm run build [-- TARGET...]: makes dist/, and only what changed of it. A target is made again when its inputs, its
// settings or its outputs are not those of the last time.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Records } from "./records.mjs";
import { TARGETS } from "./targets.mjs";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
const say = (line) => process.stderr.write(`${line}\n`);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const targets = chosen(process.argv.slice(2));
if (targets) await buildStale(targets);

/** The targets that the arguments name, all that need nothing but npm ci when there are none. */
function chosen(names) {
  if (names.length === 0) return TARGETS.filter(({ optional }) => !optional);
  const named = (name) => TARGETS.filter((target) => target.name === name || target.name.startsWith(`${name}:`));
  const unknown = names.find((name) => named(name).length === 0);
  if (unknown === undefined) return [...new Set(names.flatMap(named))];
  say(`build: there is no target ${unknown}; there are core, ${TARGETS.map(({ name }) => name).join(", ")}`);
  process.exitCode = 1;
}

/** Makes those targets that are not fresh, as many at once as there are cores. */
async function buildStale(targets) {
  const begun = performance.now();
  const records = new Records("dist/.inputs.json");
  const stale = targets.filter((target) => !records.isFresh(target));
  if (stale.length === 0) return say(`build: nothing changed (${seconds(begun)})`);
  say(`build: ${stale.map(({ name }) => name).join(", ")}${stale.length > 4 ? " (about a minute)" : ""}`);

  const waiting = [...stale];
  const worker = async () => {
    for (let target = waiting.shift(); target; target = waiting.shift()) await make(target, records);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  records.save();
  say(`build: ${process.exitCode ? "failed" : "done"} after ${seconds(begun)}`);
}

async function make(target, records) {
  const begun = performance.now();
  const started = Date.now();
  try {
    records.add(target, started, await target.make());
    say(`  ${target.name.padEnd(16)} ${seconds(begun)}`);
  } catch (error) {
    say(`  ${target.name.padEnd(16)} failed\n${error.message}`);
    process.exitCode = 1;
  }
}
