// `zagreus quantize` on a checkpoint of the true size (test/support/models/fullsize_checkpoint.mjs); one JSON object for each type on stdout:
//
//     node test/checks/quantize.mjs [--checkpoint DIRECTORY]
//
// Exits 1 when a conversion takes more than 60 s or 400 MB, or the result does not run. The files stay in test/.cache/ for
// test/oracle/llama_cpp.mjs.

import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const MOST_SECONDS = 60;
const MOST_BYTES = 400e6;

const { values } = parseArgs({ options: { checkpoint: { type: "string" } } });
const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const generator = JSON.stringify(new URL("../support/models/fullsize_checkpoint.mjs", import.meta.url));
const make = `import { cachedCheckpoint } from ${generator}; console.log(cachedCheckpoint());`;
const checkpoint =
  values.checkpoint ?? execFileSync(process.execPath, ["--input-type=module", "-e", make], { encoding: "utf8" }).trim();

const CLI = path("../../dist/cli.js");
const REPORT_PEAK = `data:text/javascript,process.on("exit", () => console.error(process.resourceUsage().maxRSS * 1024))`;

for (const type of ["q8_0", "q4_0"]) {
  const out = path(`../.cache/fullsize-quantized-${type}.gguf`);
  const begun = performance.now();
  const args = ["--import", REPORT_PEAK, CLI, "quantize", checkpoint, "-t", type, "-o", out, "--json"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const seconds = (performance.now() - begun) / 1000;
  if (status !== 0) throw new Error(stderr);
  const peakRssBytes = Number(stderr);

  const prompt = ["complete", "L'intelligenza artificiale è", "-n", "8", "--temp", "0", "--json", "-m", out];
  const { tokens } = JSON.parse(execFileSync(process.execPath, [CLI, ...prompt], { encoding: "utf8" }));
  const { bytes, tensors, meanSquaredError } = JSON.parse(stdout);
  console.log(
    JSON.stringify({ type, seconds, peakRssBytes, bytes, tensors, meanSquaredError, runs: tokens.length === 8 }),
  );
  if (seconds > MOST_SECONDS || peakRssBytes > MOST_BYTES || tokens.length !== 8) process.exitCode = 1;
}
