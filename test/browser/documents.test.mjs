// The library page's program for pages.

import { expect, test } from "vitest";
import { blocksOf, withoutTypes } from "../frameworks/blocks.mjs";
import { browser, serve } from "./harness.mjs";

test("the library page's program loads a model on a page, and its response streams there", async () => {
  const { code } = blocksOf("docs/library.md").find(({ heading }) => heading === "In a browser");
  const chromium = await browser();
  const server = await serve({ isolated: true });
  const page = await chromium.open(server.url);
  const program = withoutTypes(code).replace("https://host/model.gguf", `${server.url}/model.gguf`);
  await page.addScriptTag({
    type: "module",
    content: `import { load } from "/dist/browser.js";
      const phases = [];
      const onProgress = ({ phase }) => phases.push(phase);
      ${program}
      const response = model.complete("C'era una volta", { maxTokens: 8, temperature: 0 }).toResponse();
      globalThis.result = { text: await response.text(), phases: [...new Set(phases)] };
      model.close();`,
  });
  await page.waitForFunction(() => globalThis.result !== undefined);
  const { text, phases } = await page.evaluate(() => globalThis.result);
  expect(page.errors).toEqual([]);
  expect(text.length).toBeGreaterThan(5);
  expect(phases).toContain("weights");
  await chromium.close();
  await server.close();
});
