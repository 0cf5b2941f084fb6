// The command line `wasmtime run --dir DIR MODULE ARGUMENTS`, with the Wasmtime inside Wizer, which is the one that npm has.
//
// Wizer calls an exported function of a module in Wasmtime, with WASI but without arguments. So the arguments become part of the
// module: two functions that replace the imports args_get and args_sizes_get.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const WIZER = root("test/runtimes/node_modules/@bytecodealliance/wizer-linux-x64/wizer");
const [run, dir, directory, command, ...args] = process.argv.slice(2);
if (run !== "run" || dir !== "--dir" || !command) throw new Error("usage: wasmtime run --dir DIR MODULE ARGUMENTS");
const work = mkdtempSync(join(tmpdir(), "zagreus-wasmtime-"));
const path = (name) => join(work, name);
const binaryen = (tool, ...rest) =>
  execFileSync(process.execPath, [root(`node_modules/binaryen/bin/${tool}`), ...rest]);

try {
  writeFileSync(path("arguments.wat"), argumentsModule([command, ...args]));
  binaryen("wasm-as", path("arguments.wat"), "-o", path("arguments.wasm"));
  const inputs = [command, "command", path("arguments.wasm"), "wasi_snapshot_preview1"];
  binaryen("wasm-merge", ...inputs, "-o", path("command.wasm"), "-all", "--skip-export-conflicts");
  const wizer = ["--allow-wasi", "-f", "_start", "--dir", directory, "-o", path("out.wasm")];
  const { status, error } = spawnSync(WIZER, [...wizer, path("command.wasm")], { stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status;
} finally {
  rmSync(work, { recursive: true });
}

/** A module that answers args_sizes_get(count*, bytes*) and args_get(argv*, buffer*). */
function argumentsModule(values) {
  const bytes = values.map((value) => [...new TextEncoder().encode(value), 0]);
  let offset = 0;
  const stores = bytes.flatMap((value, i) => {
    const begin = offset;
    offset += value.length;
    return [
      `(i32.store offset=${4 * i} (local.get $argv) (i32.add (local.get $buffer) (i32.const ${begin})))`,
      ...value.map((byte, at) => `(i32.store8 offset=${begin + at} (local.get $buffer) (i32.const ${byte}))`),
    ];
  });
  return `(module
    (import "command" "memory" (memory 0))
    (func (export "args_sizes_get") (param $count i32) (param $bytes i32) (result i32)
      (i32.store (local.get $count) (i32.const ${values.length}))
      (i32.store (local.get $bytes) (i32.const ${offset}))
      (i32.const 0))
    (func (export "args_get") (param $argv i32) (param $buffer i32) (result i32)
      ${stores.join("\n      ")}
      (i32.const 0)))`;
}
