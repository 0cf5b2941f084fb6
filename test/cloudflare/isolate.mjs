// What a Worker that has loaded a model takes of its isolate. On Cloudflare it has 128 MB for WebAssembly and JavaScript together; workerd
// here sets no limit. So both are counted: linear memory by the plan, modules by their files, and all that V8 has for JavaScript, garbage
// included. Cold starts are measured along.

import { readdirSync, statSync } from "node:fs";
import { WebSocket } from "ws";
import { here, workerd } from "./workerd.mjs";

export const ISOLATE_BYTES = 128e6;

/** The Worker of memory_worker.mjs, which loads what a request names. */
export const memoryWorker = () => workerd("memory_worker.mjs", { inspectorPort: 0 });

/** What the isolate of a Worker has for JavaScript, by V8's inspector. */
export async function javascript({ miniflare }, name = "") {
  const { host } = await miniflare.getInspectorURL(name || undefined);
  const socket = new WebSocket(`ws://${host}/core:user:${name}`);
  const usage = await new Promise((resolve, reject) => {
    socket.once("error", reject).on("message", (data) => {
      const { id, result } = JSON.parse(String(data));
      if (id === 1) resolve(result);
    });
    socket.once("open", () => socket.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" })));
  });
  socket.close();
  return usage.totalSize + usage.embedderHeapUsedSize + usage.backingStorageSize;
}

/** Bytes of the modules that a Worker imports; machine code is lazy, and takes some times more. */
export function modules() {
  const files = readdirSync(here("../../dist")).filter((file) =>
    /^(zagreus-(simd|relaxed)|probe-\w+)\.wasm$/.test(file),
  );
  if (files.length !== 4) throw new Error(`the modules of a Worker are ${files}`);
  return files.reduce((sum, file) => sum + statSync(here(`../../dist/${file}`)).size, 0);
}

async function timed(worker, path) {
  const begun = performance.now();
  const answer = await worker.json(path);
  return { ...answer, ms: Math.round(performance.now() - begun) };
}

/**
 * A first request, which loads, and a second one; what the isolate has then.
 * @throws Error where the model is refused, or the second answer is another
 */
export async function measure(worker, key, context) {
  const cold = await timed(worker, `/${key}?context=${context}`);
  if (cold.code) throw new Error(`${cold.code}: ${cold.message}`);
  const warm = await timed(worker, `/${key}?context=${context}`);
  if (warm.text !== cold.text) throw new Error(`says "${cold.text}", then "${warm.text}"`);
  const bytes = { wasm: cold.plan.memory, modules: modules(), javascript: await javascript(worker) };
  const total = bytes.wasm + bytes.modules + bytes.javascript;
  console.log(JSON.stringify({ key, build: cold.build, coldMs: cold.ms, warmMs: warm.ms, ...bytes, total }));
  return { ...bytes, total, text: cold.text };
}
