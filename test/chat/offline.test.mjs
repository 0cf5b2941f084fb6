// The page without its web server, on one that sends no headers, and when there is another version of it.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serve } from "../browser/harness.mjs";
import { choose, click, launch, NAMES, PHONE, press, ROOT, say, site, text } from "./harness.mjs";

const SITE = join(ROOT, "examples/web/dist");
const status = (page, wanted) =>
  page.waitForFunction((wanted) => document.querySelector("#status")?.textContent.includes(wanted), {}, wanted);
const isKept = (page) =>
  page.waitForFunction(async () => (await navigator.serviceWorker.ready).active.state === "activated");

describe.each(NAMES)("%s", (name) => {
  let browser;
  beforeAll(async () => {
    browser = await launch(name);
  });
  afterAll(() => browser?.close());

  test("reloaded offline, the page loads its model and answers", async () => {
    const server = await site();
    const page = await browser.open(server.url, PHONE);
    await choose(page, "zagreus-nano");
    await say(page, "C'era");
    await page.waitForSelector("article .speed");
    await isKept(page);
    await server.close();
    await page.reload();
    await status(page, "Pronto: zagreus-nano");
    expect(await text(page, ".said")).toBe("C'era");
    await say(page, "E poi");
    await page.waitForFunction(() => document.querySelectorAll("article .speed").length === 2);
    expect(page.errors).toEqual([]);
    await page.close();
  });

  test("a web server without headers: the page gets its threads all the same, after one reload", async () => {
    const server = await serve({ folder: SITE });
    const page = await browser.open(`${server.url}/index.html`, PHONE);
    await page.waitForFunction(() => crossOriginIsolated && document.querySelector(".welcome"));
    await choose(page, "zagreus-nano");
    await click(page, "#model");
    expect(await text(page, "#facts")).toMatch(/; \S+-mt, thread: \d; /);
    await page.close();
    await server.close();
  });
});

test("another version of the page comes in when somebody wants it; the browser would install it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zagreus-chat-"));
  cpSync(SITE, folder, { recursive: true });
  const server = await serve({ folder, isolated: true });
  const browser = await launch("chromium");
  const page = await browser.open(`${server.url}/index.html`);
  await isKept(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  const session = await page.createCDPSession();
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  expect(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito")).toEqual([]);
  const change = (file, from, to) => {
    const path = join(folder, file);
    writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
  };
  change("index.html", "<title>zagreus-edge", "<title>another");
  change("service_worker.js", /const VERSION = "\w+"/, 'const VERSION = "another"');
  await page.reload();
  expect(await page.title()).toBe("zagreus-edge");
  await press(page, "Aggiorna la pagina");
  await page.waitForFunction(() => document.title === "another");
  expect(await page.evaluate(() => caches.keys())).toEqual(["zagreus-edge page another"]);
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true });
});
