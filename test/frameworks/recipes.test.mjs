// The programs of docs/frameworks.md: each streams, and a client that leaves stops the model.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RUNTIMES } from "../runtimes/installed.mjs";
import { blocksOf, freePort, project, ROOT, withoutTypes } from "./blocks.mjs";

/** What is not a program of its own, and who runs it. */
const ELSEWHERE = { "Next.js": "test/frameworks/next.sh" };

const recipes = blocksOf("docs/frameworks.md");
const here = recipes.filter(({ heading }) => !(heading in ELSEWHERE));

/** The package, but that a prompt which begins with "endless" is continued for as long as somebody reads. */
const endless = (entry) => `
export * from "${pathToFileURL(`${ROOT}/dist/${entry}`)}";
import { load as open } from "${pathToFileURL(`${ROOT}/dist/${entry}`)}";
export async function load(...given) {
  const model = await open(...given);
  const logitBias = Object.fromEntries(model.info.tokenizer.end.map((token) => [token, -100]));
  const { complete } = model;
  const without = { maxTokens: 2 ** 20, overflow: { keep: 4 }, logitBias };
  model.complete = (prompt, options) =>
    complete.call(model, prompt, { ...options, ...(prompt.startsWith("endless") && without) });
  return model;
}`;

let folder;
beforeAll(() => {
  folder = project({
    "node_modules/zagreus-edge/package.json": '{ "type": "module", "exports": "./index.js" }',
    "node_modules/zagreus-edge/index.js": endless("index.js"),
    "deno.json": '{ "imports": { "zagreus-edge": "./deno.js" } }',
    "deno.js": endless("deno.js"),
  });
});
afterAll(() => folder?.remove());

/** Starts a recipe; `url` is where it listens. */
async function start({ heading, code }) {
  const port = await freePort();
  const name = `${heading}.mjs`;
  folder.write(name, withoutTypes(code.replaceAll("3000", String(port))));
  const runtime = heading in RUNTIMES ? heading : "Node 24";
  const [command, ...args] = RUNTIMES[runtime](name, "--allow-read", "--allow-net");
  const child = spawn(command, args, { cwd: folder.directory, stdio: ["ignore", "inherit", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const url = `http://localhost:${port}/?prompt=`;
  while (
    !(await fetch(url).then(
      (response) => response.text(),
      () => undefined,
    ))
  ) {
    if (child.exitCode !== null) throw new Error(stderr);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    async stop() {
      expect(child.exitCode, stderr).toBe(null);
      child.kill();
      await once(child, "exit");
    },
  };
}

test("every framework has a program", () => {
  const names = recipes.map(({ heading }) => heading);
  expect(names).toEqual(["Node", "Express", "Fastify", "Hono", "Next.js", "Deno", "Bun"]);
});

test.each(here.map((recipe) => [recipe.heading, recipe]))(
  "%s streams, and a client that leaves stops the model",
  async (heading, recipe) => {
    const { url, stop } = await start(recipe);
    const answer = await fetch(`${url}Ciao`);
    expect(answer.headers.get("content-type")).toMatch(heading === "Hono" ? /^text\/event-stream/ : /^text\/plain/);
    expect((await answer.text()).length).toBeGreaterThan(10);

    const [first, second] = [new AbortController(), new AbortController()];
    const reader = (await fetch(`${url}endless`, { signal: first.signal })).body.getReader();
    expect((await reader.read()).value.length).toBeGreaterThan(0); // though it has no end
    const waiting = fetch(`${url}endless`, { signal: second.signal }).catch(({ name }) => name);
    await new Promise((resolve) => setTimeout(resolve, 200));
    second.abort(); // before its first byte
    await new Promise((resolve) => setTimeout(resolve, 100));
    first.abort();
    expect(await Promise.race([waiting, "still there"])).not.toBe("still there");
    expect((await (await fetch(`${url}Ciao`)).text()).length).toBeGreaterThan(10); // so the model is free
    await stop();
  },
);
