// A stranger's clock: node test/checks/stranger.mjs MODEL.gguf, after npm ci --prefix test/chat. From `git clone` on: seconds to the first
// completion, to an answer in the chat page, and, in a second clone, to an edited document in the site.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { launch, ROOT, say, written } from "../chat/harness.mjs";

const [model] = process.argv.slice(2);
if (!model) throw new Error("which model? node test/checks/stranger.mjs MODEL.gguf");
const folder = mkdtempSync(join(tmpdir(), "zagreus-stranger-"));
let begun = 0;
try {
  await chat(clone("chat"), resolve(model));
  await document(clone("docs"));
} finally {
  rmSync(folder, { recursive: true });
}

function clone(name) {
  begun = performance.now();
  execFileSync("git", ["clone", "--quiet", ROOT, name], { cwd: folder });
  return join(folder, name);
}

async function chat(cwd, model) {
  execFileSync("npm", ["ci"], { cwd, stdio: "ignore" });
  tell("npm ci");
  const first = spawn("npm", ["start"], { cwd, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(first, "exit");
  const hear = (text) => {
    if (!text.includes("C'era una volta")) return;
    tell("the first words (npm start)");
    first.stdout.off("data", hear);
  };
  first.stdout.setEncoding("utf8").on("data", hear);
  await ended;
  await served(
    cwd,
    ["dist/cli.js", "serve", "-m", model, "--port", "8123", "--log", "off"],
    "http://localhost:8123/",
    async (page) => {
      await written(page);
      await say(page, "Hello, who are you?");
      await page.waitForFunction(() => document.querySelector("article .speed"), { timeout: 120_000 });
    },
  );
  tell("an answer in the chat page (zagreus serve)");
}

async function document(cwd) {
  execFileSync("npm", ["ci", "--prefix", "docs/site"], { cwd, stdio: "ignore" });
  tell("npm ci --prefix docs/site");
  const heading = (page, words) =>
    page.waitForFunction((words) => document.querySelector("h1")?.textContent.includes(words), {}, words);
  await served(cwd, ["docs/site/build.mjs", "--dev", "8124"], "http://localhost:8124/server", async (page) => {
    await heading(page, "The server");
    tell("a document in the site (build.mjs --dev)");
    const path = join(cwd, "docs/server.md");
    writeFileSync(path, readFileSync(path, "utf8").replace("# The server", "# The server, edited"));
    await heading(page, "edited");
  });
  tell("the same, edited");
}

/** Opens a page of what a command serves. */
async function served(cwd, args, url, use) {
  const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(child, "exit");
  const answers = () => fetch(url).then(Boolean, () => false);
  do {
    await setTimeout(50);
    if (child.exitCode !== null) throw new Error(`${args.join(" ")} ended with ${child.exitCode}`);
  } while (!(await answers()));
  const browser = await launch("chromium", "en");
  await use(await browser.open(url));
  await browser.close();
  child.kill();
  await ended;
}

function tell(what) {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(`${seconds.padStart(6)} s  ${what} (load ${loadavg()[0].toFixed(1)})`);
}
