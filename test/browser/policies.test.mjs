// Pages that may not do everything: a Content-Security-Policy, a service worker; and models that other origins compress.

import { once } from "node:events";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, MODEL, serve } from "./harness.mjs";

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

/** An isolated page with a Content-Security-Policy. */
async function openUnder(policy) {
  const page = await chromium.open(server.url);
  await page.evaluate((content) => {
    const policy = document.createElement("meta");
    Object.assign(policy, { httpEquiv: "Content-Security-Policy", content });
    document.head.append(policy);
  }, policy);
  return page;
}

test("a policy that forbids WebAssembly is an error that names what it lacks", async () => {
  const page = await openUnder("script-src 'self'");
  const [code, message] = await page.evaluate(() =>
    zagreus.load(zagreus.bundledModel, { threads: 1 }).catch(({ code, message }) => [code, message]),
  );
  expect(code).toBe("UNSUPPORTED_RUNTIME");
  expect(message).toContain("'wasm-unsafe-eval'");
  await page.close();
});

test("a policy that forbids workers: one thread, and a line that says so", async () => {
  const page = await openUnder("worker-src 'none'");
  const warnings = [];
  page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
  const [info, code] = await page.evaluate(async () => {
    const model = await zagreus.load(zagreus.bundledModel, { threads: 2 });
    const { threads, build } = model.info;
    const pinned = await zagreus
      .load(zagreus.bundledModel, { build: `${build}-mt`, threads: 2 })
      .catch((error) => error);
    return [{ threads, build }, pinned.code];
  });
  expect(info).toEqual({ threads: 1, build: expect.stringMatching(/^(simd|relaxed)$/) });
  expect(code).toBe("THREAD_FAILED");
  expect(warnings).toEqual([expect.stringMatching(/^zagreus-edge runs on one thread: worker thread 1 failed: ./)]);
  await page.close();
});

test("compressed models of other origins: their length is none, with the cache and without", async () => {
  const other = createServer((_, response) => {
    const body = gzipSync(MODEL, { level: 1 });
    response.writeHead(200, {
      "access-control-allow-origin": "*",
      "cross-origin-resource-policy": "cross-origin",
      "content-length": body.length,
      "content-encoding": "gzip",
    });
    response.end(body);
  }).listen(0, "127.0.0.1");
  await once(other, "listening");
  const page = await chromium.open(server.url);
  for (const cache of [false, true]) {
    const url = `http://127.0.0.1:${other.address().port}/${cache}.gguf`;
    const beyond = await page.evaluate(
      async ({ url, cache }) => {
        let beyond = false;
        const onProgress = ({ loadedBytes, totalBytes }) => {
          beyond ||= loadedBytes > totalBytes;
        };
        (await zagreus.load(url, { offload: true, cache, onProgress })).close();
        return beyond;
      },
      { url, cache },
    );
    expect(beyond).toBe(false);
  }
  await page.close();
  other.close();
});

test("an isolated service worker runs on one thread", async () => {
  const page = await chromium.open(server.url);
  const [threads, text] = await page.evaluate(async () => {
    await navigator.serviceWorker.register("/test/browser/service_worker.mjs", { type: "module" });
    const { active, installing, waiting } = await navigator.serviceWorker.getRegistration("/test/browser/");
    return new Promise((resolve) => {
      navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
      (active ?? waiting ?? installing).postMessage("/host/models/zagreus-nano-Q8_0.gguf");
    });
  });
  expect(threads).toBe(1);
  expect(text).not.toBe("");
  await page.close();
});
