// The page as static files, published as examples/web/README.md says, in Chromium.

import { exec } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "../browser/harness.mjs";
import { choose, click, DESK, fill, findings, launch, PHONE, press, ROOT, say, site, text, texts } from "./harness.mjs";

const README = readFileSync(join(ROOT, "examples/web/README.md"), "utf8");
const MODEL = readFileSync(join(ROOT, "host/models/zagreus-nano-Q8_0.gguf"));

let chromium;
let server;
let url;
let folder;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "zagreus-chat-"));
  const [build, start, ...more] = /```sh\n([^`]*)```/.exec(README)[1].trim().split("\n");
  expect([start, more]).toEqual(["node examples/web/serve.mjs", []]);
  await promisify(exec)(build, { cwd: ROOT });
  server = await site(8080);
  ({ url } = server);
  expect(README).toContain(`<${url}>`);
  chromium = await launch("chromium");
});
afterAll(async () => {
  await chromium?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = (viewport) => chromium.open(url, viewport);
const nano = (page) => choose(page, "zagreus-nano");
const status = (page, wanted) =>
  page.waitForFunction((wanted) => document.querySelector("#status")?.textContent.includes(wanted), {}, wanted);
const isVisible = (page, selector) =>
  page.$eval(selector, (element) => {
    const { top, bottom, height } = element.getBoundingClientRect();
    return height > 0 && top >= 0 && bottom <= innerHeight;
  });

async function close(page) {
  expect(page.errors).toEqual([]);
  await page.close();
}

test("the model that comes along continues a text, on all threads, and says what it is", async () => {
  const page = await open();
  await nano(page);
  expect(await text(page, "#status")).toBe("Pronto: zagreus-nano");
  await click(page, "#model");
  expect(await text(page, "#facts")).toMatch(
    /^zagreus-nano: Q8_0, 4,7 M di parametri; contesto di 512 token; \S+-mt, thread: \d; \d+,\d MB$/,
  );
  await press(page, "Chiudi");
  await page.focus("#prompt");
  await page.keyboard.press("Enter");
  await page.waitForSelector("article .speed");
  expect(await texts(page, ".said")).toEqual(["C'era una volta"]);
  expect((await text(page, ".markdown")).length).toBeGreaterThan(20);
  await close(page);
});

test("axe-core finds nothing in both themes and languages, in the dialogs too", async () => {
  const page = await open(PHONE);
  for (const language of ["en", "it"]) {
    for (const theme of ["light", "dark"]) {
      await click(page, "#top .icon-button:last-of-type");
      await page.select("#language", language);
      await page.select("#theme", theme);
      if (!(await page.$("#schemaText"))) await click(page, "#schema");
      await page.waitForSelector(`html[lang=${language}][data-theme=${theme}] #schemaText`);
      expect(await findings(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog[open]", { hidden: true });
      await click(page, "#model");
      await page.waitForSelector(".choice");
      expect(await findings(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog[open]", { hidden: true });
      expect(await findings(page)).toEqual([]);
    }
  }
  await page.reload();
  await page.waitForSelector("html[lang=it][data-theme=dark] .welcome");
  await close(page);
});

test("all of it goes by keyboard, and the focus comes back", async () => {
  const page = await open();
  await page.waitForSelector(".welcome");
  const order = [];
  for (let i = 0; i < 9; i++) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent));
  }
  const expected = ["Modello: Scegli un modello", "Nuova conversazione", "Conversazioni", "Impostazioni"];
  const dictate = "Detta (il browser può inviare ciò che dici a chi lo produce)";
  expect(order).toEqual([...expected, "Conversazione", "Scegli un modello", "Messaggio", dictate, "Invia"]);
  await page.focus("#model");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".choice");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { hidden: true });
  expect(await page.evaluate(() => document.activeElement.id)).toBe("model");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".choice");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await status(page, "Pronto: zagreus-nano");
  await close(page);
});

test("a file can be dropped; what is no model is said so", async () => {
  const page = await open();
  await page.waitForSelector(".welcome");
  const drop = (bytes) =>
    page.evaluate((bytes) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], "dropped.gguf"));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }, bytes.toString("base64"));
  await drop(Buffer.alloc(100));
  await page.waitForFunction(() => document.querySelector("#load-error")?.textContent);
  expect(await text(page, "#load-error")).toMatch(/^Questo non è un file GGUF. \(BAD_MAGIC: /);
  await drop(MODEL);
  await status(page, "Pronto: zagreus-nano");
  expect(await text(page, "#load-error")).toBe("");
  await close(page);
});

