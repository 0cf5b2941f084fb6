// The recipes of docs/hosts.md for pages, service workers and extensions, followed in an empty project.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, ROOT, serve } from "../browser/harness.mjs";
import { installPackage } from "../runtimes/installed.mjs";
import { WRITTEN, writeRecipe } from "./recipes.mjs";

let project;
let chromium;
beforeAll(async () => {
  project = installPackage();
  chromium = await browser();
});
afterAll(async () => {
  await chromium?.close();
  project?.remove();
});

const path = (...names) => join(project.directory, ...names);

/** Writes a recipe's files and runs its commands. */
function follow(heading) {
  const commands = writeRecipe(heading, project.directory).replaceAll("npx ", `${ROOT}node_modules/.bin/`);
  execFileSync("sh", ["-ec", commands], { cwd: project.directory, stdio: ["ignore", "ignore", "pipe"] });
}

test("esbuild, for a page", async () => {
  follow("esbuild, for a page");
  renameSync(path("model.gguf"), path("public/model.gguf"));
  const html = '<!doctype html><body><script type="module" src="/app.js"></script>';
  const server = await serve({ folder: path("public"), isolated: true, html });
  const page = await chromium.open(server.url);
  await expect.poll(() => page.textContent("body"), { timeout: 30_000 }).toContain(WRITTEN);
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
});

test("one script, for pages from disk too", async () => {
  follow("One script, for pages from disk too");
  const page = await chromium.open(pathToFileURL(path("page.html")).href);
  await page.setInputFiles("input", path("model.gguf"));
  await expect.poll(() => page.textContent("output"), { timeout: 30_000 }).toContain(WRITTEN);
  expect(page.errors).toEqual([]);
  await page.close();
});

test("a service worker", async () => {
  follow("A service worker");
  renameSync(path("model.gguf"), path("public/model.gguf"));
  const server = await serve({ folder: path("public"), html: "<!doctype html>" });
  const page = await chromium.open(server.url);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/service_worker.js");
    await navigator.serviceWorker.ready;
  });
  await page.reload();
  const text = await page.evaluate(async () => (await fetch("/complete?prompt=C'era una volta")).text());
  expect(text).toContain(WRITTEN);
  await page.close();
  await server.close();
});

test("a Manifest V3 extension, of which all code is in the package", async () => {
  follow("A Manifest V3 extension");
  renameSync(path("model.gguf"), path("extension/model.gguf"));
  for (const name of readdirSync(path("extension/zagreus")).filter((name) => name.endsWith(".js"))) {
    expect(readFileSync(path("extension/zagreus", name), "utf8")).not.toMatch(/jsdelivr|unpkg|esm\.sh|\bcdn\./);
  }
  const extended = await browser({ extension: path("extension") });
  const worker = await extended.serviceWorker();
  const answer = await worker.evaluate(() => globalThis.complete("C'era una volta"));
  expect(answer).toEqual({ text: expect.stringContaining(WRITTEN) });
  await extended.close();
});
