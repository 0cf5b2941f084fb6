// Models in an isolate's memory (isolate.mjs).

import { randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFullsize } from "../support/models/fullsize.mjs";
import { ISOLATE_BYTES, measure, memoryWorker } from "./isolate.mjs";

let worker;
beforeEach(async () => {
  worker = await memoryWorker();
});
afterEach(() => worker?.dispose());

/** A file of the true vocabulary and some layers of the 0.4B model, cut off after `most` bytes. */
async function put(key, layers, most = Number.POSITIVE_INFINITY) {
  const out = join(tmpdir(), `zagreus-${randomUUID()}.gguf`);
  const size = writeFullsize({ type: "q4_0", out, layers });
  const file = (await openAsBlob(out)).slice(0, Math.min(size, most));
  await worker.bucket.put(key, new Uint8Array(await file.arrayBuffer()));
  await rm(out);
}

test("zagreus-nano takes a fraction of an isolate", async () => {
  const { total, javascript } = await measure(worker, "nano.gguf", 512);
  expect(javascript).toBeLessThan(16e6);
  expect(total).toBeLessThan(ISOLATE_BYTES / 4);
});

test("a model that fills the budget fits into an isolate", async () => {
  await put("filling.gguf", 3);
  const { total, wasm, javascript } = await measure(worker, "filling.gguf", 1024);
  expect(wasm).toBeGreaterThan(100e6);
  expect(javascript).toBeLessThan(10e6);
  expect(total).toBeLessThan(ISOLATE_BYTES);
});

test("a model that does not fit is refused when its header has come", async () => {
  await put("large.gguf", 32, 20e6);
  expect(await worker.json("/large.gguf?context=1024")).toEqual({
    code: "OVER_BUDGET",
    message: expect.stringMatching(/^needs \d+,\d+,\d+ bytes, the memory budget is \d+,\d+,\d+$/),
  });
});
