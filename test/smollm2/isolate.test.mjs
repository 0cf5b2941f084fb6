// SmolLM2 in the 128 MB of a Cloudflare isolate: the file as it is, and as `zagreus quantize` makes it int4.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { ISOLATE_BYTES, measure, memoryWorker } from "../cloudflare/isolate.mjs";
import { CHATS } from "./goldens.mjs";
import { smollm2 } from "./model.mjs";

const folder = mkdtempSync(join(tmpdir(), "zagreus-smollm2-"));
const Q4_0 = join(folder, "smollm2-Q4_0.gguf");

let worker;
let file;
beforeAll(async () => {
  file = await smollm2();
  worker = await memoryWorker();
});
afterAll(async () => {
  await worker?.dispose();
  rmSync(folder, { recursive: true });
});
const put = (key, path) => worker.bucket.put(key, new Uint8Array(readFileSync(path)));

test("Q4_1 fits into an isolate, with a context of 256; with 1,024 it is refused with what it needs", async () => {
  await put("Q4_1.gguf", file);
  const refused = await worker.json("/Q4_1.gguf?context=1024");
  expect(refused).toEqual({
    code: "OVER_BUDGET",
    message: expect.stringContaining("the memory budget is 112,000,000"),
  });
  expect((await measure(worker, "Q4_1.gguf", 256)).total).toBeLessThan(ISOLATE_BYTES);
});

test("quantize makes Q4_0 of it, which still answers", async () => {
  const cli = new URL("../../dist/cli.js", import.meta.url).pathname;
  const args = [cli, "quantize", file, "-t", "q4_0", "--requantize", "-o", Q4_0, "--json"];
  const { bytes, meanSquaredError } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  expect(bytes).toBeLessThan(80e6);
  expect(meanSquaredError).toBeGreaterThan(0);
  expect(meanSquaredError).toBeLessThan(1e-3);
  const model = await load(Q4_0, { contextLength: 512 });
  expect(model.info.quantization).toBe("Q4_0");
  const [{ messages, tokens, greedy }] = CHATS;
  const reply = model.chat(messages, { temperature: 0, maxTokens: 32 });
  console.log(`Q4_0: ${await reply.text()}`);
  expect(reply.usage.promptTokens).toBe(tokens.length);
  expect(reply.tokens[0]).toBe(greedy[0]);
  model.close();
});

test("Q4_0 fits into an isolate, with a context of 1,024", async () => {
  await worker.dispose();
  worker = await memoryWorker();
  await put("Q4_0.gguf", Q4_0);
  const { total, text } = await measure(worker, "Q4_0.gguf", 1024);
  expect(total).toBeLessThan(ISOLATE_BYTES);
  const model = await load(Q4_0, { contextLength: 1024 });
  expect(text).toBe(await model.complete("C'era una volta un re", { maxTokens: 8, temperature: 0 }).text());
  model.close();
});
