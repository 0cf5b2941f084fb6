// Whatever pages and service workers pass, what is thrown is a ZagreusError.

import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, serve } from "./harness.mjs";

let chromium;
let server;
beforeAll(async () => {
  chromium = await browser();
  server = await serve({ isolated: true });
});
afterAll(async () => {
  await chromium?.close();
  await server?.close();
});

test.each([
  ["on a page", {}],
  ["offloaded", { offload: true }],
])("%s", async (_, options) => {
  const page = await chromium.open(server.url);
  const found = await page.evaluate(async (options) => {
    const load = (source, given = {}) => zagreus.load(source, { threads: 1, ...options, ...given });
    const entry = options.offload ? { ...zagreus, load } : zagreus;
    return offencesOfEntry(entry, zagreus.bundledModel, { removeCachedModel: "/none.gguf" });
  }, options);
  expect(found).toEqual([]);
  expect(page.errors).toEqual([]);
  await page.close();
});

test("in a service worker", async () => {
  const page = await chromium.open(server.url);
  const found = await page.evaluate(async () => {
    await navigator.serviceWorker.register("/test/junk/service_worker.mjs", { type: "module" });
    const { active, installing, waiting } = await navigator.serviceWorker.getRegistration("/test/junk/");
    return new Promise((resolve) => {
      navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
      (active ?? waiting ?? installing).postMessage("/host/models/zagreus-nano-Q8_0.gguf");
    });
  });
  expect(found).toEqual([]);
  await page.close();
});

test("the bundled model's entry point is an address, whose file is a model", async () => {
  const page = await chromium.open(server.url);
  const script = `import { bundledModel } from "/dist/bundled-model.js";
    globalThis.code = await codeOf(() => zagreus.inspect(bundledModel));`;
  await page.addScriptTag({ type: "module", content: script });
  await page.waitForFunction(() => globalThis.code);
  expect(await page.evaluate(() => globalThis.code)).toBe("no error");
  await page.close();
});
