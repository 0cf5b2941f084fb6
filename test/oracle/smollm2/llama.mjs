// llama.cpp's shared libraries, as node-llama-cpp brings them along, driven by ../llama.py.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** Results of jobs. @param {string} python a Python with numpy @param {object[]} jobs */
export function llama(python, ...jobs) {
  const libraries = path("../node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
  const { status, stdout } = spawnSync(python, [path("../llama.py"), libraries], {
    input: JSON.stringify(jobs),
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`llama.py: exit ${status}`);
  return JSON.parse(stdout.toString());
}
