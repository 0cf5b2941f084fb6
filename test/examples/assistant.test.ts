// examples/assistant: its tools, and the program as its README runs it.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Model, type RunnableTool, type RunToolsOptions, runTools } from "zagreus-edge";
import { loadNano } from "../support/nano";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "zagreus-assistant-"));
const NOTES = join(directory, "notes.txt");
const example = (name: string) => import(new URL(`../../examples/assistant/${name}`, import.meta.url).href);

let model: Model;
let tools: RunnableTool[];
let plaything: Omit<RunToolsOptions, "tools">;
beforeAll(async () => {
  process.env.ASSISTANT_NOTES = NOTES;
  [{ tools }, { PLAYTHING: plaything }] = await Promise.all(["tools.mjs", "plaything.mjs"].map(example));
  model = await loadNano();
});
beforeEach(() => rmSync(NOTES, { force: true }));
afterAll(() => {
  model.close();
  rmSync(directory, { recursive: true });
});

const tool = (name: string) => tools.find((tool) => tool.function.name === name)!;
const run = (name: string, args: object) => tool(name).run(args, { call: undefined as never, signal: undefined });

test.each([
  [12, "multiply", 34, 408],
  [1, "add", -3, -2],
  [1, "subtract", 0.75, 0.25],
  [1, "divide", 8, 0.125],
])("calculator: %d %s %d is %d", (a, operation, b, result) => {
  expect(run("calculator", { a, operation, b })).toEqual({ result });
});

test("calculator: what is no number is said", () => {
  expect(() => run("calculator", { a: 1, operation: "divide", b: 0 })).toThrow("no finite number");
  expect(() => run("calculator", { a: 1e308, operation: "multiply", b: 10 })).toThrow("no finite number");
});

test("clock", () => {
  const { now } = run("clock", { zone: "UTC" }) as { now: string };
  expect(now).toMatch(new RegExp(`${new Date().getUTCFullYear()}.*UTC$`));
});

test("notes: written, shown, removed; what cannot be is said", async () => {
  expect(await run("list_notes", {})).toEqual([]);
  await run("add_note", { text: "latte" });
  expect(await run("add_note", { text: " pane\ne  burro " })).toEqual({ number: 2, note: "pane e burro" });
  expect(readFileSync(NOTES, "utf8")).toBe("latte\npane e burro\n");
  expect(await run("remove_note", { number: 1 })).toEqual({ removed: "latte" });
  expect(await run("list_notes", {})).toEqual([{ number: 1, note: "pane e burro" }]);
  await expect(run("remove_note", { number: 2 })).rejects.toThrow("no note 2");
  await expect(run("add_note", { text: " \n" })).rejects.toThrow("1 to 500 characters");
});

test.each(["calculator", "clock", "add_note", "list_notes", "remove_note"])(
  "the model calls %s, which runs",
  async (name) => {
    const { messages } = await runTools(model, [{ role: "user", content: "Aiuto" }], {
      ...plaything,
      tools,
      toolChoice: { type: "function", function: { name } },
      maxTokens: 120,
    });
    const [, call, result] = messages;
    expect(call?.tool_calls?.[0]?.function.name).toBe(name);
    const args = JSON.parse(call!.tool_calls![0]!.function.arguments);
    expect(result).toMatchObject({ role: "tool", name });
    const value = JSON.parse(String(result?.content));
    if (name === "calculator") expect(value.result ?? value.error).toBeDefined();
    if (name === "clock") expect(value.now).toContain(String(new Date().getFullYear()));
    if (name === "add_note" && args.text.trim()) expect(readFileSync(NOTES, "utf8")).toContain(value.note);
    if (name === "list_notes") expect(value).toEqual([]);
    if (name === "remove_note") expect(value.error).toContain("there is no note");
  },
);

test("the README's command runs, and so does a conversation on standard input", () => {
  const readme = readFileSync(join(ROOT, "examples/assistant/README.md"), "utf8");
  const commands = /```sh\n(.*?)\n```/s.exec(readme)![1]!.split("\n");
  expect(commands[0]).toBe("npm ci && npm run build"); // has been done
  expect(commands).toHaveLength(2);
  const shell = (command: string, input = "") =>
    execFileSync("sh", ["-c", command], {
      cwd: ROOT,
      input,
      encoding: "utf8",
      env: { ...process.env, ASSISTANT_NOTES: NOTES },
    });
  expect(shell(commands[1]!)).toMatch(/\[(calculator|clock|\w+_notes?)\(\{.*\}\) = .+\]/);
  const lines = shell("node examples/assistant/assistant.mjs", "Ciao\n\nChe ore sono?\n").match(
    /^\[\w+\(\{.*\}\) = /gm,
  );
  expect(lines?.length).toBeGreaterThanOrEqual(2);
});

test("it imports published names only", () => {
  for (const name of ["assistant", "tools", "plaything", "notes"]) {
    const source = readFileSync(join(ROOT, `examples/assistant/${name}.mjs`), "utf8");
    for (const [, imported] of source.matchAll(/from "([^"]+)"/g))
      expect(imported).toMatch(/^(node:|\.\/|zagreus-edge$)/);
  }
});
