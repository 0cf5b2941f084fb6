// The module itself: what it needs from an engine.

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ROOT, temporary, ZAGREUS } from "./harness";

const KIB = 1024;
const module = new WebAssembly.Module(readFileSync(ZAGREUS));

/** The module as text. */
function disassembled(name: string): string {
  const script = join(ROOT, "node_modules/binaryen/bin/wasm-dis");
  return execFileSync(process.execPath, [script, join(ROOT, "dist", name)], { encoding: "utf8", maxBuffer: 1e9 });
}

test("it imports WASI preview 1 and nothing else", () => {
  const imports = WebAssembly.Module.imports(module);
  expect(imports.length).toBeGreaterThan(5);
  expect(imports.filter((entry) => entry.module !== "wasi_snapshot_preview1" || entry.kind !== "function")).toEqual([]);
});

test("it is a command with one memory", () => {
  const exports = WebAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`);
  expect(exports.sort()).toEqual(["function _start", "memory memory"]);
});

test("SIMD, but no relaxed SIMD, threads, or second table or memory", () => {
  const text = disassembled("zagreus.wasm");
  expect(text).toContain("i32x4.dot_i16x8_s");
  expect(text).not.toMatch(/relaxed|atomic/);
  expect(text.match(/^ \((table|memory) /gm)!.sort()).toEqual([" (memory ", " (table "]);
  const other = disassembled("zagreus-relaxed-mt.wasm"); // the names would be found
  expect(other).toContain("relaxed");
  expect(other).toContain("atomic");
});

test("it is at most 64 KB gzipped", () => {
  expect(gzipSync(readFileSync(ZAGREUS), { level: 9 }).length).toBeLessThanOrEqual(64 * KIB);
});

test("without a C compiler the build says what to install", () => {
  const { status, stderr } = spawnSync(process.execPath, ["host/build/build.mjs", "wasi"], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, WASI_SDK_PATH: temporary("no-such-sdk") },
  });
  expect(status).toBe(1);
  expect(stderr).toContain("apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32");
  expect(stderr).toContain("WASI_SDK_PATH");
  expect(stderr).not.toContain("    at ");
});
