// Models in the origin private file system.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { browser, MODEL, serve } from "./harness.mjs";

const PART = 2_500_000;

let chromium;
let server;
beforeAll(async () => {
  chromium = await browser();
});
afterAll(() => chromium?.close());
beforeEach(async () => {
  server = await serve({ model: { etag: '"1"' } });
});
afterEach(() => server.close());

const open = () => chromium.open(server.url);

/** Loads on a page through the cache: first word of an error, or a text; and where the download began. */
const load = (page, options = {}) =>
  page.evaluate(async (options) => {
    let from;
    globalThis.loaded = 0;
    const onProgress = ({ phase, loadedBytes }) => {
      if (phase !== "download") return;
      from ??= loadedBytes;
      globalThis.loaded = loadedBytes;
    };
    try {
      const model = await zagreus.load("/model.gguf", { offload: true, cache: true, onProgress, ...options });
      const text = await model.complete("C'era una volta", { maxTokens: 5, temperature: 0 }).text();
      model.close();
      return { text, from };
    } catch (error) {
      return { code: error.code, message: error.message, from };
    }
  }, options);

const cached = (page) => page.evaluate(() => zagreus.cachedModels());

/** A tab that has downloaded PART of the model and is still waiting for more. */
async function interrupted() {
  server.model.stallAt = PART;
  const page = await open();
  load(page).catch(() => {}); // the page is closed before that ends
  await page.waitForFunction((part) => globalThis.loaded === part, PART);
  server.model.stallAt = undefined;
  return page;
}

test("a model is downloaded once", async () => {
  const page = await open();
  const first = await load(page);
  expect(first).toMatchObject({ text: expect.any(String), from: 0 });
  expect(await cached(page)).toEqual([
    { url: `${server.url}/model.gguf`, bytes: MODEL.length, totalBytes: MODEL.length, complete: true },
  ]);
  server.model.status = 503;
  expect(await load(page)).toEqual({ text: first.text });
  expect(server.requests).toEqual(["all"]);

  await page.evaluate(() => zagreus.removeCachedModel("/model.gguf"));
  expect(await cached(page)).toEqual([]);
  expect(await load(page)).toMatchObject({ code: "SOURCE_FAILED" });
  await page.close();
});

test("a tab that was closed while it downloaded is taken up by the next one", async () => {
  await (await interrupted()).close();
  const page = await open();
  expect(await cached(page)).toMatchObject([{ bytes: PART, totalBytes: MODEL.length, complete: false }]);
  expect(await load(page)).toMatchObject({ text: expect.any(String), from: PART });
  expect(server.requests).toEqual(["all", `bytes=${PART}-`]);
  await page.close();
});

test("so is a browser", async () => {
  await interrupted();
  await chromium.restart();
  const page = await open();
  expect(await load(page)).toMatchObject({ text: expect.any(String), from: PART });
  expect(server.requests).toEqual(["all", `bytes=${PART}-`]);
  await page.close();
});

test("a network that is cut is an error; the next load goes on", async () => {
  const page = await open();
  server.model.cutAt = PART;
  expect(await load(page)).toMatchObject({ code: "SOURCE_FAILED", from: 0 });
  server.model.cutAt = undefined;
  expect(await load(page)).toMatchObject({ text: expect.any(String), from: PART });
  await page.close();
});

test("an abort leaves what has come", async () => {
  const page = await open();
  server.model.stallAt = PART;
  const code = await page.evaluate(async (part) => {
    const controller = new AbortController();
    const onProgress = ({ loadedBytes }) => loadedBytes === part && controller.abort();
    const options = { offload: true, cache: true, signal: controller.signal, onProgress };
    return codeOf(() => zagreus.load("/model.gguf", options));
  }, PART);
  expect(code).toBe("ABORTED");
  server.model.stallAt = undefined;
  expect(await load(page)).toMatchObject({ text: expect.any(String), from: PART });
  await page.close();
});

test("a download begins anew when the file has changed, has no version, or cannot be had in parts", async () => {
  for (const change of [{ etag: '"2"' }, { ranges: false }]) {
    await (await interrupted()).close();
    Object.assign(server.model, change);
    const page = await open();
    expect(await load(page)).toMatchObject({ text: expect.any(String), from: 0 });
    await page.evaluate(() => zagreus.removeCachedModel("/model.gguf"));
    await page.close();
  }
  server.model.etag = undefined;
  await (await interrupted()).close();
  const page = await open();
  server.requests.length = 0;
  expect(await load(page)).toMatchObject({ text: expect.any(String), from: 0 });
  expect(server.requests).toEqual(["all"]);
  await page.close();
});

test("a mirror that sends the rest as if it were all, or all as if it were the rest, is found out", async () => {
  for (const change of [{ restAs200: true }, { allAs206: true }]) {
    await (await interrupted()).close();
    Object.assign(server.model, change);
    const page = await open();
    server.requests.length = 0;
    expect(await load(page)).toMatchObject({ text: expect.any(String), from: 0 });
    expect(server.requests).toEqual([`bytes=${PART}-`, "all"]);
    await page.evaluate(() => zagreus.removeCachedModel("/model.gguf"));
    await page.close();
    Object.assign(server.model, { restAs200: undefined, allAs206: undefined });
  }
});

test("what ended early without anybody saying so is downloaded again", async () => {
  const page = await open();
  server.model.unsized = PART;
  expect(await load(page)).toMatchObject({ code: "TRUNCATED" });
  server.model.unsized = undefined;
  expect(await load(page)).toMatchObject({ text: expect.any(String), from: 0 });
  await page.close();
});

test("two tabs share one download", async () => {
  const pages = await Promise.all([open(), open()]);
  const [one, two] = await Promise.all(pages.map((page) => load(page)));
  expect(one.text).toBe(two.text);
  expect(server.requests).toEqual(["all"]);
  for (const page of pages) await page.close();
});

test("no room is an error with its own code", async () => {
  const page = await open();
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: 1_000_000 });
  expect(await load(page)).toMatchObject({ code: "DISK_FULL" });
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.url });
  expect(await load(page)).toMatchObject({ text: expect.any(String) });
  await page.close();
});

test("on a page without a worker the cache says what it needs", async () => {
  const page = await open();
  expect(await load(page, { offload: false })).toMatchObject({
    code: "UNSUPPORTED_RUNTIME",
    message: "the cache can be written in workers only; on a page, load with offload: true",
  });
  await page.close();
});
