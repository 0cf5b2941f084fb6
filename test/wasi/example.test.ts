// examples/wasi starts with the commands that its README says.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { json, MODEL, node, ROOT, temporary } from "./harness";

const README = readFileSync(join(ROOT, "examples/wasi/README.md"), "utf8");
const COMMANDS = /```sh\n([\s\S]*?)\n```/.exec(README)![1]!.split("\n");

/** A folder with `wasmtime` in it. */
function wasmtimeFolder(): string {
  const folder = temporary("bin");
  mkdirSync(folder);
  const file = join(folder, "wasmtime");
  writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "test/wasi/wasmtime.mjs")}" "$@"\n`);
  chmodSync(file, 0o755);
  return folder;
}

test("two commands, and a text", () => {
  expect(COMMANDS).toHaveLength(2);
  const env = { ...process.env, PATH: `${wasmtimeFolder()}:${process.env.PATH}` };
  const results = COMMANDS.map((command) => spawnSync(command, { cwd: ROOT, shell: true, env, encoding: "utf8" }));
  expect(results.map(({ status }) => status)).toEqual([0, 0]);
  const { text } = json(node(["complete", "C'era una volta", "-n", "40", "--temp", "0", "-m", MODEL, "--json"]));
  expect(results[1]!.stdout).toBe(`${text}\n`);
});
