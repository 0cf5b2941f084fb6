// The picture of the terminal for documents: node test/terminal/picture.mjs MODEL.gguf, after npm run build and npm ci --prefix test/chat.
// What the command wrote to a pseudo-terminal is shown by xterm.js. The one that is committed is of SmolLM2-135M-Instruct.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { launch, ROOT } from "../chat/harness.mjs";

const [COLUMNS, ROWS] = [76, 24];
const QUESTIONS = ["Write a short poem about the sea.", "Give me three names for a cat.", "/exit"];
const PROMPT = "\x1b[36m> ";

const [model] = process.argv.slice(2);
if (!model) throw new Error("which model? node test/terminal/picture.mjs MODEL.gguf");
const require = createRequire(join(ROOT, "test/chat/package.json"));
const file = (path) => readFileSync(require.resolve(`@xterm/xterm/${path}`), "utf8");

const shown = await conversation();
const browser = await launch("chromium", "en");
const page = await browser.open("about:blank", { width: 670, height: 412, deviceScaleFactor: 1.3 });
await page.setContent(
  `<style>${file("css/xterm.css")} body { margin: 0; padding: 12px; background: #1b1f27 }</style><div id="terminal"></div>`,
);
await page.addScriptTag({ content: file("lib/xterm.js") });
await page.evaluate(
  (text, cols, rows) =>
    new Promise((resolve) => {
      const theme = { background: "#1b1f27", foreground: "#e6e6e6", cursor: "#1b1f27" };
      const terminal = new globalThis.Terminal({ cols, rows, fontSize: 14, fontFamily: "monospace", theme });
      terminal.open(document.querySelector("#terminal"));
      terminal.write(text, () => requestAnimationFrame(() => setTimeout(resolve, 300)));
    }),
  shown,
  COLUMNS,
  ROWS,
);
await page.screenshot({ path: join(ROOT, "docs/images/terminal.png") });
await browser.close();

/** What a terminal gets while somebody types the questions. */
async function conversation() {
  const command = `stty cols ${COLUMNS} rows ${ROWS}; exec '${process.execPath}' dist/cli.js chat -m '${resolve(model)}' --temp 0 -n 90 --verbose`;
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    cwd: ROOT,
    env: { ...process.env, TERM: "xterm-256color" },
  });
  let shown = "$ npx zagreus chat -m smollm2 --verbose\r\n";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    shown += text;
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  for (const [i, question] of QUESTIONS.entries()) {
    while (shown.split(PROMPT).length < i + 2) await sleep(50);
    child.stdin.write(`${question}\r`);
  }
  await ended;
  return shown.slice(0, shown.lastIndexOf("/exit"));
}
