// `zagreus eval --suite`, results beside each other, and runs that go on where others ended.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { json, zagreus } from "../../support/command";

const directory = mkdtempSync(join(tmpdir(), "zagreus-suite-"));
afterAll(() => rmSync(directory, { recursive: true }));
const path = (name: string) => join(directory, name);
function file(name: string, content: unknown): string {
  writeFileSync(path(name), typeof content === "string" ? content : JSON.stringify(content));
  return path(name);
}
const lines = (name: string) => readFileSync(path(name), "utf8").trimEnd().split("\n");

const clock = { type: "function", function: { name: "clock", parameters: { type: "object", properties: {} } } };
const user = { role: "user", content: "Che ore sono?" };
const call = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>';
const result = [
  { role: "assistant", content: call },
  { role: "tool", content: "9:00" },
];
const SUITE = file("suite.json", {
  tools: [clock],
  cases: [
    { id: "s", lang: "IT", cat: "single", messages: [user], spec: { tools: ["clock"], n: 1 } },
    { id: "o", lang: "EN", cat: "obs", messages: [user, ...result], spec: { gold: "9" } },
  ],
});
const MODEL = ["--template", "chatml"];

test("tool cases are asked plainly and led, resumed, and marked again from what was written", async () => {
  const out = path("answers.jsonl");
  const asked = await json(["eval", "--suite", SUITE, "--led", "-o", out, ...MODEL]);
  expect(asked).toMatchObject({ cases: { total: 2, IT: 1, EN: 1, categories: { single: 1, obs: 1 } }, context: 512 });
  expect(Object.keys(asked.variants)).toEqual(["plain", "led"]);
  expect(asked.model).toBe("zagreus-nano (Q8_0)");
  const written = lines("answers.jsonl");
  expect(written.map((line) => JSON.parse(line)).map(({ variant, id }) => [variant, id])).toEqual([
    ["plain", "s"],
    ["plain", "o"],
    ["led", "s"],
    ["led", "o"],
  ]);
  const again = await json(["eval", "--suite", SUITE, "--answers", out]);
  expect(again).toEqual({ cases: asked.cases, variants: asked.variants });
  const told = await zagreus(["eval", "--suite", SUITE, "--limit", "1", ...MODEL]);
  expect(told).toMatchObject({
    code: 0,
    stderr: "case 1/1: plain s\n",
    stdout: expect.stringMatching(/^ +total\/1 .*\nplain /),
  });

  // A run that was killed while it wrote, and one that another has answered in part.
  const [first, second, ...rest] = written;
  const begun = file("begun.jsonl", `${first!.replace(/"answer":"/, '"answer":"before ')}\n${second!.slice(0, 9)}`);
  await json(["eval", "--suite", SUITE, "--led", "-o", begun, "--resume", ...MODEL]);
  const resumed = lines("begun.jsonl");
  expect(JSON.parse(resumed[0]!).answer).toMatch(/^before /);
  const said = (line: string) => JSON.parse(line).answer;
  expect(resumed.slice(1).map(said)).toEqual([second!, ...rest].map(said));
});

test("answers from elsewhere make a table; a case without one is told", async () => {
  const answers = file(
    "others.jsonl",
    [
      { variant: "calls", id: "s", answer: call },
      { variant: "calls", id: "o", answer: call },
      { variant: "talks", id: "o", answer: "Sono le 9." },
    ]
      .map((line) => JSON.stringify(line))
      .join("\n"),
  );
  const { stdout, stderr, code } = await zagreus(["eval", "--suite", SUITE, "--answers", answers]);
  expect(code).toBe(0);
  expect(stdout).toBe(
    "       total/2  IT/1  EN/1  single/1  obs/1\ncalls        1     1     0         1      0\ntalks        1     0     1         0      1\n",
  );
  expect(stderr).toBe("zagreus: talks: 1 of 2 cases have no answer and do not pass\n");
});

test("results stand beside each other, as text, JSON and a page", async () => {
  const marks = (total: number, IT: number) => ({
    total,
    IT,
    EN: 1,
    categories: { obs: total },
    passed: [],
    calls: {},
  });
  const cases = { total: 4, IT: 2, EN: 2, categories: { obs: 4 } };
  const old = file("old.json", { cases, variants: { "a<b": marks(1, 1) } });
  const now = file("now.json", { model: "m", cases, variants: { "a<b": marks(3, 0), c: marks(2, 1) } });
  const { stdout } = await zagreus(["eval", now, "--against", old, "--html", path("page.html")]);
  expect(stdout.split("\n")).toEqual([
    "              total/4  IT/2  EN/2  obs/4",
    "a<b                 3     0     1      3",
    "  before            1     1     1      1",
    "  difference       +2    -1    +0     +2",
    "c                   2     1     1      2",
    "",
  ]);
  const page = readFileSync(path("page.html"), "utf8");
  expect(page).toContain("<h2>a&lt;b</h2>");
  expect(page).toContain('<span class="" style="width: 75.0%">');
  expect(page).toContain('<td class="worse">-1</td>');
  expect(page).not.toMatch(/<script|https?:/);
  const compared = await json(["eval", now, "--against", old]);
  expect(compared.differences).toEqual({ "a<b": { total: 2, IT: -1, EN: 0, obs: 2 } });

  const share = (acc: number) => ({ acc, acc_stderr: 0.1, acc_norm: 0.5, acc_norm_stderr: 0.1, items: 9 });
  const before = file("acc-old.json", { model: "q8", ...share(0.25) });
  const after = await zagreus(["eval", file("acc-new.json", { model: "q4", ...share(0.125) }), "--against", before]);
  expect(after.stdout).toBe(
    "                  acc  acc_norm\nq4             0.1250    0.5000\n  before       0.2500    0.5000\n  difference  -0.1250   +0.0000\n",
  );
  const wrong = await zagreus(["eval", now, "--against", file("none.json", {})]);
  expect(wrong).toMatchObject({
    code: 1,
    stderr: `zagreus: ${path("none.json")} is no result of zagreus eval --json\n`,
  });
});

