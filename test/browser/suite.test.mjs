// The suite of all runtimes, on a page. Its report is what `npm run runtimes` makes rows of the table of.

import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failures } from "../runtimes/suite.mjs";
import { browser, ROOT, serve } from "./harness.mjs";

let chromium;
beforeAll(async () => {
  chromium = await browser();
});
afterAll(() => chromium?.close());

/** Runs the suite; `options` go to every load(). */
async function runSuite(isolated, options) {
  const server = await serve({ isolated });
  const page = await chromium.open(server.url);
  const report = await page.evaluate(
    async ({ options, version }) => {
      const { bundledModel, load, ZagreusError } = zagreus;
      const bytes = new Uint8Array(await (await fetch(bundledModel)).arrayBuffer());
      const sources = {
        URL: () => bundledModel,
        path: () => "/host/models/zagreus-nano-Q8_0.gguf",
        Blob: () => new Blob([bytes]),
        File: () => new File([bytes], "nano.gguf"),
        Response: () => new Response(bytes),
        Uint8Array: () => bytes,
      };
      return runSuite({ runtime: `Chromium ${version}`, load, ZagreusError, bytes, sources, options });
    },
    { options, version: chromium.version() },
  );
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
  expect(failures(report)).toEqual([]);
  return report;
}

const working = ({ rows }) => rows.filter(({ works }) => works).map(({ build }) => build);

test("on an isolated page, in a worker: every build", async () => {
  const report = await runSuite(true, { offload: true });
  expect(working(report)).toEqual(["simd", "relaxed", "simd-mt", "relaxed-mt"]);
  mkdirSync(`${ROOT}test/runtimes/reports`, { recursive: true });
  writeFileSync(`${ROOT}test/runtimes/reports/chromium.json`, JSON.stringify(report));
});

test("on a page that is not isolated, in a worker: the builds without threads", async () => {
  const report = await runSuite(false, { offload: true });
  expect(working(report)).toEqual(["simd", "relaxed"]);
});

test("on the page itself", async () => {
  expect(working(await runSuite(true, {}))).toEqual(["simd", "relaxed", "simd-mt", "relaxed-mt"]);
});
