// Pages whose origin or policy takes things away: sandboxes, a strict Content-Security-Policy, no private file system, no room.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { checkpointFiles, startHub } from "../support/hub_server";
import { browser, ROOT, serve, TYPES } from "./harness.mjs";

let chromium;
let hub;
beforeAll(async () => {
  chromium = await browser();
});
afterAll(() => chromium?.close());
beforeEach(async () => {
  hub = await startHub([{ name: "mii-llm/nesso-0.4B-instruct", commit: "e".repeat(40), files: checkpointFiles() }]);
});
afterEach(() => hub.close());

/** In a page or a frame: how a model is run and what it says, or the error. */
const use = (frame, options = {}, source = undefined) =>
  frame.evaluate(
    async ([source, options]) => {
      try {
        const model = await zagreus.load(source ?? zagreus.bundledModel, options);
        const { build, threads } = model.info;
        const text = await model.complete("C'era", { maxTokens: 3 }).text();
        model.close();
        return { build, threads, text };
      } catch (error) {
        return { name: error.name, code: error.code, message: error.message };
      }
    },
    [source, options],
  );

const refused = (code, message) => ({ name: "ZagreusError", code, message: expect.stringMatching(message) });

test("a sandboxed frame, which has no origin: the model runs, and what needs an origin says so", async () => {
  const shared = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("content-type", TYPES[extname(pathname)] ?? "application/octet-stream");
    response.end(readFileSync(ROOT + pathname));
  }).listen(0, "127.0.0.1");
  await once(shared, "listening");
  const origin = `http://127.0.0.1:${shared.address().port}`;
  const document = `<script type='module' src='${origin}/test/browser/page.mjs'></script>`;
  const server = await serve({ html: `<!doctype html><iframe sandbox="allow-scripts" srcdoc="${document}"></iframe>` });
  const page = await chromium.open(server.url);
  const frame = page.frames()[1];
  await frame.waitForFunction(() => globalThis.zagreus);
  expect(await frame.evaluate(() => origin)).toBe("null");
  expect(await use(frame)).toMatchObject({ threads: 1, text: expect.any(String) });
  expect(await use(frame, { offload: true })).toMatchObject({ threads: 1, text: expect.any(String) });
  const url = `${origin}/host/models/zagreus-nano-Q8_0.gguf`;
  const none = refused("UNSUPPORTED_RUNTIME", /^there is no private file system here/);
  expect(await use(frame, { offload: true, cache: true }, url)).toEqual(none);
  expect(await use(frame, { offload: true, hub: hub.endpoint }, "nesso-instruct")).toEqual(none);
  expect(await frame.evaluate(() => codeOf(() => zagreus.cachedModels()))).toBe("UNSUPPORTED_RUNTIME");
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
  shared.closeAllConnections();
  shared.close();
});

test("a strict policy without blob: threads, offload, the cache and the hub", async () => {
  const directives = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    `connect-src 'self' ${hub.endpoint} ${hub.cdn}`,
  ];
  const policy = `<meta http-equiv="Content-Security-Policy" content="${directives.join("; ")}">`;
  const html = `<!doctype html>${policy}<script type="module" src="/test/browser/page.mjs"></script>`;
  const server = await serve({ isolated: true, html });
  const page = await chromium.open(server.url);
  const threaded = { build: expect.stringMatching(/-mt$/), threads: 2, text: expect.any(String) };
  expect(await use(page, { threads: 2 })).toEqual(threaded);
  expect(await use(page, { threads: 2, offload: true })).toEqual(threaded);
  expect(await use(page, { threads: 2, offload: true, cache: true }, "/model.gguf")).toEqual(threaded);
  expect(await use(page, { offload: true, hub: hub.endpoint }, "nesso-instruct")).toMatchObject({
    text: expect.any(String),
  });
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
});

test("a private window that refuses its files", async () => {
  const server = await serve();
  const page = await chromium.open(server.url);
  const [code, message] = await page.evaluate(async () => {
    navigator.storage.getDirectory = async () => {
      throw new DOMException("Security error when calling GetDirectory", "SecurityError");
    };
    return zagreus.cachedModels().catch(({ code, message }) => [code, message]);
  });
  expect(code).toBe("UNSUPPORTED_RUNTIME");
  expect(message).toContain("Security error");
  expect(await use(page, { hub: hub.endpoint }, "nesso-instruct")).toEqual(
    refused("UNSUPPORTED_RUNTIME", /Security error/),
  );
  await page.close();
  await server.close();
});

test("no room for a model of the hub, before and in the middle; then there is", async () => {
  const server = await serve();
  const page = await chromium.open(server.url);
  const session = await page.context().newCDPSession(page);
  const quota = (size) =>
    session.send("Storage.overrideQuotaForOrigin", { origin: server.url, ...(size && { quotaSize: size }) });
  const load = () => use(page, { offload: true, hub: hub.endpoint }, "nesso-instruct");
  await quota(1_000_000);
  expect(await load()).toEqual(refused("DISK_FULL", /./));
  await quota();
  hub.misbehave = ({ host }) => (host === "cdn" ? { slow: 4 } : undefined);
  const loading = load();
  await expect.poll(() => hub.requests.some(({ host }) => host === "cdn"), { timeout: 20_000 }).toBe(true);
  await quota(2_000_000);
  expect(await loading).toEqual(refused("DISK_FULL", /./));
  hub.misbehave = () => undefined;
  await quota();
  expect(await load()).toMatchObject({ text: expect.any(String) });
  await page.close();
  await server.close();
});

test.each([
  ["ignores ranges", { cut: 1_500_000 }, { ignoreRange: true }],
  ["gives 200 with the rest", { cut: 1_500_000 }, { rest: true }],
  ["says no lengths", { cut: 1_500_000 }, { chunked: true }],
  ["compresses", { gzip: true }, { gzip: true }],
])("a mirror of the hub that %s: the download comes to its end", async (_, first, then) => {
  const server = await serve();
  const page = await chromium.open(server.url);
  let answers = 0;
  hub.misbehave = ({ host }) => (host !== "cdn" ? undefined : ++answers === 1 ? first : then);
  const options = { offload: true, hub: hub.endpoint, quantize: { type: "q8_0" } };
  expect(await use(page, options, "nesso-instruct")).toMatchObject({ text: expect.any(String) });
  expect(answers).toBe(first.cut ? 2 : 1);
  await page.close();
  await server.close();
});
