// Browsers, and the page in its two forms: as static files, and served. A function that waitForFunction() is given must not throw for what is
// not there yet: puppeteer stops looking then, and the wait never ends.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";
import { CHROMIUM_FLAGS } from "../support/chromium.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PHONE = { width: 375, height: 667 };
export const DESK = { width: 1280, height: 800 };

/** Debian's browsers; CHROMIUM and FIREFOX name others. */
const BROWSERS = {
  chromium: { browser: "chrome", executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: CHROMIUM_FLAGS },
  firefox: { browser: "firefox", executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr" },
};
export const NAMES = Object.keys(BROWSERS);

/** A browser with a new profile that speaks a language. */
export async function launch(name, language = "it") {
  const profile = mkdtempSync(join(tmpdir(), `zagreus-${name}-`));
  const { args = [], ...how } = BROWSERS[name];
  const browser = await puppeteer.launch({
    ...how,
    args: name === "chromium" ? [...args, `--lang=${language}`, `--accept-lang=${language}`] : args,
    extraPrefsFirefox: { "intl.accept_languages": language, "intl.locale.requested": language },
    env: { ...process.env, LANGUAGE: language },
    userDataDir: profile,
  });
  return {
    /** A tab with the page, in a profile of its own; what it throws is in `errors`. */
    async open(url, viewport = DESK) {
      const page = await (await browser.createBrowserContext()).newPage();
      page.errors = [];
      page.on("pageerror", (error) => page.errors.push(error.message));
      await page.setViewport(viewport);
      await page.goto(url);
      return page;
    },
    async close() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

async function start(command, args, addressOf) {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines = createInterface(child.stdout);
  const [line] = await Promise.race([once(lines, "line"), ended]);
  return {
    url: addressOf(line),
    async close() {
      child.kill();
      await ended;
    },
  };
}

/** The page as static files. @param port 0: any */
export const site = (port = 0) => start(process.execPath, ["examples/web/serve.mjs", String(port)], (line) => line);

/** The page as `zagreus serve` has it, with models by name. */
export function served(models = {}, ...more) {
  const flags = Object.entries(models).flatMap(([name, path]) => ["-m", `${name}=${path}`]);
  const args = [
    "dist/cli.js",
    "serve",
    "--port",
    "0",
    "--json",
    "--log",
    "off",
    "--no-prompt-cache",
    ...flags,
    ...more,
  ];
  return start(process.execPath, args, (line) => `${JSON.parse(line).url}/`);
}

/** What axe-core finds wrong, as "rule: element". */
export async function findings(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

export const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
export const texts = (page, selector) => page.$$eval(selector, (found) => found.map((element) => element.textContent));

/** Waits until no reply is being written. */
export const written = (page) => page.waitForSelector("#composer [type=submit]:enabled");

/** Clicks what a selector finds, when it has come to rest: a click that was aimed before the layout moved hits something else. */
export const click = (page, selector) => page.locator(selector).click();

/** Presses the button of that name. */
export const press = (page, name, within = "") =>
  click(page, `${within} ::-p-aria([name="${name}"][role="button"])`.trim());

/** Chooses the model of that name from the list. */
export async function choose(page, name) {
  await click(page, "#model");
  await click(page, `.choice ::-p-text(${name})`);
  await page.waitForSelector("dialog[open]", { hidden: true });
  await written(page);
}

/** Puts a text into a field at once; typed, it goes to whatever a dialog that opens gives the focus. */
export async function fill(page, selector, value) {
  const field = await page.waitForSelector(selector);
  await field.evaluate((field, value) => {
    field.focus();
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);
}

export async function say(page, said) {
  await fill(page, "#prompt", said);
  await page.focus("#prompt");
  await page.keyboard.press("Enter");
}
