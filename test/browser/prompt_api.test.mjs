// The Prompt API on a page and in a service worker: the suite of all runtimes, and what only browsers have.

import { afterAll, beforeAll, expect, test } from "vitest";
import { EXPECTED } from "../runtimes/prompt_api/suite.mjs";
import { browser, serve } from "./harness.mjs";

const html =
  '<!doctype html><title>test</title><script type="module" src="/test/browser/prompt_api/page.mjs"></script>';

let chromium;
let server;
let page;
beforeAll(async () => {
  chromium = await browser();
  server = await serve({ isolated: true, model: { etag: '"1"' }, html });
  page = await chromium.open(server.url);
});
afterAll(async () => {
  await chromium?.close();
  await server?.close();
});

let report;
test("on a page, the model in a worker, its file kept", async () => {
  const model = "/model.gguf";
  report = await page.evaluate((model) => runPromptApi({ ...promptApi, model }), model);
  expect(report).toMatchObject({ ...EXPECTED, before: "downloadable" });
  expect(report.answer.length).toBeGreaterThan(10);
  expect(server.requests).toEqual(["all"]);
  const again = await page.evaluate((model) => runPromptApi({ ...promptApi, model }), model);
  expect(again).toEqual({ ...report, before: "available" });
  expect(server.requests).toEqual(["all"]);
});

test("in a service worker it is the same", async () => {
  const inWorker = await page.evaluate(async () => {
    const path = "/test/browser/prompt_api/service_worker.mjs";
    const registration = await navigator.serviceWorker.register(path, { type: "module" });
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    const answer = new Promise((resolve) => {
      navigator.serviceWorker.addEventListener("message", ({ data }) => resolve(data), { once: true });
    });
    navigator.serviceWorker.startMessages();
    worker.postMessage("/model.gguf");
    const report = await answer;
    await registration.unregister();
    return report;
  });
  expect(inWorker).toEqual({ ...report, before: "available" });
});

test("availability of a model of the hub, and of one that somebody downloads", async () => {
  server.model.stallAt = 1 << 20;
  const states = await page.evaluate(async () => {
    const { languageModel } = promptApi;
    const hub = languageModel({ model: "hf:no-such-owner/no-such-repository" });
    const stalled = { model: "/model.gguf?2" };
    const first = languageModel(stalled);
    const states = [await hub.availability(), await first.availability()];
    const leaving = new AbortController();
    const creating = first.create({ signal: leaving.signal }).catch(({ name }) => name);
    const elsewhere = languageModel(stalled);
    while ((await elsewhere.availability()) !== "downloading") await new Promise((resolve) => setTimeout(resolve, 20));
    states.push(await first.availability());
    leaving.abort();
    return [...states, await creating];
  });
  delete server.model.stallAt;
  expect(states).toEqual(["downloadable", "downloadable", "downloading", "AbortError"]);
});

const UNTOUCHED = `<!doctype html><title>test</title><script type="module">
  import { languageModel } from "/dist/prompt-api-browser.js";
  const LanguageModel = languageModel({ model: "/model.gguf?3", requireUserActivation: true });
  const create = () => LanguageModel.create().catch(({ name }) => console.info(name));
  document.onclick = create;
  create();
</script>`;

test("without a touch no download, where it is wanted so", async () => {
  const untouched = await serve({ html: UNTOUCHED });
  const tab = await chromium.open("about:blank");
  const said = () =>
    tab.waitForEvent("console", (message) => message.type() === "info").then((message) => message.text());
  const first = said();
  await tab.goto(untouched.url);
  expect(await first).toBe("NotAllowedError");
  const second = said();
  await tab.mouse.click(1, 1);
  expect(await second).toBe("NotSupportedError"); // a base model, without a template
  expect([...tab.errors, ...page.errors]).toEqual([]);
  await untouched.close();
});

test("the example's page answers", async () => {
  const tab = await chromium.open(`${server.url}/examples/prompt-api/index.html?model=/model.gguf%3F4&template=chatml`);
  await tab.waitForSelector("button:enabled");
  expect(await tab.$eval("progress", ({ value }) => value)).toBe(1);
  await tab.fill("#question", "Chi sei?");
  await tab.click("button");
  await tab.waitForSelector("[data-answered]");
  expect((await tab.textContent("#answer")).length).toBeGreaterThan(0);
  expect(tab.errors).toEqual([]);
});