test("conversations of a URL: the language answered in, and loops", async () => {
  const server = createServer((request, response) => {
    if (request.url === "/talk.json") response.end(JSON.stringify({ IT: { a: [user], b: [user] }, EN: { a: [user] } }));
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const { languages } = await json(["eval", "--suite", `${url}/talk.json`, "-o", path("talk.jsonl"), ...MODEL]);
    expect(languages).toEqual({
      IT: { answers: 2, inLanguage: expect.any(Number), loops: expect.any(Number) },
      EN: { answers: 1, inLanguage: expect.any(Number), loops: expect.any(Number) },
    });
    expect(languages.EN.inLanguage).toBeLessThanOrEqual(1 - languages.IT.inLanguage / 2); // they were asked the same
    const recorded = ["eval", "--suite", `${url}/talk.json`, "--answers", path("talk.jsonl")];
    expect(await json(recorded)).toEqual({ model: path("talk.jsonl"), languages });
    const led = await zagreus(["eval", "--suite", `${url}/talk.json`, "--led"]);
    expect(led).toMatchObject({ code: 2, stderr: expect.stringContaining("--led is for tool cases") });
    const none = await zagreus(["eval", "--suite", `${url}/none.json`]);
    expect(none).toMatchObject({ code: 1, stderr: `zagreus: HTTP status is 404 for ${url}/none.json, must be 2xx\n` });
  } finally {
    server.close();
  }
});

test("recorded replies to conversations are counted, compared, and refused where nobody asked", async () => {
  const talk = file("talk.json", { IT: { a: [user], b: [user] }, EN: { a: [user] } });
  const line = (variant: string, id: string, answer: string) => JSON.stringify({ variant, id, answer });
  const italian = line("IT", "a", "Sono le nove e mezza, e il treno per la città è in orario.");
  const spanish = line("IT", "b", "Son las nueve y media, y el tren para la ciudad no se ha ido de la estación.");
  const loop = line("EN", "a", `It is nine. ${"It is the time. ".repeat(5)}`);
  const replies = file("replies.jsonl", [italian, spanish, loop].join("\n"));
  const { stdout } = await zagreus(["eval", "--suite", talk, "--answers", replies]);
  expect(stdout.split("\n").map((row) => row.replace(replies, "replies"))).toEqual([
    expect.stringMatching(/^ +in IT\/2 {2}IT loops\/2 {2}in EN\/1 {2}EN loops\/1$/),
    expect.stringMatching(/^replies +1 +0 +1 +1$/),
    "",
  ]);
  const before = { model: "before", languages: { IT: { answers: 2, inLanguage: 2, loops: 1 } } };
  const html = path("talk.html");
  const compared = await json([
    ...["eval", "--suite", talk, "--answers", replies, "--html", html, "--against"],
    file("before.json", before),
  ]);
  expect(compared.differences[replies]).toMatchObject({ "in IT": -1, "IT loops": -1 });
  expect(readFileSync(html, "utf8")).toContain('<td class="better">-1</td>'); // fewer loops
  const unasked = file("unasked.jsonl", line("EN", "b", "No."));
  expect(await zagreus(["eval", "--suite", talk, "--answers", unasked])).toMatchObject({
    code: 1,
    stderr: `zagreus: ${unasked}, line 1: the suite has no conversation "b"\n`,
  });
});

test("multiple choice goes on where it was interrupted, and not with another's answers", async () => {
  const row = (gold: number) => JSON.stringify({ query: "Il", choices: ["re", "mare"], gold });
  const rows = file("rows.jsonl", [row(0), row(1), row(0)].join("\n"));
  const whole = await json(["eval", rows, "-o", path("whole.jsonl")]);
  const [first] = lines("whole.jsonl");
  const begun = file("cut.jsonl", `${first}\n{"line": 2`);
  expect(await json(["eval", rows, "-o", begun, "--resume"])).toEqual(whole);
  expect(lines("cut.jsonl")).toEqual(lines("whole.jsonl"));
  const other = file("other.jsonl", [row(1), row(1), row(0)].join("\n"));
  const refused = await zagreus(["eval", other, "-o", begun, "--resume"]);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("it answers another question than line 1"),
  });
});

test.each([
  [["--suite", SUITE, "rows.jsonl"], "give a FILE or --suite"],
  [["rows.jsonl", "--led"], "--led needs --suite"],
  [["rows.jsonl", "--resume"], "--resume needs --out"],
  [["--suite", SUITE, "--shots", "2", "--examples", "x"], "give --suite or --examples, not both"],
  [["--suite", SUITE, "--answers", "x", "--led"], "give --answers or --led, not both"],
])("wrong usage: %j", async (args, reason) => {
  expect(await zagreus(["eval", ...args])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`error: ${reason}`),
  });
});
