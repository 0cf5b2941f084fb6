// dist/wasi/zagreus.wasm and the Node command side by side.

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { runCommand } from "./run.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const ZAGREUS = join(ROOT, "dist/wasi/zagreus.wasm");
export const MODELS = {
  Q8_0: "host/models/zagreus-nano-Q8_0.gguf",
  Q4_0: "test/fixtures/models/zagreus-nano-Q4_0.gguf",
  F16: "test/fixtures/models/zagreus-nano-F16.gguf",
};
export const MODEL = MODELS.Q8_0;

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}
export interface Run {
  /** What the guest sees as ".", the project by default. */
  directory?: string;
  input?: string | Uint8Array;
  module?: WebAssembly.Module;
}

const scratch = mkdtempSync(join(tmpdir(), "zagreus-wasi-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));
/** Path of a temporary file. */
export const temporary = (name: string) => join(scratch, name);

const zagreus = new WebAssembly.Module(readFileSync(ZAGREUS));

/** Runs the module in node:wasi, in this process. */
export function wasi(args: readonly string[], { directory = ROOT, input = "", module = zagreus }: Run = {}): Result {
  writeFileSync(temporary("stdin"), input);
  const streams = {
    stdin: openSync(temporary("stdin"), "r"),
    stdout: openSync(temporary("stdout"), "w"),
    stderr: openSync(temporary("stderr"), "w"),
  };
  try {
    const code = runCommand(module, directory, args, streams);
    return {
      code,
      stdout: readFileSync(temporary("stdout"), "utf8"),
      stderr: readFileSync(temporary("stderr"), "utf8"),
    };
  } finally {
    Object.values(streams).forEach(closeSync);
  }
}

function spawned(script: string, args: readonly string[], { directory = ROOT, input = "" }: Run): Result {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [join(ROOT, script), ...args], {
    cwd: directory,
    input,
    maxBuffer: 1e8,
  });
  if (error) throw error;
  return { code: status, stdout: String(stdout), stderr: String(stderr) };
}

/** Runs the Node command on the build that the module contains. */
export function node(args: readonly string[], run: Run = {}): Result {
  const [command = "", ...rest] = args;
  const build = command in NODE_ONLY ? NODE_ONLY[command as keyof typeof NODE_ONLY] : [];
  return spawned("dist/cli.js", [command, ...build, ...rest], run);
}
const SIMD = ["--build", "simd"];
const NODE_ONLY = { complete: SIMD, tokenize: SIMD, logits: SIMD };

/** Runs the module in Wasmtime. */
export function wasmtime(args: readonly string[], run: Run = {}): Result {
  return spawned("test/wasi/wasmtime.mjs", ["run", "--dir", ".", ZAGREUS, ...args], run);
}

/** The one JSON object of a command that must succeed. */
export function json({ code, stdout, stderr }: Result) {
  if (code !== 0 || stderr !== "" || !stdout.endsWith("}\n")) {
    throw new Error(`exit code ${code}, ${JSON.stringify({ stdout: stdout.slice(-200), stderr })}`);
  }
  return JSON.parse(stdout);
}
