// The built `zagreus` command as a process.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

export const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** It finds no prompts of others, and leaves none. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const assets = join(tmpdir(), `zagreus-assets-${randomUUID()}`);
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, HF_ASSETS_CACHE: assets, ...env },
  });
  child.once("exit", () => rmSync(assets, { recursive: true, force: true }));
  return child;
}

export async function finish(child: ChildProcess): Promise<Result> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

/** Runs the built command with `input` on standard input. */
export function zagreus(args: readonly string[], input: string | Uint8Array = ""): Promise<Result> {
  const child = start(args);
  child.stdin?.on("error", () => {}); // commands that fail early do not read it
  child.stdin?.end(input);
  return finish(child);
}

/** The one JSON object of a command that must succeed. */
export async function json(args: readonly string[], input?: string | Uint8Array) {
  const { code, stdout, stderr } = await zagreus([...args, "--json"], input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.endsWith("}\n")).toBe(true);
  return JSON.parse(stdout);
}
