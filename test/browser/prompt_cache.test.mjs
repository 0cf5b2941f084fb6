// What prompts begin with, in the origin private file system.

import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, serve } from "./harness.mjs";

let chromium;
let server;
beforeAll(async () => {
  chromium = await browser();
  server = await serve();
});
afterAll(async () => {
  await chromium?.close();
  server?.close();
});

/** Loads a model and has it complete 100 tokens; text, reused tokens, and what is there when all is written. */
const run = (page, options = {}, load = { offload: true, promptCache: true }) =>
  page.evaluate(
    async ({ options, load }) => {
      const model = await zagreus.load("/model.gguf", load);
      const prompt = Array.from({ length: 100 }, (_, i) => 300 + ((i * i * 31) % 7000));
      const completion = model.complete(prompt, { maxTokens: 6, temperature: 0, ...options });
      const text = await completion.text();
      const figures = async () => JSON.stringify((await model.stats()).promptCache);
      for (let [before, now] = ["", await figures()]; load.promptCache && before !== now; ) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        [before, now] = [now, await figures()];
      }
      const { promptCache } = await model.stats();
      model.close();
      return { text, reused: completion.usage.reusedTokens, promptCache };
    },
    { options, load },
  );

/** Changes a byte of every second page; names of what is there. */
const damage = (page) =>
  page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("zagreus-prompts");
    const names = (await Array.fromAsync(folder.keys())).sort();
    for (const name of names) {
      const handle = await folder.getFileHandle(name);
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
      bytes[9000] ^= 1;
      const writable = await handle.createWritable();
      await writable.write(bytes);
      await writable.close();
    }
    return names;
  });

test("another page, and a browser that was started again, find it; what is damaged is run again", async () => {
  const page = await chromium.open(server.url);
  const cold = await run(page, {}, { offload: true });
  expect(cold).toMatchObject({ reused: 0, text: expect.stringMatching(/./) });
  expect(await run(page)).toMatchObject({
    text: cold.text,
    reused: 0,
    promptCache: { storedTokens: 96, writes: true },
  });
  expect(await run(await chromium.open(server.url))).toMatchObject({
    text: cold.text,
    reused: 96,
    promptCache: { restoredTokens: 96, storedTokens: 0, rejectedPages: 0 },
  });
  await chromium.restart();
  const again = await chromium.open(server.url);
  expect(await run(again)).toMatchObject({ text: cold.text, reused: 96 });
  expect(await run(again, { cacheSalt: "other" })).toMatchObject({ text: cold.text, reused: 0 });

  expect(await damage(again)).toHaveLength(6);
  const damaged = await run(again);
  expect(damaged).toMatchObject({ text: cold.text, reused: 0, promptCache: { storedTokens: 96, writes: true } });
  expect(damaged.promptCache.rejectedPages).toBeGreaterThan(0);
  expect(await run(again)).toMatchObject({ text: cold.text, reused: 96 });
  expect(again.errors).toEqual([]);
});

test("two tabs at once", async () => {
  const [a, b] = [await chromium.open(server.url), await chromium.open(server.url)];
  const options = { cacheSalt: "both" };
  const [one, two] = await Promise.all([run(a, options), run(b, options)]);
  expect(one.text).toBe(two.text);
  for (const { promptCache } of [one, two]) expect(promptCache).toMatchObject({ writes: true, rejectedPages: 0 });
  expect(await run(a, options)).toMatchObject({ text: one.text, reused: 96 });
});

test("on a page it is refused", async () => {
  const page = await chromium.open(server.url);
  const code = await page.evaluate(() => codeOf(() => zagreus.load("/model.gguf", { promptCache: true })));
  expect(code).toBe("UNSUPPORTED_RUNTIME");
});
