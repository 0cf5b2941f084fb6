// What people do: pick, load, ask, stop, edit, regenerate, switch the model. In all browsers, on phones and desks, with both back ends.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  choose,
  click,
  DESK,
  fill,
  findings,
  launch,
  NAMES,
  PHONE,
  press,
  say,
  served,
  site,
  text,
  texts,
  written,
} from "./harness.mjs";
import { chatNano } from "./models";

const FINGER = 44; // CSS pixels

let folder;
let first;
let second;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zagreus-chat-"));
  [first, second] = ["uno", "due"].map((name) => {
    writeFileSync(join(folder, `${name}.gguf`), chatNano(name));
    return join(folder, `${name}.gguf`);
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Makes a model ready that is a file. */
async function loadFile(page, path) {
  await click(page, "#model");
  const field = await page.waitForSelector("#file");
  await field.uploadFile(path);
  await page.waitForSelector("dialog[open]", { hidden: true });
  await written(page);
}

const BACKENDS = {
  page: { start: () => site(), pick: (page) => loadFile(page, first), other: (page) => loadFile(page, second) },
  server: {
    start: () => served({ uno: first, due: second }),
    pick: (page) => choose(page, "uno"),
    other: (page) => choose(page, "due"),
  },
};

describe.each(NAMES)("%s", (name) => {
  let browser;
  beforeAll(async () => {
    browser = await launch(name);
  });
  afterAll(() => browser?.close());

  describe.each(Object.keys(BACKENDS))("a model of the %s", (kind) => {
    const { start, pick, other } = BACKENDS[kind];
    let server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.close());

    test.each([PHONE, DESK])("the journey at $width px", async (viewport) => {
      const page = await browser.open(server.url, viewport);
      expect(await page.$eval("html", ({ lang }) => lang)).toBe("it");
      await pick(page);
      expect(await text(page, "#status")).toBe("Pronto: uno");
      expect(await findings(page)).toEqual([]);

      await press(page, "Impostazioni");
      await fill(page, "#temperature", "0");
      await fill(page, "#maxTokens", "3000"); // so that it does not end before it is stopped
      await press(page, "Chiudi");
      await say(page, "Ciao");
      await page.waitForFunction(() => document.querySelector(".assistant .markdown")?.textContent.length > 20);
      await page.keyboard.press("Escape");
      await written(page);
      expect((await texts(page, ".assistant .hint")).join()).toContain("Fermato.");
      const stopped = await text(page, ".assistant .markdown");
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await text(page, ".assistant .markdown")).toBe(stopped);

      await press(page, "Impostazioni");
      await fill(page, "#maxTokens", "12");
      await fill(page, "#seed", "7");
      await press(page, "Chiudi");
      await press(page, "Rigenera");
      await page.waitForSelector("article .speed");
      expect(await text(page, ".speed")).toMatch(/^12 token, [\d.]+,\d token\/s$/);
      expect(await texts(page, ".assistant .versions span")).toEqual(["2 di 2"]);
      const known = () => /Contesto: \d+ di 4\.?096 token$/.test(document.querySelector("#context")?.textContent);
      await page.waitForFunction(known); // a server is asked once it has answered
      expect((await text(page, "#announcer")).trim()).toBe((await text(page, ".assistant .markdown")).trim());
      await press(page, "Versione precedente");
      await page.waitForFunction(
        (stopped) => document.querySelector(".markdown")?.textContent === stopped,
        {},
        stopped,
      );

      await press(page, "Modifica");
      await page.waitForSelector(".editor textarea");
      await page.keyboard.type(" mondo");
      await press(page, "Invia", ".editor");
      await page.waitForSelector("article .speed");
      expect(await texts(page, ".said")).toEqual(["Ciao mondo"]);
      expect(await findings(page)).toEqual([]);

      await other(page);
      expect(await text(page, "#status")).toBe("Pronto: due");
      await say(page, "E tu?");
      await page.waitForFunction(() => document.querySelectorAll("article .speed").length === 2);
      expect(await page.$$eval("article", (all) => all.length)).toBe(4);

      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
      const heights = await page.$$eval("button, select, textarea", (all) =>
        all.map((element) => element.getBoundingClientRect().height),
      );
      expect(Math.min(...heights)).toBeGreaterThanOrEqual(FINGER);
      expect(page.errors).toEqual([]);
      await press(page, "Nuova conversazione");
      await page.waitForSelector(".welcome");
      await page.close();
    });
  });
});
