// Conversations that are kept: a list of them, names, another tab, no room. Replies that were cut, and gone on with.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  choose,
  click,
  fill,
  findings,
  launch,
  NAMES,
  PHONE,
  press,
  say,
  served,
  text,
  texts,
  written,
} from "./harness.mjs";
import { chatNano } from "./models";
import { stub } from "./stub.mjs";

const replied = (page, count) =>
  page.waitForFunction((count) => document.querySelectorAll(".assistant .speed").length === count, {}, count);

async function list(page) {
  await press(page, "Conversations");
  await page.waitForSelector("#chats[open]");
  return texts(page, "#chats .choice bdi");
}

async function open(page, name) {
  await click(page, `#chats .choice ::-p-text(${name})`);
  await page.waitForSelector("dialog[open]", { hidden: true });
}

describe.each(NAMES)("%s", (name) => {
  let browser;
  beforeAll(async () => {
    browser = await launch(name, "en");
  });
  afterAll(() => browser?.close());

  test("conversations are listed, named, opened, removed, and there when the page is loaded again", async () => {
    const server = await stub({ pieces: ["Well."] });
    const page = await browser.open(server.url, PHONE);
    await written(page);
    await press(page, "Conversations");
    expect(await text(page, "#chats .hint")).toContain("Nothing has been said yet.");
    await press(page, "Close");
    await say(page, "Alpha   beta");
    await replied(page, 1);
    await press(page, "New conversation");
    await page.waitForSelector(".welcome");
    await say(page, `Gamma ${"x".repeat(99)}`);
    await replied(page, 1);
    const long = `Gamma ${"x".repeat(53)}…`;
    expect(await list(page)).toEqual([long, "Alpha beta"]);
    expect(await findings(page)).toEqual([]);

    await press(page, "Rename Alpha beta");
    await fill(page, "#chats input", "Not this");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#chats input", { hidden: true });
    await press(page, "Rename Alpha beta");
    await fill(page, "#chats input", "<b>Greek");
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#chats input", { hidden: true });
    expect(await texts(page, "#chats .choice bdi")).toEqual([long, "<b>Greek"]);
    await open(page, "Greek");
    expect(await texts(page, ".said")).toEqual(["Alpha   beta"]);
    await say(page, "Again");
    await replied(page, 2);
    await page.reload();
    await replied(page, 2);
    expect(await list(page)).toEqual(["<b>Greek", long]);

    const asked = [];
    page.on("dialog", (dialog) => {
      asked.push(dialog.message());
      return asked.length === 1 ? dialog.dismiss() : dialog.accept();
    });
    await press(page, "Remove <b>Greek");
    await press(page, "Remove <b>Greek");
    await page.waitForFunction(() => document.querySelectorAll("#chats .choice").length === 1);
    expect(asked).toEqual(Array(2).fill('Remove the conversation "<b>Greek" for good?'));
    await press(page, "Close");
    await page.waitForSelector(".welcome");
    await page.reload();
    await page.waitForSelector(".welcome, .said");
    expect(await list(page)).toEqual([long]);
    expect(page.errors).toEqual([]);
    await page.close();
    await server.close();
  });

  test("a reply that was stopped is gone on with, in its place", async () => {
    const server = await stub({ pieces: Array.from({ length: 40 }, (_, i) => `${i} `), pace: 50 });
    const page = await browser.open(server.url);
    await written(page);
    await say(page, "Count");
    await page.waitForFunction(() => document.querySelector(".markdown")?.textContent.includes("2"));
    await page.keyboard.press("Escape");
    await written(page);
    const begun = await text(page, ".markdown");
    await press(page, "Continue");
    await replied(page, 1);
    const whole = await text(page, ".markdown");
    expect(whole.startsWith(begun.trim())).toBe(true);
    expect(whole.trim().endsWith("38 39")).toBe(true);
    expect((await texts(page, ".plain")).includes("Continue")).toBe(false);
    const { messages, continue_final_message } = server.bodies[1];
    expect(continue_final_message).toBe(true);
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(messages[1].content.trim()).toBe(begun.trim());
    expect(page.errors).toEqual([]);
    await page.close();
    await server.close();
  });
});

describe("in Chromium", () => {
  let browser;
  beforeAll(async () => {
    browser = await launch("chromium", "en");
  });
  afterAll(() => browser?.close());

  test("two tabs do not take from each other what was said", async () => {
    const server = await stub({ pieces: ["Well."] });
    const first = await browser.open(server.url);
    await written(first);
    await say(first, "One");
    await replied(first, 1);
    await list(first); // keeps it
    await press(first, "Close");
    const second = await first.browserContext().newPage();
    await second.goto(server.url);
    await replied(second, 1);
    await written(second);
    await say(second, "Two");
    await replied(second, 2);
    await list(second);
    await first.bringToFront();
    await say(first, "Three");
    await replied(first, 2);
    expect((await list(first)).length).toBe(2);
    expect(await texts(first, ".said")).toEqual(["One", "Three"]);
    await second.reload();
    await replied(second, 2);
    expect(await texts(second, ".said")).toEqual(["One", "Two"]);
    await second.close();
    await first.close();
    await server.close();
  });

  test("where there is no room, that is said", async () => {
    const server = await stub({ pieces: ["Well."] });
    const page = await browser.open(server.url);
    await written(page);
    await page.evaluate(() => {
      for (let size = 2 ** 22; size >= 1; size = size > 1 && localStorage.length > 99 ? 0 : size / 2) {
        try {
          localStorage.setItem(`other ${size}`, "x".repeat(size));
        } catch {}
      }
    });
    await say(page, "Hello");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent.includes("no room for more"));
    expect(page.errors).toEqual([]);
    await page.close();
    await server.close();
  });

  test("a model goes on with its own words", async () => {
    const folder = mkdtempSync(join(tmpdir(), "zagreus-chat-"));
    writeFileSync(join(folder, "uno.gguf"), chatNano("uno"));
    const server = await served({ uno: join(folder, "uno.gguf") });
    const page = await browser.open(server.url);
    await choose(page, "uno");
    await press(page, "Settings");
    await fill(page, "#temperature", "0");
    await fill(page, "#maxTokens", "8");
    await press(page, "Close");
    await say(page, "Ciao");
    await replied(page, 1);
    const begun = await text(page, ".markdown");
    expect(await texts(page, ".assistant .hint")).toContain("Cut off: as many tokens as were allowed.");
    await press(page, "Continue");
    await page.waitForFunction(
      (begun) => document.querySelector(".markdown")?.textContent.length > begun.length,
      {},
      begun,
    );
    await replied(page, 1);
    expect((await text(page, ".markdown")).trim().startsWith(begun.trim())).toBe(true);
    expect(page.errors).toEqual([]);
    await page.close();
    await server.close();
    rmSync(folder, { recursive: true });
  });
});
