// Pictures of the page for documents: node test/chat/screenshots.mjs MODEL.gguf, after npm run build. Those that are committed are of
// SmolLM2-135M-Instruct (the short name smollm2).

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fill, launch, PHONE, press, ROOT, say, served, written } from "./harness.mjs";

const FOLDER = join(ROOT, "docs/images");
const QUESTIONS = ["Write a JavaScript function that returns the larger of two numbers.", "And what is WebAssembly?"];
const EARLIER = ["How tall is Mount Etna?", "A name for a small boat", "Explain tides to a child"];
const SHOTS = [
  { file: "chat.png", viewport: { width: 1000, height: 680 }, theme: "light" },
  { file: "chat-phone.png", viewport: { ...PHONE, deviceScaleFactor: 1.5 }, theme: "dark" },
  { file: "conversations.png", viewport: { width: 1000, height: 680 }, theme: "light", earlier: EARLIER },
];

const [model] = process.argv.slice(2);
if (!model) throw new Error("which model? node test/chat/screenshots.mjs MODEL.gguf");
mkdirSync(FOLDER, { recursive: true });
const server = await served({ smollm2: model });
const browser = await launch("chromium", "en");
for (const { file, viewport, theme, earlier = [] } of SHOTS) {
  const page = await browser.open(server.url, viewport);
  await press(page, "Settings");
  await page.select("#theme", theme);
  await fill(page, "#temperature", "0");
  await fill(page, "#maxTokens", "160");
  await press(page, "Close");
  for (const question of earlier) {
    await ask(page, [question]);
    await press(page, "New conversation");
    await page.waitForSelector(".welcome");
  }
  await ask(page, QUESTIONS);
  await page.evaluate(() => document.activeElement.blur());
  await page.$eval("#log", (log) => {
    log.scrollTop = 0;
  });
  if (earlier.length > 0) {
    await press(page, "Conversations");
    await page.waitForSelector("#chats[open]");
  }
  await page.screenshot({ path: join(FOLDER, file) });
  await page.close();
}
await browser.close();
await server.close();

async function ask(page, questions) {
  for (const [i, question] of questions.entries()) {
    await written(page);
    await say(page, question);
    await page.waitForFunction((i) => document.querySelectorAll("article .speed").length > i, { timeout: 120_000 }, i);
  }
}
