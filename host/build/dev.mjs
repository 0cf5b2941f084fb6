// npm run dev [-- PATH...]: builds what is missing, then watches. A saved file of host/ or quant/ is bundled, one of
// assembly/ compiled to the core "simd" (with less optimization; `npm run build` makes the real one), and the tests that
// it concerns run on the sources. PATH names the tests to run at all.

import { spawn, spawnSync } from "node:child_process";
import { watch } from "node:fs";
import { fileURLToPath } from "node:url";
import { node } from "./node.mjs";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
const QUIET = 50; // ms without another save

const say = (line) => process.stderr.write(`${line}\n`);
const BUILD = "host/build/build.mjs";
const bundle = () => node(BUILD, "ts");
const compile = () => node("host/build/asc.mjs", "assembly/index.ts", "--target", "simd", "--optimizeLevel", "1");

spawnSync(process.execPath, [BUILD, "ts", "core"], { stdio: "inherit" });
rebuildOn(["host", "quant", "assembly/layout"], bundle);
rebuildOn(["assembly"], compile);
const tests = process.argv.slice(2);
const vitest = ["node_modules/vitest/vitest.mjs", "--watch", "--project", "unit", "--mode", "sources"];
spawn(process.execPath, [...vitest, ...(tests.length > 0 ? tests : ["--changed"])], { stdio: "inherit" }).on(
  "exit",
  (code) => process.exit(code ?? 1),
);

/** Runs `build` whenever files below these folders were saved, once at a time. */
function rebuildOn(folders, build) {
  let timer;
  let running = Promise.resolve();
  const saved = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(build).catch((error) => say(error.message));
    }, QUIET);
  };
  for (const folder of folders) watch(folder, { recursive: true }, saved);
}
