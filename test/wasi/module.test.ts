// The module itself: what it needs from an engine.

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { contractHeader, FUNCTIONS } from "../../host/wasi/contract/contract";
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

test("it is a command with one memory, and what the header says", () => {
  const exports = WebAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`);
  const functions = FUNCTIONS.map((name) => `function ${name}`);
  expect(exports.sort()).toEqual(["function _start", "memory memory", ...functions].sort());
  expect(functions.length).toBeGreaterThan(30);
  expect(readFileSync(join(ROOT, "dist/wasi/zagreus_abi.h"), "utf8")).toBe(contractHeader());
});

test("SIMD, but no relaxed SIMD, threads, or second table or memory", () => {
  const text = disassembled("wasi/zagreus.wasm");
  expect(text).toContain("i32x4.dot_i16x8_s");
  expect(text).not.toMatch(/relaxed|atomic/);
  expect(text.match(/^ \((table|memory) /gm)!.sort()).toEqual([" (memory ", " (table "]);
  const other = disassembled("zagreus-relaxed-mt.wasm"); // the names would be found
  expect(other).toContain("relaxed");
  expect(other).toContain("atomic");
  expect(disassembled("wasi/zagreus-relaxed.wasm")).toContain("relaxed_dot");
});

test.each([
  ["zagreus.wasm", 75], // 7.8 is grammars, 2.5 the chat, 1.8 the int4 cache
  ["zagreus-relaxed.wasm", 79], // its core is 4 KiB larger
])("%s is at most %i KiB gzipped", (name, kib) => {
  const bytes = gzipSync(readFileSync(join(ROOT, "dist/wasi", name)), { level: 9 }).length;
  console.log(`${name}: ${bytes.toLocaleString("en")} of ${(kib * KIB).toLocaleString("en")} bytes gzipped`);
  expect(bytes).toBeLessThanOrEqual(kib * KIB);
});

test("the package has all of it, with hashes", () => {
  const arguments_ = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const [{ files }] = JSON.parse(execFileSync("npm", arguments_, { cwd: ROOT, encoding: "utf8" }));
  const packed = files.map(({ path }: { path: string }) => path);
  const sums = readFileSync(join(ROOT, "dist/wasi/SHA256SUMS"), "utf8");
  const named = [...sums.matchAll(/^(\w{64}) {2}(\S+)$/gm)].map(([, sum, name]) => [name!, sum!] as const);
  expect(named.map(([name]) => name)).toEqual(["zagreus.wasm", "zagreus-relaxed.wasm", "zagreus_abi.h"]);
  for (const [name, sum] of named) {
    expect(packed).toContain(`dist/wasi/${name}`);
    const file = createRequire(join(ROOT, "package.json")).resolve(`zagreus-edge/wasi/${name}`);
    expect(createHash("sha256").update(readFileSync(file)).digest("hex")).toBe(sum);
  }
  expect(packed).toContain("dist/wasi/SHA256SUMS");
  expect(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts.prepack).toContain("build:wasi");
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
