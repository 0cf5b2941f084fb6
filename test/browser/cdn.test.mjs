// The package from another origin: the script, its workers and its cores, as CDNs lay them out.

import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { checkpointFiles, startHub } from "../support/hub_server";
import { browser, ROOT, serve, TYPES } from "./harness.mjs";

const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
const CACHED = `/npm/zagreus-edge@${version}/`; // as jsdelivr has it
const BUNDLED = `/zagreus-edge@${version}/es2022/zagreus-edge.mjs`; // as esm.sh has it: without what lies beside it

let rebundled;
let chromium;
let cdn;
beforeAll(async () => {
  const options = { bundle: true, format: "esm", write: false, logLevel: "error" };
  const { outputFiles } = await build({ entryPoints: [`${ROOT}dist/browser.js`], ...options });
  rebundled = outputFiles[0].contents;
  chromium = await browser();
});
afterAll(() => chromium?.close());
beforeEach(async () => {
  cdn = await startCdn();
});
afterEach(() => cdn.close());

/** A CDN on an origin of its own. */
async function startCdn() {
  const cdn = { cors: true, requests: [] };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://cdn");
    cdn.requests.push(pathname);
    if (cdn.cors) response.setHeader("access-control-allow-origin", "*");
    if (pathname.startsWith("/latest/")) {
      return response.writeHead(302, { location: CACHED + pathname.slice("/latest/".length) }).end();
    }
    response.setHeader("content-type", TYPES[extname(pathname)] ?? "application/octet-stream");
    if (pathname === BUNDLED) return response.end(rebundled);
    const file = ROOT + pathname.slice(CACHED.length);
    if (!pathname.startsWith(CACHED) || !existsSync(file)) {
      return response.writeHead(404, { "content-type": "text/html" }).end("<!doctype html>");
    }
    response.end(readFileSync(file));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  cdn.url = `http://127.0.0.1:${server.address().port}`;
  cdn.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return cdn;
}

/** A page of another origin that imports `script`. */
async function open(script, { isolated = false, policy = "" } = {}) {
  const meta = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
  const html = `<!doctype html><title>app</title>${meta}<script type="module">
    import * as zagreus from "${script}";
    globalThis.zagreus = zagreus;
    globalThis.write = async (source, options) => {
      try {
        const model = await zagreus.load(source ?? zagreus.bundledModel, options);
        const { build, threads } = model.info;
        const text = await model.complete("C'era una volta", { maxTokens: 5, temperature: 0 }).text();
        model.close();
        return { build, threads, text };
      } catch (error) {
        return { code: error.code ?? String(error), message: error.message };
      }
    };
  </script>`;
  const server = await serve({ isolated, html });
  const page = await chromium.open(server.url);
  await page.waitForFunction(() => globalThis.write);
  const warnings = [];
  page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
  return {
    server,
    warnings,
    write: (options = {}, source = undefined) =>
      page.evaluate(([source, options]) => globalThis.write(source, options), [source, options]),
    evaluate: (...run) => page.evaluate(...run),
    async close() {
      expect(page.errors).toEqual([]);
      await page.close();
      await server.close();
    },
  };
}

test.each([
  ["jsdelivr's", `${CACHED}dist/browser.js`],
  ["a redirected", "/latest/dist/browser.js"],
])("%s address: threads, offload and the cache", async (_, path) => {
  const page = await open(cdn.url + path, { isolated: true });
  const threaded = { build: expect.stringMatching(/-mt$/), threads: 2, text: expect.stringMatching(/../) };
  expect(await page.write({ threads: 2 })).toEqual(threaded);
  expect(await page.write({ threads: 2, offload: true })).toEqual(threaded);
  const model = "/model.gguf";
  page.server.model.etag = '"1"';
  expect(await page.write({ threads: 2, offload: true, cache: true }, model)).toEqual(threaded);
  page.server.model.status = 503;
  expect(await page.write({ threads: 2, offload: true, cache: true }, model)).toEqual(threaded);
  expect(await page.evaluate(() => zagreus.cachedModels())).toMatchObject([{ complete: true }]);
  expect(page.warnings).toEqual([]);
  await page.close();
});

test("on a page that is not isolated everything runs on one thread", async () => {
  const page = await open(`${cdn.url}${CACHED}dist/browser.js`);
  const single = { build: expect.stringMatching(/^(simd|relaxed)$/), threads: 1, text: expect.stringMatching(/../) };
  expect(await page.write()).toEqual(single);
  expect(await page.write({ offload: true })).toEqual(single);
  await page.close();
});

