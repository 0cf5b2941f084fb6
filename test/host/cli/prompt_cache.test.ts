// `zagreus serve`, killed and started again: what prompts begin with is on the disk.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { start } from "../../support/command";

const SYSTEM =
  "C'era una volta un re che aveva tre figlie, e ogni sera le chiamava accanto al fuoco per raccontare. ".repeat(6);
let folder = "";
let children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "prompts-"));
});
afterEach(async () => {
  await Promise.all(children.map(kill));
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "close");
  child.kill("SIGKILL");
  await gone;
}

async function serve(...args: string[]) {
  const here = ["--prompt-cache", folder];
  const child = start(["serve", "--port", "0", "--json", "--template", "chatml", ...here, ...args]);
  children.push(child);
  let stderr = "";
  child.stderr!.on("data", (text) => {
    stderr += text;
  });
  const [line] = await Promise.race([
    once(child.stdout!, "data"),
    once(child, "close").then(() => Promise.reject(new Error(stderr))),
  ]);
  const { url } = JSON.parse(String(line)) as { url: string };
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, "m").exec(text)?.[1]);
  };
  return {
    child,
    metric,
    said: () => stderr,
    /** What a chat says, and what was cached of its prompt. */
    async ask(question: string, key?: string) {
      const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
      const messages = [
        { role: "system", content: SYSTEM },
        { role: "user", content: question },
      ];
      const body = JSON.stringify({ messages, max_tokens: 12, temperature: 0 });
      const answer = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
      // biome-ignore lint/suspicious/noExplicitAny: JSON
      const { choices, usage } = (await answer.json()) as any;
      const { prompt_tokens: prompt, prompt_tokens_details: details } = usage;
      return { text: choices[0].message.content, prompt, cached: details.cached_tokens };
    },
    /** Until so many pages are on the disk. */
    async written(pages: number) {
      while (readdirSync(folder).filter((name) => name.endsWith(".kv")).length < pages)
        await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}
const pagesOf = (tokens: number) => Math.floor(tokens / 32);

test("killed, and started again: the same text, of which little is run; others' questions too", async () => {
  const first = await serve();
  const cold = await first.ask("Chi era?");
  expect([cold.cached, cold.prompt > 150]).toEqual([0, true]);
  await first.written(pagesOf(cold.prompt));
  await kill(first.child);

  const second = await serve("--sequences", "2", "--cache-budget", "1", "--threads", "1");
  const warm = await second.ask("Chi era?");
  expect(warm).toEqual({ ...cold, cached: 32 * pagesOf(cold.prompt) });
  expect(await second.metric("zagreus_restored_tokens_total")).toBe(warm.cached);
  expect(await second.metric("zagreus_reused_tokens_total")).toBe(warm.cached);
  expect(await second.metric("zagreus_prompt_cache_bytes")).toBeGreaterThan(0);
  await second.ask("Chi era?"); // from memory
  expect(await second.metric("zagreus_restored_tokens_total")).toBe(warm.cached);
  expect(await second.metric("zagreus_reused_tokens_total")).toBe(warm.cached + cold.prompt - 1);
  expect(second.said()).toMatch(new RegExp(`prompt ${cold.prompt} \\(${warm.cached} reused\\), wrote`));
  await kill(second.child);

  const third = await serve();
  const other = await third.ask("E la regina?");
  expect(other.cached).toBeGreaterThanOrEqual(128);
  const without = await serve("--no-prompt-cache");
  expect(await without.ask("E la regina?")).toEqual({ ...other, cached: 0 });
});

test("keys have their own, whatever their order; the same key finds it again", async () => {
  const keys = ["--api-key", "alice", "--api-key", "bob"];
  const first = await serve(...keys);
  const { prompt, text } = await first.ask("Chi era?", "alice");
  await first.written(pagesOf(prompt));
  await kill(first.child);
  const second = await serve("--api-key", "bob", "--api-key", "alice");
  expect(await second.ask("Chi era?", "bob")).toEqual({ text, prompt, cached: 0 });
  expect(await second.ask("Chi era?", "alice")).toEqual({ text, prompt, cached: 32 * pagesOf(prompt) });
  for (const name of readdirSync(folder)) expect(readFileSync(join(folder, name), "latin1")).not.toMatch(/alice|bob/);
});

test("what was damaged meanwhile is run, and removed", async () => {
  const first = await serve();
  const cold = await first.ask("Chi era?");
  await first.written(pagesOf(cold.prompt));
  await kill(first.child);
  const names = readdirSync(folder);
  for (const [i, name] of names.entries()) {
    const path = join(folder, name);
    if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
    if (i % 2) truncateSync(path, 100 * i);
    else writeFileSync(path, readFileSync(path).fill(i, 500, 600));
  }
  const second = await serve();
  expect(await second.ask("Chi era?")).toEqual(cold);
  await second.written(names.length);
  await kill(second.child);
  const third = await serve();
  const again = await third.ask("Chi era?");
  expect(again.text).toBe(cold.text);
  expect(again.cached).toBeGreaterThan(0);
});

test("two servers in one folder, below its limit", async () => {
  const [a, b] = await Promise.all([serve("--prompt-cache-size", "1"), serve("--prompt-cache-size", "1")]);
  const questions = Array.from({ length: 10 }, (_, i) => `${i} ${"Chi era la regina? ".repeat(20)}`);
  const texts = await Promise.all(questions.flatMap((question) => [a.ask(question), b.ask(question)]));
  for (let i = 0; i < questions.length; i++) expect(texts[2 * i]!.text).toBe(texts[2 * i + 1]!.text);
  const bytes = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  await a.written(10);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(bytes()).toBeLessThan(1.5 * 2 ** 20);
  await Promise.all([kill(a.child), kill(b.child)]);
  const c = await serve();
  const again = await c.ask(questions[3]!);
  expect(again.text).toBe(texts[6]!.text);
  expect(again.cached).toBeGreaterThan(0); // its beginning is that of all
});
