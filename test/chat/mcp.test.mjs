// Tools of MCP servers: the SDK's own example server, called from the page in all browsers with both back ends; what strangers' servers do; who
// is asked.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  choose,
  click,
  fill,
  findings,
  launch,
  NAMES,
  PHONE,
  press,
  say,
  served,
  site,
  text,
  texts,
  written,
} from "./harness.mjs";
import { chatNano } from "./models";
import { stub } from "./stub.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const EVERYTHING = here("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
const STRANGE = here("../support/mcp/server.mjs");

/** Starts a server; its address is what `addressOf` makes of a line that it prints, if that is one. */
async function start(args, env, addressOf) {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  child.stdout.resume();
  const lines = createInterface(addressOf.stream === "stderr" ? child.stderr : child.stdout);
  for await (const [line] of lineEvents(lines)) {
    const url = addressOf.find(line);
    if (url) {
      child.stderr.resume();
      return {
        url,
        async close() {
          child.kill();
          await ended;
        },
      };
    }
  }
  throw new Error("the server has ended");
}

async function* lineEvents(lines) {
  for (;;) yield await Promise.race([once(lines, "line"), once(lines, "close").then(() => Promise.reject(lines))]);
}

async function everything() {
  const probe = createServer().listen(0);
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  const find = (line) => line.includes("listening") && `http://localhost:${port}/mcp`;
  return start([EVERYTHING, "streamableHttp"], { PORT: String(port) }, { stream: "stderr", find });
}

const strange = (env = {}) => start([STRANGE, "http"], env, { stream: "stdout", find: (line) => line });

const open = (page) => press(page, "Settings");
const close = (page) => press(page, "Close");

/** Connects with a server; the settings are open. */
async function connect(page, url, headers = "") {
  await fill(page, "#mcp-url", url);
  await fill(page, "#mcp-headers", headers);
  await press(page, "Connect");
}

const shown = (page, selector, wanted) =>
  page.waitForFunction(
    (selector, wanted) =>
      [...document.querySelectorAll(selector)].some(({ textContent }) => textContent.includes(wanted)),
    {},
    selector,
    wanted,
  );

/** Leaves one tool on. */
async function only(page, name) {
  await page.$$eval(
    ".server .check",
    (labels, name) => {
      for (const label of labels) {
        const box = label.querySelector("input");
        if (box.checked !== label.textContent.trim().startsWith(`${name} `)) box.click();
      }
    },
    name,
  );
  await shown(page, "#tool-use", "Tools: 1");
}

const call = (id, name, args) => [
  { tool_calls: [{ index: 0, id, type: "function", function: { name, arguments: JSON.stringify(args) } }] },
];

async function end(page, ...servers) {
  expect(page.errors).toEqual([]);
  await page.close();
  for (const server of servers) await server.close();
}

