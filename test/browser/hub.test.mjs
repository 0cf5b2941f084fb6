// Models of the hub in the origin private file system.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { checkpointFiles, startHub } from "../support/hub_server";
import { browser, serve } from "./harness.mjs";

const isWeights = ({ host }) => host === "cdn";

let chromium;
let server;
let hub;
beforeAll(async () => {
  chromium = await browser();
});
afterAll(() => chromium?.close());
beforeEach(async () => {
  hub = await startHub([{ name: "mii-llm/nesso-0.4B-instruct", commit: "e".repeat(40), files: checkpointFiles() }]);
  server = await serve();
});
afterEach(async () => {
  server.close();
  await hub.close();
});

/** Loads on a page by the short name: an answer, and what was told on the way. */
const load = (page, options = {}) =>
  page.evaluate(
    async ({ hub, options }) => {
      const phases = new Set();
      const onProgress = ({ phase, loadedBytes }) => {
        phases.add(phase);
        if (phase === "download") globalThis.loaded = loadedBytes;
      };
      try {
        const model = await zagreus.load("nesso-instruct", { offload: true, hub, onProgress, ...options });
        const text = await model.chat([{ role: "user", content: "Ciao" }], { maxTokens: 8, temperature: 0 }).text();
        const { name, quantization } = model.info;
        model.close();
        return { text, name, quantization, phases: [...phases].filter((phase) => phase !== "header") };
      } catch (error) {
        return { code: error.code, message: error.message };
      }
    },
    { hub: hub.endpoint, options },
  );

test("safetensors become a file in OPFS, once; a tab that is closed in the middle is gone on from", async () => {
  hub.misbehave = (request) => (isWeights(request) ? { slow: 2 } : undefined);
  const first = await chromium.open(server.url);
  load(first).catch(() => {}); // its page is closed
  await first.waitForFunction(() => globalThis.loaded > 1_000_000);
  await first.close();

  hub.misbehave = () => undefined;
  hub.requests.length = 0;
  const page = await chromium.open(server.url);
  const made = await load(page);
  expect(made).toMatchObject({ name: "nesso-0.4B-instruct", quantization: "Q4_0" });
  expect(made.phases).toEqual(["download", "quantize", "weights"]);
  expect(made.text.length).toBeGreaterThan(3);
  expect(hub.requests.find(isWeights).headers.range).toMatch(/^bytes=[1-9]\d+-$/);

  hub.requests.length = 0;
  expect(await load(page)).toEqual({ ...made, phases: ["weights"] });
  expect(await load(page, { offload: false })).toEqual({ ...made, phases: ["weights"] });
  expect(hub.requests.filter(isWeights)).toEqual([]);
  const kept = await page.evaluate(async () => {
    const sizes = [];
    const walk = async (folder) => {
      for await (const entry of folder.values()) {
        if (entry.kind === "directory") await walk(entry);
        else if (/\.(gguf|safetensors|part|incomplete)$|^[0-9a-f]{64}$/.test(entry.name)) sizes.push(entry.name);
      }
    };
    await walk(await navigator.storage.getDirectory());
    return sizes;
  });
  expect(kept).toEqual(["nesso-0.4B-instruct-Q4_0.gguf"]);

  const cached = await page.evaluate(() => zagreus.cachedModels());
  expect(cached).toEqual([
    { url: "hf:mii-llm/nesso-0.4B-instruct", bytes: expect.any(Number), totalBytes: cached[0].bytes, complete: true },
  ]);
  expect(cached[0].bytes).toBeGreaterThan(2_000_000);
  await page.evaluate(() => zagreus.removeCachedModel("nesso-instruct"));
  await page.evaluate(() => zagreus.removeCachedModel("hf:mii-llm/nesso-0.4B-instruct")); // it is gone
  expect(await page.evaluate(() => zagreus.cachedModels())).toEqual([]);
});

test("what goes wrong has its code", async () => {
  const page = await chromium.open(server.url);
  const code = (source, options = {}) =>
    page.evaluate(
      ([source, options]) => codeOf(() => zagreus.load(source, { offload: true, ...options })),
      [source, { hub: hub.endpoint, ...options }],
    );
  expect(await code("hf:mii-llm/none")).toBe("HUB_DENIED");
  expect(await page.evaluate(() => codeOf(() => zagreus.removeCachedModel("hf:x")))).toBe("INVALID_OPTION");
  expect(await code("hf:x")).toBe("INVALID_OPTION");
  expect(await code("nesso-instruct", { quantize: { calibrate: true } })).toBe("INVALID_OPTION");
  expect(await code("nesso-instruct", { hub: "http://" })).toBe("INVALID_OPTION");
  hub.misbehave = (request) => (isWeights(request) ? { flip: 5000 } : undefined);
  expect(await code("nesso-instruct", { quantize: { type: "q8_0" } })).toBe("BAD_CHECKSUM");
});
