// The demos: tools, with a server that says what a test wants; answers that are JSON of a schema, with a model that writes nonsense but is kept
// to it.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { click, fill, launch, PHONE, press, say, served, text, texts, written } from "./harness.mjs";
import { chatNano } from "./models";
import { stub } from "./stub.mjs";

let browser;
beforeAll(async () => {
  browser = await launch("chromium", "en");
});
afterAll(() => browser?.close());

/** Changes settings. */
async function set(page, change) {
  await press(page, "Settings");
  await change();
  await press(page, "Close");
}

test("tools are called, and the model is told what they say", async () => {
  const call = (id, name, args) => ({ index: 0, id, type: "function", function: { name, arguments: args } });
  const server = await stub({
    replies: [
      [
        { tool_calls: [call("a", "calculate", '{"expression":')] },
        { tool_calls: [{ index: 0, function: { arguments: '"6 * 7"}' } }] },
      ],
      [{ content: "It is **42**." }],
    ],
  });
  const page = await browser.open(server.url, PHONE);
  await written(page);
  await set(page, () => click(page, "#tools"));
  await say(page, "What is 6 times 7?");
  await page.waitForSelector("article strong");
  expect((await texts(page, ".call")).map((line) => line.trim())).toEqual([
    'Calls calculate {"expression":"6 * 7"}',
    "calculate says 42",
  ]);
  const [first, second] = server.bodies;
  expect(first.tools.map(({ function: { name } }) => name)).toEqual(["current_time", "calculate"]);
  expect(second.messages.slice(1)).toEqual([
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "a", type: "function", function: { name: "calculate", arguments: '{"expression":"6 * 7"}' } }],
    },
    { role: "tool", content: "42", tool_call_id: "a", name: "calculate" },
  ]);
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
});

test("a model that calls tools without end is stopped", async () => {
  const tool_calls = [{ index: 0, id: "a", type: "function", function: { name: "current_time", arguments: "{}" } }];
  const server = await stub({ replies: Array(9).fill([{ tool_calls }]) });
  const page = await browser.open(server.url);
  await written(page);
  await set(page, () => click(page, "#tools"));
  await say(page, "When?");
  await page.waitForFunction(() => document.body.textContent.includes("too many calls of tools"));
  expect(server.bodies.length).toBe(5);
  await page.close();
  await server.close();
});

test("a schema is kept to, system prompt and sampling arrive; what is no schema is said so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zagreus-chat-"));
  writeFileSync(join(folder, "m.gguf"), chatNano("m", 512));
  const server = await served({ m: join(folder, "m.gguf") });
  const page = await browser.open(server.url);
  await written(page);
  await set(page, async () => {
    await fill(page, "#system", "Be brief.");
    await fill(page, "#temperature", "0");
    await click(page, "#schema");
  });
  await say(page, "How sure are you?");
  await page.waitForSelector("article .speed");
  const answer = JSON.parse(await text(page, ".markdown"));
  expect(Object.keys(answer).sort()).toEqual(["answer", "certainty"]);
  const other = { type: "object", properties: { n: { type: "integer", minimum: 1, maximum: 9 } }, required: ["n"] };
  await set(page, async () => {
    await fill(page, "#schemaText", "{");
    const refused = () => document.querySelector("#schemaText + .error")?.textContent.startsWith("This is not JSON: ");
    await page.waitForFunction(refused);
    await fill(page, "#schemaText", JSON.stringify({ ...other, additionalProperties: false }));
  });
  await press(page, "Regenerate");
  await page.waitForFunction(() => document.querySelector("article .speed") && document.querySelector(".versions"));
  expect(JSON.parse(await text(page, ".markdown")).n).toBeGreaterThan(0);
  expect(page.errors).toEqual([]);
  await page.close();
  await server.close();
  rmSync(folder, { recursive: true });
});