let folder;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zagreus-chat-"));
  writeFileSync(join(folder, "uno.gguf"), chatNano("uno"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BACKENDS = {
  page: {
    start: () => site(),
    async pick(page) {
      await click(page, "#model");
      await (await page.waitForSelector("#file")).uploadFile(join(folder, "uno.gguf"));
      await page.waitForSelector("dialog[open]", { hidden: true });
      await written(page);
    },
  },
  server: { start: () => served({ uno: join(folder, "uno.gguf") }), pick: (page) => choose(page, "uno") },
};

describe.each(NAMES)("%s", (name) => {
  let browser;
  beforeAll(async () => {
    browser = await launch(name, "en");
  });
  afterAll(() => browser?.close());

  test.each(Object.keys(BACKENDS))("a model of the %s calls the example server, when it may", async (kind) => {
    const [server, mcp] = await Promise.all([BACKENDS[kind].start(), everything()]);
    const page = await browser.open(server.url, PHONE);
    await BACKENDS[kind].pick(page);
    await open(page);
    await connect(page, mcp.url);
    await shown(page, ".server .error", "simulate-research-query is left out: it runs as a task only");
    await shown(page, ".server .check", "Echoes back the input");
    expect(await findings(page)).toEqual([]);
    await only(page, "echo");
    await click(page, "#mustCall");
    await fill(page, "#temperature", "0");
    await fill(page, "#maxTokens", "60");
    await close(page);

    await say(page, "Ciao");
    await page.waitForSelector(".asking");
    expect(await findings(page)).toEqual([]);
    const args = JSON.parse(await text(page, ".call code"));
    expect(await text(page, ".question")).toBe(`${new URL(mcp.url).host}/mcp is to run echo(${JSON.stringify(args)})`);
    await press(page, "Allow once");
    await shown(page, ".tool .call", `echo says Echo: ${args.message.slice(0, 20)}`);
    await page.waitForFunction(() => document.querySelectorAll(".assistant .speed").length === 2);
    expect(await page.$(".asking")).toBe(null);
    await end(page, server, mcp);
  });
});

describe("in Chromium", () => {
  let browser;
  beforeAll(async () => {
    browser = await launch("chromium", "en");
  });
  afterAll(() => browser?.close());

  /** A page whose model says `replies`, connected with a server. */
  async function connected(replies, mcp) {
    const server = await stub({ replies });
    const page = await browser.open(server.url);
    await written(page);
    await open(page);
    await connect(page, mcp.url);
    await shown(page, ".server .hint", "Tools: ");
    await close(page);
    return { page, server };
  }

  test("once, always for one tool, never; stopped while it is asked", async () => {
    const mcp = await everything();
    const done = [{ content: "Well." }];
    const [echo, sum] = [(id, message) => call(id, "echo", { message }), (id) => call(id, "get-sum", { a: 1, b: 2 })];
    const replies = [
      ...[echo("a", "one"), done, echo("b", "two"), done, echo("c", "three"), done],
      ...[sum("d"), done, echo("e", "<b>\u202efour"), sum("f"), done],
    ];
    const { page, server } = await connected(replies, mcp);
    const results = () => texts(page, ".tool code");

    await say(page, "1");
    await press(page, "Allow once");
    await shown(page, ".tool", "Echo: one");
    expect(await page.evaluate(() => document.activeElement.id)).toBe("log");
    await written(page);
    await say(page, "2");
    await press(page, "Always for this tool");
    await shown(page, ".tool", "Echo: two");
    await written(page);
    await say(page, "3");
    await shown(page, ".tool", "Echo: three");
    await written(page);
    await say(page, "4");
    await press(page, "Refuse");
    await shown(page, ".tool", "the user does not allow this call");
    await written(page);
    expect((await results()).slice(-1)).toEqual(['{"error":"the user does not allow this call"}']);

    await say(page, "5");
    await shown(page, ".tool", "<b>\ufffdfour");
    await page.waitForSelector(".asking");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".asking", { hidden: true });
    await written(page);
    await say(page, "6");
    await page.waitForFunction(() => document.querySelectorAll(".assistant .speed").length >= 5);
    await written(page);
    // The call that was stopped is not told to the model.
    const { messages } = server.bodies.at(-1);
    expect(messages.flatMap(({ tool_calls = [] }) => tool_calls.map(({ id }) => id))).toEqual([
      "a",
      "b",
      "c",
      "d",
      "e",
    ]);
    await end(page, server, mcp);
  });

  test("a key; a schema that cannot be kept drops its tool alone; tools that change; kept when the page is loaded again", async () => {
    const mcp = await strange({ TOKEN: "secret" });
    const server = await stub({ replies: [call("a", "grows", {}), [{ content: "Yes." }]] });
    const page = await browser.open(server.url);
    await written(page);
    await open(page);
    await connect(page, mcp.url, "nonsense");
    await shown(page, "#servers form .error", "This is not a header: nonsense");
    await connect(page, "localhost/mcp");
    await shown(page, "#servers form .error", "This is not an http address: localhost/mcp");
    await connect(page, mcp.url);
    await shown(page, ".server .error", "who are you?");
    await shown(page, "#tool-use", "servers that failed: 1");
    await connect(page, mcp.url, "Authorization: Bearer secret");
    await shown(page, ".server .error", "elsewhere is left out: ");
    expect((await texts(page, ".server .error")).filter((line) => line.includes("left out")).length).toBe(1);
    const names = ["a/b", "a b", "bounded", "fails", "long", "escapes", "hangs", "exits", "grows"];
    expect((await texts(page, ".server .check")).map((line) => line.split("  ")[0].trim().split(" Has")[0])).toEqual(
      names,
    );
    await close(page);

    await say(page, "Grow");
    await press(page, "Allow once");
    await shown(page, "#tool-use", "Tools: 10");
    await written(page);
    const offered = server.bodies[0].tools.map(({ function: { name } }) => name);
    expect(offered).toEqual(["a_b", "a_b_2", ...names.slice(2)]);
    expect(server.bodies[0].tools[2].function.parameters.properties.x).toEqual({ type: "string", enum: ["b"] });
    await page.reload();
    await shown(page, "#tool-use", "Tools: 10");
    await end(page, server, mcp);
  });

  test("the server of the page brings servers along, by stdio too", async () => {
    const server = await served(
      { uno: join(folder, "uno.gguf") },
      ...["--api-key", "k", "--mcp", `"${process.execPath}" "${EVERYTHING}" stdio`],
    );
    const page = await browser.open(server.url);
    await open(page);
    await fill(page, "#key", "k");
    await page.$eval("#key", (field) => field.dispatchEvent(new Event("change", { bubbles: true })));
    await shown(page, ".server .check", "Echoes back the input");
    expect(await page.$(".server [aria-label^=Remove]")).toBe(null);
    await only(page, "echo");
    await click(page, "#mustCall");
    await fill(page, "#maxTokens", "60");
    await close(page);
    await written(page);
    await say(page, "Ciao");
    await press(page, "Allow once");
    await shown(page, ".tool .call", "echo says Echo: ");
    await page.reload();
    await shown(page, "#tool-use", "Tools: 1");
    await end(page, server);
  });

  test("a server that goes away, and nobody at the address", async () => {
    const mcp = await strange();
    const { page, server } = await connected([call("a", "exits", {}), [{ content: "Oh." }]], mcp);
    await say(page, "Go");
    await press(page, "Allow once");
    await shown(page, ".tool code", '{"error":');
    await shown(page, "#tool-use", "servers that failed: 1");
    await written(page);
    await click(page, "#tool-use");
    await shown(page, ".server .error", "let pages of other origins in (CORS)?");
    await press(page, `Connect with ${mcp.url} anew`);
    await shown(page, ".server .error", "cannot be used");
    await press(page, `Remove ${mcp.url}`);
    await page.waitForSelector(".server", { hidden: true });
    await page.reload();
    await written(page);
    expect(await page.$("#tool-use")).toBe(null);
    await end(page, server, mcp);
  });
});
