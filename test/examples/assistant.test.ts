// examples/assistant: its tools, and the program as its README runs it.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Model, type RunnableTool, type RunToolsOptions, runTools } from "zagreus-edge";
import { loadNano } from "../support/nano";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "zagreus-assistant-"));
const NOTES = join(directory, "notes.txt");
const example = (name: string) => import(new URL(`../../examples/assistant/${name}`, import.meta.url).href);

let model: Model;
let calculate: (expression: unknown) => number;
let tools: RunnableTool[];
let plaything: Omit<RunToolsOptions, "tools">;
beforeAll(async () => {
  process.env.ASSISTANT_NOTES = NOTES;
  [{ calculate }, { tools }, { PLAYTHING: plaything }] = await Promise.all(
    ["calculator.mjs", "tools.mjs", "plaything.mjs"].map(example),
  );
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
  ["1 + 2 * 3", 7],
  ["-2 ^ 2", -4],
  ["2 ^ 3 ^ 2", 512],
  ["(1 + 2) * -3", -9],
  ["10 % 4 / .5", 4],
  ["SQRT(16) + round(pi)", 7],
  ["1.5e3", 1500],
  ["0.1 + 0.2", 0.3],
])("calculator: %s is %d", (expression, value) => {
  expect(calculate(expression)).toBe(value);
});

test.each([
  "",
  "1 +",
  "(1",
  "1)",
  "1 2",
  "1 / 0",
  "5 % 0",
  "1e999",
  "x",
  "sqrt 4",
  "process.exit()",
  "constructor",
  "__proto__",
  7,
])("calculator: %s is refused", (expression) => {
  expect(() => calculate(expression)).toThrow();
});

test("calculator: sums and products of any numbers are right, and no text does anything else", () => {
  const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(number, number, number, (a, b, c) => {
      const [x, y, z] = [a, b, c].map((value) => Number(value.toFixed(3)));
      const value = calculate(`${x} + ${y} * (${z})`);
      expect(Math.abs(value - (x! + y! * z!))).toBeLessThanOrEqual(1e-10 * Math.abs(value) + 1e-6);
    }),
  );
  const characters = [..."0123456789+-*/%^(). eabcsqrtpi[]'\"`\\=;{}"];
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...characters), maxLength: 250 }), (text) => {
      try {
        expect(Number.isFinite(calculate(text))).toBe(true);
      } catch (error) {
        expect((error as Error).name).toBe("Error"); // and not TypeError or RangeError
      }
    }),
    { numRuns: 1000 },
  );
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
  for (const name of ["assistant", "tools", "plaything", "calculator", "notes"]) {
    const source = readFileSync(join(ROOT, `examples/assistant/${name}.mjs`), "utf8");
    for (const [, imported] of source.matchAll(/from "([^"]+)"/g))
      expect(imported).toMatch(/^(node:|\.\/|zagreus-edge$)/);
  }
});
