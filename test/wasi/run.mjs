// Runs dist/wasi/zagreus.wasm in Node's WASI as `wasmtime run --dir DIR` would: node --no-warnings run.mjs DIR ARGUMENTS

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { WASI } from "node:wasi";

const ZAGREUS = new URL("../../dist/wasi/zagreus.wasm", import.meta.url);

/**
 * Runs a command module to its end.
 * @param streams file descriptors: { stdin, stdout, stderr }
 * @returns the exit code
 */
export function runCommand(module, directory, args, streams = {}) {
  const preopens = { ".": directory };
  const wasi = new WASI({ version: "preview1", args: ["zagreus.wasm", ...args], preopens, ...streams });
  const { wasi_snapshot_preview1: functions } = wasi.getImportObject();
  // Plain functions around Node's own: in Node 20 and 22 those collect garbage, and the WASI itself with it, when WebAssembly calls them
  // directly (https://github.com/nodejs/node/issues/46777).
  const plain = Object.entries(functions).map(([name, call]) => [name, (...values) => call(...values)]);
  const imports = { wasi_snapshot_preview1: Object.fromEntries(plain) };
  return wasi.start(new WebAssembly.Instance(module, imports));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [directory, ...args] = process.argv.slice(2);
  process.exitCode = runCommand(new WebAssembly.Module(readFileSync(ZAGREUS)), directory, args);
}