test("what the browser keeps is listed, loaded by itself, removed, and never downloaded by itself", async () => {
  const page = await open();
  await nano(page);
  await say(page, "C'era");
  await page.waitForSelector("article .speed");
  await page.reload();
  await status(page, "Pronto: zagreus-nano");
  expect(await texts(page, ".said")).toEqual(["C'era"]);
  await click(page, "#model");
  await page.waitForSelector(".choices .icon-button");
  const [kept] = await texts(page, ".choice");
  expect(kept).toBe("zagreus-nano-Q8_0 5,3 MB");
  await press(page, "Rimuovi zagreus-nano-Q8_0");
  await page.waitForSelector(".choices .icon-button", { hidden: true });
  await page.reload();
  await status(page, "non è più in questo browser");
  expect(await text(page, "#load-error")).toBe("");
  await page.reload();
  await page.waitForSelector(".welcome, .said");
  expect(await text(page, "#status")).toBe("");
  await close(page);
});

test("a long prompt shows its share", async () => {
  const page = await open();
  await nano(page);
  await page.evaluate(() => {
    globalThis.said = new Set();
    const look = () => globalThis.said.add(document.querySelector(".reading")?.textContent);
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  for (let i = 0; i < 5; i++) {
    await say(page, `${i} ${"C'era una volta un re. ".repeat(60)}`);
    await page.waitForFunction((count) => document.querySelectorAll("article .speed").length > count, {}, i);
  }
  const said = await page.evaluate(() => [...globalThis.said]);
  expect(said.filter((text) => /^Lettura: \d+ di 4\d\d token, \d+ %$/.test(text)).length).toBeGreaterThan(0);
  expect(await page.$(".reading")).toBeNull();
  await close(page);
});

test("what failed is said where the eye is, on a small phone", async () => {
  const page = await open(PHONE);
  await click(page, "#model");
  await fill(page, "#source", "nowhere.gguf");
  await press(page, "Carica");
  await page.waitForFunction(() => document.querySelector("#picker .error")?.textContent);
  expect(await text(page, "#picker .error")).toMatch(/^Non è stato possibile leggere il modello\..*SOURCE_FAILED/);
  expect(await isVisible(page, "#picker .error")).toBe(true);
  await fill(page, "#source", "host/models/zagreus-nano-Q8_0.gguf");
  await press(page, "Carica");
  await status(page, "Pronto: zagreus-nano");
  await page.waitForSelector("dialog[open]", { hidden: true });
  await press(page, "Impostazioni");
  await fill(page, "#temperature", "-1");
  await press(page, "Chiudi");
  await say(page, "C'era");
  await page.waitForSelector("article .error");
  expect(await text(page, "article .error")).toMatch(/INVALID_OPTION: option "temperature" is -1/);
  expect(await isVisible(page, "article .error")).toBe(true);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
  await close(page);
});

test("without isolation and service workers the same page runs on one thread", async () => {
  const plain = await serve({ folder: join(ROOT, "examples/web/dist") });
  const page = await chromium.open("about:blank", DESK);
  await page.evaluateOnNewDocument(() => Object.defineProperty(navigator, "serviceWorker", { value: undefined }));
  await page.goto(`${plain.url}/index.html`);
  await nano(page);
  await click(page, "#model");
  expect(await text(page, "#facts")).toMatch(/; (simd|relaxed), thread: 1; /);
  await page.close();
  await plain.close();
});

test("where the browser keeps no files, the page says so and works", async () => {
  const page = await (await launch("chromium", "en")).open("about:blank");
  await page.evaluateOnNewDocument(() => {
    StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException("private", "SecurityError"));
    Object.defineProperty(globalThis, "localStorage", {
      get() {
        throw new DOMException("private", "SecurityError");
      },
    });
  });
  await page.goto(url);
  await nano(page);
  expect(await text(page, "#status")).toBe(
    "This browser keeps no files here: the model will be downloaded again next time.",
  );
  await say(page, "Once");
  await page.waitForSelector("article .speed");
  await close(page);
  await page.browser().close();
});
