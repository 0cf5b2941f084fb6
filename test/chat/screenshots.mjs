// Pictures of the page for documents: node test/chat/screenshots.mjs MODEL.gguf, after npm run build. Those that are committed are of
// SmolLM2-135M-Instruct (the short name smollm2).

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fill, launch, PHONE, press, ROOT, say, served, written } from "./harness.mjs";

const FOLDER = join(ROOT, "docs/images");
const QUESTIONS = ["Write a JavaScript function that adds two numbers.", "And what is WebAssembly?"];
const SHOTS = [
  { file: "chat.png", viewport: { width: 1000, height: 680 }, theme: "light" },
  { file: "chat-phone.png", viewport: { ...PHONE, deviceScaleFactor: 1.5 }, theme: "dark" },
];

const [model] = process.argv.slice(2);
if (!model) throw new Error("which model? node test/chat/screenshots.mjs MODEL.gguf");
mkdirSync(FOLDER, { recursive: true });
const server = await served({ smollm2: model });
const browser = await launch("chromium", "en");
for (const { file, viewport, theme } of SHOTS) {
  const page = await browser.open(server.url, viewport);
  await press(page, "Settings");
  await page.select("#theme", theme);
  await fill(page, "#temperature", "0");
  await fill(page, "#maxTokens", "160");
  await press(page, "Close");
  for (const [i, question] of QUESTIONS.entries()) {
    await written(page);
    await say(page, question);
    await page.waitForFunction((i) => document.querySelectorAll("article .speed").length > i, { timeout: 120_000 }, i);
  }
  await page.evaluate(() => document.activeElement.blur());
  await page.$eval("#log", (log) => {
    log.scrollTop = 0;
  });
  await page.screenshot({ path: join(FOLDER, file) });
  await page.close();
}
await browser.close();
await server.close();
