// examples/web, started as its README says. Screenshots go to test/.cache/screenshots.

import { exec, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, MODEL, ROOT, serve } from "./harness.mjs";

const SCREENSHOTS = join(ROOT, "test/.cache/screenshots");
const README = readFileSync(join(ROOT, "examples/web/README.md"), "utf8");
const PHONE = { width: 360, height: 640 };
const SMALL_PHONE = { width: 375, height: 667 };
const FINGER = 44; // CSS pixels

let chromium;
let server;
let url;
beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const [build, start, ...more] = /```sh\n([^`]*)```/.exec(README)[1].trim().split("\n");
  expect(more).toEqual([]);
  await promisify(exec)(build, { cwd: ROOT });
  server = spawn("sh", ["-c", `exec ${start}`], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface(server.stdout);
  [url] = await Promise.race([once(lines, "line"), once(server, "exit")]);
  expect(README).toContain(`<${url}>`);
  chromium = await browser({ locale: "it-IT" });
});
afterAll(async () => {
  await chromium?.close();
  server?.kill();
});

const open = () => chromium.open(url);
const text = (page, id) => page.locator(`#${id}`).textContent();
const screenshot = (page, name) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });

async function close(page) {
  expect(page.errors).toEqual([]);
  await page.close();
}

/** Presses Load, and waits until the model may write. */
async function load(page) {
  await page.click("#load button");
  await page.waitForSelector("#write:enabled");
}

test("a model is loaded and writes, in Italian", async () => {
  const page = await open();
  expect(await page.getAttribute("html", "lang")).toBe("it");
  await load(page);
  expect(await text(page, "status")).toBe("Pronto: zagreus-nano");
  expect(await text(page, "facts")).toMatch(
    /^zagreus-nano, Q8_0, 4,7 M di parametri; contesto di 512 token; \S+-mt, thread: \d$/,
  );
  expect(await page.locator("#sections tr").count()).toBe(6);
  expect(await page.locator("#sections tr").last().textContent()).toMatch(/^In tutto\d+,\d\d MB$/);
  expect(await page.inputValue("#prompt")).toBe("C'era una volta");
  await page.click("#write");
  await page.waitForSelector("#write:enabled");
  const output = await text(page, "output");
  expect(output).toMatch(/^C'era una volta./);
  expect(await text(page, "speed")).toMatch(/^\d+ token, [\d.]+,\d token\/s$/);
  await screenshot(page, "demo-it");
  await close(page);
});

test("the text streams, Esc stops it, and all of it goes by keyboard", async () => {
  const page = await open();
  const order = [];
  for (let i = 0; i < 9; i++) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
  }
  expect(order.slice(0, 5)).toEqual(["language", "source", "Carica", "cache", "file"]);
  expect(order).toContain("prompt");
  await page.focus("#source");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#write:enabled");
  await page.fill("#maxTokens", "4096");
  await page.focus("#prompt");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Il re");
  await page.evaluate(() => {
    globalThis.lengths = [];
    const output = document.getElementById("output");
    new MutationObserver(() => lengths.push(output.textContent.length)).observe(output, { childList: true });
  });
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => lengths.length > 5);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#stop:disabled");
  expect(["Fermato.", "Pronto: zagreus-nano"]).toContain(await text(page, "status")); // it may have come to its end
  expect(await text(page, "writeError")).toBe("");
  expect(await text(page, "output")).toMatch(/^Il re./);
  await close(page);
});

test("a file can be chosen or dropped; what is no model is said so", async () => {
  const page = await open();
  await page.setInputFiles("#file", { name: "nano.gguf", mimeType: "", buffer: MODEL });
  await page.waitForSelector("#write:enabled");
  expect(await text(page, "status")).toBe("Pronto: zagreus-nano");
  const drop = async (bytes) => {
    const data = await page.evaluateHandle((bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], "dropped.gguf"));
      return transfer;
    }, bytes.toString("base64"));
    await page.dispatchEvent("body", "drop", { dataTransfer: data });
  };
  await drop(Buffer.alloc(100));
  await page.waitForFunction(() => document.getElementById("loadError").textContent !== "");
  expect(await text(page, "loadError")).toMatch(/^Questo non è un file GGUF. \(BAD_MAGIC: /);
  expect(await page.isDisabled("#write")).toBe(true);
  await drop(MODEL);
  await page.waitForSelector("#write:enabled");
  expect(await text(page, "loadError")).toBe("");
  await close(page);
});