test("models of the hub", async () => {
  const hub = await startHub([
    { name: "mii-llm/nesso-0.4B-instruct", commit: "e".repeat(40), files: checkpointFiles() },
  ]);
  const page = await open(`${cdn.url}${CACHED}dist/browser.js`);
  const options = { offload: true, hub: hub.endpoint };
  expect(await page.write(options, "nesso-instruct")).toMatchObject({ text: expect.any(String) });
  const all = `${cdn.url}${CACHED}dist`;
  const bundled = await open(cdn.url + BUNDLED);
  expect(await bundled.write({ ...options, assets: all }, "nesso-instruct")).toMatchObject({
    text: expect.any(String),
  });
  const hubAssets = { hub: `${all}/browser-hub.js`, quantizer: `${all}/zagreus-quantizer.wasm` };
  const core = `${all}/zagreus-simd.wasm`;
  const assets = { core, worker: `${all}/browser-worker.js`, ...hubAssets };
  expect(await bundled.write({ ...options, assets }, "nesso-instruct")).toMatchObject({ build: "simd" });
  await page.close();
  await bundled.close();
  await hub.close();
});

test("a script without its files names the option that says where they are", async () => {
  const page = await open(cdn.url + BUNDLED, { isolated: true });
  const dist = `${cdn.url}${CACHED}dist`;
  const model = "/model.gguf";
  const missing = {
    code: "SOURCE_FAILED",
    message: expect.stringMatching(/zagreus-\w+(-mt)?\.wasm.* is 404; option "assets"/),
  };
  expect(await page.write({}, model)).toEqual(missing);
  expect(await page.write({ offload: true }, model)).toMatchObject({
    message: expect.stringContaining('option "assets"'),
  });
  const threaded = { build: expect.stringMatching(/-mt$/), threads: 2, text: expect.stringMatching(/../) };
  for (const assets of [dist, `${dist}/`]) {
    expect(await page.write({ threads: 2, assets }, model)).toEqual(threaded);
    expect(await page.write({ threads: 2, assets, offload: true }, model)).toEqual(threaded);
  }
  const one = { core: `${dist}/zagreus-simd-mt.wasm`, worker: `${dist}/browser-worker.js` };
  for (const offload of [false, true]) {
    const options = { threads: 2, assets: one, offload };
    expect(await page.write(options, model)).toMatchObject({ build: "simd-mt", threads: 2 });
  }
  await page.close();
});

test("cores as bytes and compiled, and a worker of one's own making", async () => {
  const page = await open(cdn.url + BUNDLED, { isolated: true });
  const results = await page.evaluate(async (dist) => {
    const core = await (await fetch(`${dist}/zagreus-simd-mt.wasm`)).arrayBuffer();
    const script = await (await fetch(`${dist}/browser-worker.js`)).blob();
    const worker = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const results = [];
    for (const form of [core, new Uint8Array(core), await WebAssembly.compile(core), { "simd-mt": core }]) {
      for (const offload of [false, true]) {
        results.push(await globalThis.write("/model.gguf", { threads: 2, offload, assets: { core: form, worker } }));
      }
    }
    return results;
  }, `${cdn.url}${CACHED}dist`);
  expect(results).toHaveLength(8);
  for (const result of results) expect(result).toMatchObject({ build: "simd-mt", threads: 2 });
  await page.close();
});

test("what assets must be", async () => {
  const page = await open(cdn.url + BUNDLED);
  const wrong = [7, "ftp://x", null, { cores: 1 }, { core: 7 }, { core: {} }, { worker: "http://[" }, { hub: 7 }];
  for (const assets of wrong)
    expect(await page.write({ assets }, "/model.gguf")).toMatchObject({ code: "INVALID_OPTION" });
  expect(await page.write({ assets: { quantizer: 7 } }, "/model.gguf")).toMatchObject({ code: "INVALID_OPTION" });
  await page.close();
});

test("workers that another origin does not give, or a policy forbids", async () => {
  const script = `${cdn.url}${CACHED}dist/browser.js`;
  const page = await open(script, { isolated: true });
  cdn.cors = false;
  const gone = { code: "SOURCE_FAILED", message: expect.stringContaining("cannot load a part of zagreus-edge") };
  expect(await page.write({ offload: true }, "/model.gguf")).toEqual(gone);
  cdn.cors = true;
  expect(await page.write({ offload: true }, "/model.gguf")).toMatchObject({ text: expect.any(String) });
  cdn.cors = false;
  expect(await page.write({ offload: true }, "/model.gguf")).toEqual({
    code: "THREAD_FAILED",
    message: expect.stringMatching(/could not be loaded, from another origin \(CORS, .*worker-src.*option "assets"/),
  });
  cdn.cors = true;
  await page.close();

  const policy = `script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' ${cdn.url}; worker-src 'self'`;
  const strict = await open(script, { policy, isolated: true });
  expect(await strict.write({ offload: true }, "/model.gguf")).toEqual({
    code: "THREAD_FAILED",
    message: expect.stringContaining("worker-src"),
  });
  expect(await strict.write({ threads: 2 }, "/model.gguf")).toMatchObject({ threads: 1 });
  expect(strict.warnings).toEqual([expect.stringMatching(/^zagreus-edge runs on one thread: .*worker-src/)]);
  // The workers of one's own origin need no blob:.
  const assets = { worker: "/dist/browser-worker.js" };
  expect(await strict.write({ offload: true, assets, threads: 2 }, "/model.gguf")).toMatchObject({ threads: 2 });
  await strict.close();
});
