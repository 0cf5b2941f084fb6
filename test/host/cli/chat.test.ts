// `zagreus chat` as scripts use it: lines on standard input. A person's terminal: terminal.test.ts and test/terminal.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ChatMessage, Model } from "zagreus-edge";
import { finish, start, zagreus } from "../../support/command";
import { GREEDY, loadNano } from "../../support/nano";

const directory = mkdtempSync(join(tmpdir(), "zagreus-chat-"));
const path = (name: string) => join(directory, name);
function file(name: string, content: string | object): string {
  writeFileSync(path(name), typeof content === "string" ? content : JSON.stringify(content));
  return path(name);
}

let model: Model;
beforeAll(async () => {
  model = await loadNano();
});
afterAll(() => {
  model.close();
  rmSync(directory, { recursive: true });
});

const FLAGS = [
  "chat",
  "-m",
  "zagreus-nano",
  "--template",
  "chatml",
  "--temp",
  "0",
  "--repetition-penalty",
  "1",
  "-n",
  "8",
];
const chat = (lines: string[], ...flags: string[]) => zagreus([...FLAGS, ...flags], `${lines.join("\n")}\n`);

/** The messages of a chat that must succeed. */
async function messagesOf(lines: string[], ...flags: string[]): Promise<ChatMessage[]> {
  const { code, stdout, stderr } = await chat(lines, "--json", ...flags);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout).messages;
}

async function reply(messages: ChatMessage[]): Promise<string> {
  return model.chat(messages, { ...GREEDY, template: "chatml", maxTokens: 8 }).text();
}

test("a base model is refused before anything is said", async () => {
  const result = await zagreus(["chat", "-m", "zagreus-nano"], "Ciao\n");
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toMatch(/^zagreus: zagreus-nano is a base model: .*zagreus complete.*-m nesso-instruct.*\n$/);
});

test("without a model it names some, where nobody can be asked", async () => {
  const { code, stdout, stderr } = await zagreus(["chat"], "Ciao\n");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  for (const text of ["zagreus chat -m nesso-instruct", "-m nesso2-agentic"]) expect(stderr).toContain(text);
});

test("--verbose tells what a reply cost, --json-schema makes it valid", async () => {
  const { code, stdout, stderr } = await chat(
    ["Ciao"],
    ...[
      "--verbose",
      "-n",
      "48",
      "--json-schema",
      file("schema.json", { type: "array", maxItems: 2, items: { type: "integer" } }),
    ],
  );
  expect(code, stderr).toBe(0);
  expect(Array.isArray(JSON.parse(stdout))).toBe(true);
  expect(stderr).toMatch(/^tokens: \d+ of prompt, \d+ of them reused, .*; context \d+ of 512\n$/);
});

test("each line is a message, and the replies know what was said before", async () => {
  const system: ChatMessage = { role: "system", content: "Sei gentile." };
  const said: ChatMessage[] = [system, { role: "user", content: "Ciao" }];
  const first = await reply(said);
  said.push({ role: "assistant", content: first }, { role: "user", content: "/e poi?" });
  const second = await reply(said);
  said.push({ role: "assistant", content: second });
  const lines = ["Ciao", "", "//e poi?"];

  const { code, stdout } = await chat(lines, "--system", "Sei gentile.");
  expect({ code, stdout }).toEqual({ code: 0, stdout: [first, second].map((text) => `${text}\n`).join("") });
  expect(await messagesOf(lines, "--system", "Sei gentile.")).toEqual(said);
});

test("a backslash at its end continues a line", async () => {
  const [said] = await messagesOf(["uno \\", "due\\", "", "tre"]);
  expect(said).toEqual({ role: "user", content: "uno \ndue\n" });
  const [last] = await messagesOf(["fine\\"]);
  expect(last?.content).toBe("fine\n");
});

test("/save, /load, /reset, /system, /help, /exit", async () => {
  const saved = path("conversation.json");
  const before = await messagesOf(["/system Breve.", "Ciao", `/save ${saved}`, "/reset", "/exit", "never said"]);
  expect(before).toEqual([{ role: "system", content: "Breve." }]);
  const { messages } = JSON.parse(readFileSync(saved, "utf8"));
  expect(messages.map(({ role }: ChatMessage) => role)).toEqual(["system", "user", "assistant"]);

  const after = await messagesOf([`/load ${saved}`, "/system Lungo.", "E poi?"]);
  expect(after.slice(0, 4)).toEqual([
    { role: "system", content: "Lungo." },
    ...messages.slice(1),
    { role: "user", content: "E poi?" },
  ]);
  expect(after.at(-1)?.content).toBe(await reply(after.slice(0, -1)));
  expect(await messagesOf([`/load ${file("bare.json", messages)}`])).toEqual(messages);

  const { stdout, stderr } = await chat(["/help", "/system", "/tools", "/save", "/nothing"]);
  expect(stdout).toBe("");
  for (const text of ["/save FILE", "no system message", "no tools", "usage: /save FILE", "there is no /nothing"]) {
    expect(stderr).toContain(text);
  }
});

const TOOL = {
  type: "function",
  function: {
    name: "add",
    description: "Adds.",
    parameters: { type: "object", properties: { a: { enum: [1, 2] } }, required: ["a"], additionalProperties: false },
  },
};

