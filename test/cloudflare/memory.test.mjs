// An isolate on Cloudflare has 128 MB for WebAssembly and JavaScript together; workerd here sets no limit. So both are counted: linear
// memory by the plan, modules by their files, and all that V8 has for JavaScript, garbage included. Cold starts are measured along.

import { randomUUID } from "node:crypto";
import { openAsBlob, readdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { writeFullsize } from "../support/models/fullsize.mjs";
import { here, workerd } from "./workerd.mjs";

const ISOLATE_BYTES = 128e6;

let worker;
afterEach(() => worker?.dispose());

const start = async () => {
  worker = await workerd("memory_worker.mjs", { inspectorPort: 0 });
};

/** A file of the true vocabulary and some layers of the 0.4B model, cut off after `most` bytes. */
async function put(key, layers, most = Number.POSITIVE_INFINITY) {
  const out = join(tmpdir(), `zagreus-${randomUUID()}.gguf`);
  const size = writeFullsize({ type: "q4_0", out, layers });
  const file = (await openAsBlob(out)).slice(0, Math.min(size, most));
  await worker.bucket.put(key, new Uint8Array(await file.arrayBuffer()));
  await rm(out);
}

/** What the isolate of the Worker has for JavaScript, by V8's inspector. */
async function javascript() {
  const { host } = await worker.miniflare.getInspectorURL();
  const socket = new WebSocket(`ws://${host}/core:user:`);
  const usage = await new Promise((resolve, reject) => {
    socket.once("error", reject).once("message", (data) => resolve(JSON.parse(String(data)).result));
    socket.once("open", () => socket.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" })));
  });
  socket.close();
  return usage.totalSize + usage.embedderHeapUsedSize + usage.backingStorageSize;
}

/** Bytes of the modules that a Worker imports; machine code is lazy, and takes some times more. */
function modules() {
  const files = readdirSync(here("../../dist")).filter((file) =>
    /^(zagreus-(simd|relaxed)|probe-\w+)\.wasm$/.test(file),
  );
  expect(files).toHaveLength(4);
  return files.reduce((sum, file) => sum + statSync(here(`../../dist/${file}`)).size, 0);
}

async function timed(path) {
  const begun = performance.now();
  const answer = await worker.json(path);
  return { ...answer, ms: Math.round(performance.now() - begun) };
}

/** A first request, which loads, and a second one; what the isolate has then. */
async function measure(key, context) {
  const cold = await timed(`/${key}?context=${context}`);
  expect(cold.code, cold.message).toBeUndefined();
  const warm = await timed(`/${key}?context=${context}`);
  expect(warm.text).toBe(cold.text);
  const bytes = { wasm: cold.plan.memory, modules: modules(), javascript: await javascript() };
  const total = bytes.wasm + bytes.modules + bytes.javascript;
  console.log(JSON.stringify({ key, build: cold.build, coldMs: cold.ms, warmMs: warm.ms, ...bytes, total }));
  return { ...bytes, total };
}

test("zagreus-nano takes a fraction of an isolate", async () => {
  await start();
  const { total, javascript } = await measure("nano.gguf", 512);
  expect(javascript).toBeLessThan(16e6);
  expect(total).toBeLessThan(ISOLATE_BYTES / 4);
});

test("a model that fills the budget fits into an isolate", async () => {
  await start();
  await put("filling.gguf", 3);
  const { total, wasm, javascript } = await measure("filling.gguf", 1024);
  expect(wasm).toBeGreaterThan(100e6);
  expect(javascript).toBeLessThan(10e6);
  expect(total).toBeLessThan(ISOLATE_BYTES);
});

test("a model that does not fit is refused when its header has come", async () => {
  await start();
  await put("large.gguf", 32, 20e6);
  expect(await worker.json("/large.gguf?context=1024")).toEqual({
    code: "OVER_BUDGET",
    message: expect.stringMatching(/^needs \d+,\d+,\d+ bytes, the memory budget is \d+,\d+,\d+$/),
  });
});
