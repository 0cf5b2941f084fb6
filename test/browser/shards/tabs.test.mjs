// A model in parts: its edge on a page, its layers in another tab and in a worker.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, ROOT, serve } from "../harness.mjs";

const PROMPT = "C'era una volta un re che aveva";
const PARTS = "parts"; // an edge and two shards, as `zagreus shard` writes them
let folder;
let chromium;
let server;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "zagreus-shards-"));
  for (const name of ["dist", "host", "test"]) symlinkSync(join(ROOT, name), join(folder, name));
  const model = join(ROOT, "host/models/zagreus-nano-Q8_0.gguf");
  const cut = ["shard", model, "-o", join(folder, PARTS), "--shards", "2", "--context", "64", "--sequences", "1"];
  execFileSync(process.execPath, [join(ROOT, "dist/cli.js"), ...cut], { stdio: "ignore" });
  writeFileSync(join(folder, "shard.mjs"), SERVES);
  chromium = await browser();
  server = await serve({ folder });
});
afterAll(async () => {
  await chromium?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Run by a worker and by a tab: a shard for whoever sends its number and a port. */
const SERVES = `
import { loadShard, partSource, portChannel } from "/dist/shards-browser.js";
let shard;
addEventListener("message", ({ data: index, ports: [port] }) => {
  if (!port) return;
  shard ??= partSource("/${PARTS}", index).then(({ source, options, layers, cacheBudget }) =>
    loadShard(source, { ...options, layers, cacheBudget, threads: 1 }));
  shard.then((loaded) => loaded.serve(portChannel(port)));
});
globalThis.serves = true;
`;

/** On a page that has opened a tab. */
async function answers([PARTS, PROMPT]) {
  const { loadSharded, partSource, portChannel, ZagreusError } = shards;
  const worker = new Worker("/shard.mjs", { type: "module" });
  const to = (post) => () => {
    const { port1, port2 } = new MessageChannel();
    post(port2);
    return portChannel(port1);
  };
  const connects = [
    to((port) => globalThis.tab.postMessage(1, "*", [port])),
    to((port) => worker.postMessage(2, [port])),
  ];
  const { source, options } = await partSource(`/${PARTS}`, 0);
  const model = await loadSharded(source, connects, { ...options, threads: 1 });
  const text = await model.complete(PROMPT, { maxTokens: 24, seed: 7 }).text();
  const logits = await model.logits(model.tokenize(PROMPT));
  const whole = await zagreus.load(zagreus.bundledModel, { contextLength: 64, threads: 1 });
  const expected = {
    text: await whole.complete(PROMPT, { maxTokens: 24, seed: 7 }).text(),
    logits: await whole.logits(whole.tokenize(PROMPT)),
  };
  worker.terminate();
  model.close();
  const missing = await partSource("/none", 0).catch((error) => error);
  return {
    same: text === expected.text && logits.every((logit, i) => logit === expected.logits[i]),
    text,
    missing: missing instanceof ZagreusError ? missing.message : "",
  };
}

test("a tab and a worker have the layers: the bits are those of the whole model", async () => {
  const page = await chromium.open(server.url);
  const opened = page.waitForEvent("popup");
  await page.evaluate(() => {
    globalThis.tab = window.open("/");
  });
  const tab = await opened;
  await tab.addScriptTag({ type: "module", url: "/shard.mjs" });
  await tab.waitForFunction(() => globalThis.serves);
  const { same, text, missing } = await page.evaluate(answers, [PARTS, PROMPT]);
  expect(same, text).toBe(true);
  expect(text.length).toBeGreaterThan(20);
  expect(missing).toContain('/none/manifest.json": HTTP status is');
  expect(page.errors).toEqual([]);
});