test("tools from JSON are shown, and the next line is their result", async () => {
  const tools = file("tools.json", `\uFEFF${JSON.stringify([TOOL])}`); // as editors on Windows write it
  const flags = ["--tools", tools, "--tool-choice", "required", "-n", "48"];
  const [user, call, result, last] = await messagesOf(["Quanto fa?", "forty-two"], ...flags);
  expect(user).toEqual({ role: "user", content: "Quanto fa?" });
  const [made] = call?.tool_calls ?? [];
  expect(made).toMatchObject({ type: "function", function: { name: "add" } });
  expect([1, 2]).toContain(JSON.parse(made!.function.arguments).a);
  expect(result).toMatchObject({ role: "tool", tool_call_id: made?.id, content: "forty-two" });
  expect(last?.role).toBe("assistant");

  const { stderr } = await chat(["/tools", "Quanto fa?", "forty-two"], ...flags);
  expect(stderr).toMatch(/^add: Adds\.\n\[add\(\{.*\}\) = forty-two\]\n/);
  const unanswered = await messagesOf(["Quanto fa?"], ...flags);
  expect(unanswered[2]?.content).toBe('{"error":"no result"}');
});

test("tools from a module run", async () => {
  const module = file(
    "tools.mjs",
    `export default [{ ...${JSON.stringify(TOOL)}, run: ({ a }) => ({ sum: a + 40 }) }];`,
  );
  const flags = ["--tool-choice", "add", "-n", "48", "--max-steps", "2"];
  const messages = await messagesOf([`/tools ${module}`, "Quanto fa?"], "--tools", module, ...flags);
  const [made] = messages[1]?.tool_calls ?? [];
  expect(JSON.parse(String(messages[2]?.content))).toEqual({ sum: JSON.parse(made!.function.arguments).a + 40 });

  const stopped = await chat(["Quanto fa?"], "--tools", module, ...flags.slice(0, -1), "1");
  expect(stopped.stderr).toContain("--max-steps allows more");
});

test("a reply that is cut says so; a full context ends a script unless it may slide", async () => {
  expect((await chat(["Ciao"])).stderr).toContain("(cut: -n allows more)");
  const long = Array.from({ length: 6 }, () => "C'era una volta un re che aveva tre figlie molto belle");
  const full = await chat(long, "--context", "64");
  expect(full).toMatchObject({ code: 1, stderr: expect.stringMatching(/zagreus: .* context of 64 tokens\n$/) });
  expect(await chat(long, "--context", "64", "--keep", "8")).toMatchObject({ code: 0 });
});

const FAILURES: [name: string, lines: () => string[], flags: () => string[], stderr: RegExp][] = [
  ["no such template", () => [], () => ["--template", path("no.jinja")], /^zagreus: cannot open ".*no.jinja": no such/],
  ["no such tools", () => [], () => ["--tools", path("no.json")], /^zagreus: cannot open ".*no.json": no such/],
  ["tools that are no JSON", () => [], () => ["--tools", file("broken.json", "[")], /broken\.json is no JSON/],
  [
    "tools without a name",
    () => [],
    () => ["--tools", file("nameless.json", [{}])],
    /tools\[0\] must have function\.name/,
  ],
  [
    "a module without functions",
    () => [],
    () => ["--tools", file("idle.mjs", `export const tools = [${JSON.stringify(TOOL)}];`)],
    /tools\[0\] must have a function run/,
  ],
  ["a tool that is not there", () => [], () => ["--tool-choice", "sum"], /toolChoice/],
  ["no such conversation", () => [`/load ${path("no.json")}`], () => [], /cannot open ".*no.json": no such/],
  ["a conversation of another kind", () => [`/load ${file("other.json", { a: 1 })}`], () => [], /array of messages/],
  [
    "an unknown role",
    () => [`/load ${file("role.json", [{ role: "x" }])}`],
    () => [],
    /messages\[0\] must have a role/,
  ],
  [
    "messages that are none",
    () => [`/load ${file("null.json", [{ role: "user", content: 1 }])}`, "a"],
    () => [],
    /messages\[0\]\.content/,
  ],
  ["a folder that is not there", () => [`/save ${path("no/such")}`], () => [], /cannot write/],
];
test.each(FAILURES)("a script ends at a failure: %s", async (_, lines, flags, stderr) => {
  const result = await chat([...lines(), "Ciao"], ...flags());
  expect([1, 2]).toContain(result.code);
  expect(result).toMatchObject({ stdout: "", stderr: expect.stringMatching(stderr) });
});

test("Ctrl-C ends a script with 130", async () => {
  const child = start([...FLAGS.slice(0, -2), "-n", "400", "--logit-bias", "8182=-inf"]);
  child.stdout?.once("data", () => child.kill("SIGINT"));
  child.stdin?.write("Ciao\nCiao\n");
  expect(await finish(child)).toMatchObject({ code: 130 });
});

test("it is in the help", async () => {
  const { stdout } = await zagreus(["chat", "--help"]);
  for (const option of ["--system", "--tools", "--template", "--keep", "--cache-budget"])
    expect(stdout).toContain(option);
});