test("what the browser keeps is loaded by itself, and never downloaded by itself", async () => {
  const page = await open();
  await load(page);
  await page.reload();
  await page.waitForSelector("#write:enabled");
  expect(await text(page, "status")).toBe("Pronto: zagreus-nano");
  await page.evaluate(async () =>
    (await navigator.storage.getDirectory()).removeEntry("zagreus-edge", { recursive: true }),
  );
  await page.reload();
  await page.waitForFunction(() => document.getElementById("status").textContent.includes("non è più"));
  expect(await text(page, "loadError")).toBe("");
  await page.reload();
  expect(await text(page, "status")).toBe("");
  await close(page);
});

test("a long prompt shows its share", async () => {
  const page = await open();
  await load(page);
  await page.fill("#prompt", "C'era una volta un re. ".repeat(60));
  await page.fill("#maxTokens", "1");
  await page.evaluate(() => {
    globalThis.said = [];
    const speed = document.getElementById("speed");
    new MutationObserver(() => said.push(speed.textContent)).observe(speed, { childList: true });
  });
  await page.click("#write");
  await page.waitForSelector("#write:enabled");
  const said = await page.evaluate(() => globalThis.said);
  expect(said.filter((text) => /^Lettura: \d+ di 4\d\d token, \d+ %$/.test(text)).length).toBeGreaterThan(1);
  expect(await page.isVisible("#reading")).toBe(false);
  await close(page);
});

test("what failed is said where the eye is, on a small phone", async () => {
  const page = await open();
  await page.setViewportSize(SMALL_PHONE);
  const inView = (id) =>
    page.evaluate((id) => {
      const { top, bottom } = document.getElementById(id).getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    }, id);
  await page.fill("#source", "nowhere.gguf");
  await page.click("#load button");
  await page.waitForFunction(() => document.getElementById("loadError").textContent !== "");
  expect(await text(page, "loadError")).toMatch(/^Non è stato possibile leggere il modello\..*SOURCE_FAILED/);
  expect(await inView("loadError")).toBe(true);
  await page.fill("#source", "host/models/zagreus-nano-Q8_0.gguf");
  await load(page);
  await page.fill("#temperature", "-1");
  await page.$eval("#generate", (form) => {
    form.noValidate = true;
  });
  await page.click("#write");
  await page.waitForFunction(() => document.getElementById("writeError").textContent !== "");
  expect(await inView("writeError")).toBe(true);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(SMALL_PHONE.width);
  await close(page);
});

test("on a phone everything fits and can be touched, in English too", async () => {
  const page = await open();
  await page.setViewportSize(PHONE);
  await page.selectOption("#language", "en");
  await load(page);
  expect(await text(page, "status")).toBe("Ready: zagreus-nano");
  await page.click("#write");
  await page.waitForSelector("#write:enabled");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
  for (const button of await page.locator("button, select, input[type=text], textarea").all()) {
    expect((await button.boundingBox()).height).toBeGreaterThanOrEqual(FINGER);
  }
  expect(await page.locator("[data-text=write]").textContent()).toBe("Write");
  await screenshot(page, "demo-phone");
  await page.reload();
  expect(await page.getAttribute("html", "lang")).toBe("en");
  await page.selectOption("#language", "it");
  await close(page);
});

test("without isolation the same page runs on one thread", async () => {
  const plain = await serve({ folder: join(ROOT, "examples/web/dist") });
  const page = await chromium.open(`${plain.url}/index.html`);
  await load(page);
  expect(await text(page, "facts")).toMatch(/; (simd|relaxed), thread: 1$/);
  await close(page);
  await plain.close();
});
