// `zagreus batch` as a process, and the parts that it is made of.

import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { Ids } from "../../../host/node/cli/batch/ids";
import { inOrder } from "../../../host/node/cli/batch/in_order";
import { inputLines } from "../../../host/node/cli/batch/input_lines";
import { readRequest } from "../../../host/node/cli/batch/request";
import { finish, json, start, zagreus } from "../../support/command";

const directory = mkdtempSync(join(tmpdir(), "zagreus-batch-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;
const newFile = (name: string) => join(directory, `${files++}-${name}.jsonl`);

function inputOf(text: string | Uint8Array): string {
  const path = newFile("in");
  writeFileSync(path, text);
  return path;
}

const request = (custom_id: string, body: object, url = "/v1/completions") =>
  JSON.stringify({ custom_id, method: "POST", url, body });
const completion = (custom_id: string, max_tokens = 4) =>
  request(custom_id, { prompt: `C'era una volta ${custom_id}`, max_tokens, temperature: 0 });

interface Body {
  choices: { text: string; message: { role: string } }[];
  data: object[];
  error: object;
}
interface Answer {
  id: string;
  custom_id: string | null;
  response: { status_code: number; request_id: string; body: Body } | null;
  error: { code: string; message: string } | null;
}
const answersIn = (path: string): Answer[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));

test("completions, embeddings and chats are answered in order, and what was done is said", async () => {
  const input = inputOf(
    [
      completion("a", 6),
      request("b", { input: ["uno", "due"] }, "/v1/embeddings"),
      request("c", { messages: [{ role: "user", content: "Ciao" }], max_tokens: 3 }, "/v1/chat/completions"),
      request("d", { prompt: "x", max_tokens: 2, model: "other" }),
    ].join("\n"),
  );
  const out = newFile("out");
  const figures = await json(["batch", "-i", input, "-o", out, "--template", "chatml"]);
  const answers = answersIn(out);
  expect(answers.map((line) => [line.custom_id, line.response?.status_code, line.error])).toEqual([
    ["a", 200, null],
    ["b", 200, null],
    ["c", 200, null],
    ["d", 404, null],
  ]);
  const [a, b, c, d] = answers.map(({ response }) => response!.body);
  const alone = await json(["complete", "C'era una volta a", "-n", "6", "--temp", "0", "--repetition-penalty", "1"]);
  expect(a!.choices[0]?.text).toBe(alone.text);
  expect(b!.data).toHaveLength(2);
  expect(c!.choices[0]?.message.role).toBe("assistant");
  expect(d!.error).toMatchObject({ code: "model_not_found", param: "model" });
  expect(new Set(answers.map(({ id }) => id)).size).toBe(4);
  for (const { response } of answers) expect(response!.request_id).toMatch(/^req_\w+$/);
  expect(figures).toMatchObject({ out, succeeded: 3, failed: 1, known: 0, completionTokens: 9 });
  for (const name of ["requestsPerSecond", "promptTokensPerSecond", "completionTokensPerSecond"]) {
    expect(figures[name]).toBeGreaterThan(0);
  }
});

test("lines that cannot be asked get an error each, and stop nothing", async () => {
  const bad = [
    ["{not json", null, "invalid_json"],
    ["[1]", null, "invalid_json"],
    [JSON.stringify({ method: "POST", url: "/v1/completions", body: {} }), null, "invalid_custom_id"],
    [JSON.stringify({ custom_id: 7, method: "POST", url: "/v1/completions", body: {} }), null, "invalid_custom_id"],
    [JSON.stringify({ custom_id: "m", method: "GET", url: "/v1/completions", body: {} }), "m", "invalid_method"],
    [request("u", {}, "/v1/images"), "u", "invalid_url"],
    [request("n", null as never), "n", "invalid_body"],
    [request("s", { prompt: "a", stream: true }), "s", "stream_unsupported"],
    [completion("a"), "a", "duplicate_custom_id"],
    [completion("s"), "s", "duplicate_custom_id"],
    [`{"deep":${"[".repeat(100_000)}`, null, "invalid_json"],
    [`"${"x".repeat(2 ** 20)}"`, null, "line_too_long"],
  ] as const;
  const lines = [completion("a"), "", ...bad.map(([line]) => line), "  \t", completion("z")];
  const utf8 = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(`${lines.join("\r\n")}\r\n`)]);
  const input = inputOf(Buffer.concat([utf8, Buffer.from([0x22, 0xff, 0x22, 0x0a])]));
  const out = newFile("out");
  const result = await zagreus(["batch", "-i", input, "-o", out, "--max-line", "1", "--parallel", "3"]);
  expect(result.code).toBe(0);
  expect(result.stdout).toContain("2 answers, 13 errors");
  expect(result.stderr).toContain("request 15/15: ");
  const [first, ...rest] = answersIn(out);
  const last = rest.pop()!;
  const second = rest.pop()!;
  expect([first!.custom_id, first!.response?.status_code, second.custom_id]).toEqual(["a", 200, "z"]);
  expect(last).toMatchObject({ custom_id: null, response: null, error: { code: "invalid_utf8" } });
  expect(rest.map(({ custom_id, response, error }) => [custom_id, response, error?.code])).toEqual(
    bad.map(([, id, code]) => [id, null, code]),
  );
  expect(rest[0]!.error!.message).toMatch(/^line 3 is not JSON: /);
});

test("killed at any time it goes on: each id once, in order, as in one go", async () => {
  const ids = Array.from({ length: 24 }, (_, i) => `id-${i}`);
  const input = inputOf(`${ids.map((id) => completion(id, 24)).join("\n")}\n`);
  const whole = newFile("whole");
  await json(["batch", "-i", input, "-o", whole]);
  const out = newFile("out");
  const args = ["batch", "-i", input, "-o", out, "--parallel", "2"];
  for (const lines of [3, 11]) {
    const child = start(args);
    const ended = finish(child);
    while (!existsSync(out) || readFileSync(out).filter((byte) => byte === 0x0a).length < lines) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGKILL");
    expect((await ended).code).toBeNull();
    writeFileSync(out, '{"id":"batch_req_torn","custom', { flag: "a" }); // as a kill in a write leaves it
  }
  const figures = await json(args);
  expect(figures.known).toBeGreaterThanOrEqual(11);
  expect(figures.succeeded + figures.known).toBe(24);
  const texts = (path: string) =>
    answersIn(path).map(({ custom_id, response }) => [custom_id, response!.body.choices[0]?.text]);
  expect(texts(out).map(([id]) => id)).toEqual(ids);
  expect(texts(out)).toEqual(texts(whole));
  const before = readFileSync(out);
  expect(await json(args)).toMatchObject({ succeeded: 0, failed: 0, known: 24 });
  expect(readFileSync(out)).toEqual(before);
  expect(await json([...args, "--overwrite"])).toMatchObject({ succeeded: 24, known: 0 });
});

test("Ctrl-C ends it with whole lines, and says how to go on", async () => {
  const input = inputOf(Array.from({ length: 50 }, (_, i) => completion(`id-${i}`, 100)).join("\n"));
  const out = newFile("out");
  const child = start(["batch", "-i", input, "-o", out]);
  const ended = finish(child);
  await once(child.stderr!, "data");
  child.kill("SIGINT");
  const { code, stdout, stderr } = await ended;
  expect([code, stdout]).toEqual([130, ""]);
  const written = answersIn(out);
  expect(written.length).toBeGreaterThan(0);
  expect(stderr).toContain(`interrupted; ${written.length} lines are answered`);
  for (const { response } of written) expect(response?.status_code).toBe(200);
});

test("standard input, with an output of another input, and files that cannot be", async () => {
  const out = newFile("out");
  expect(await json(["batch", "-i", "-", "-o", out], `${completion("a")}\n${completion("b")}`)).toMatchObject({
    succeeded: 2,
  });
  const other = await zagreus(["batch", "-i", "-", "-o", out], completion("a"));
  expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/answers to another input.*"b".*no line/)]);
  expect(answersIn(out)).toHaveLength(2);
  const foreign = await zagreus(["batch", "-i", "-", "-o", out], completion("x"));
  expect([foreign.code, foreign.stderr]).toEqual([2, expect.stringMatching(/"a", the input has "x" there/)]);
  const input = inputOf(completion("a"));
  const cases: [string[], number, RegExp][] = [
    [["-i", input, "-o", input], 2, /--out is the input/],
    [["-i", "/nowhere.jsonl", "-o", newFile("out")], 1, /nowhere\.jsonl/],
    [["-i", input, "-o", directory], 2, /must be a file/],
    [["-i", input, "-o", inputOf("text\n")], 1, /line 1 is no answer of a batch/],
    [["-i", input], 2, /--out/],
    [["-i", input, "-o", newFile("out"), "--parallel", "0"], 2, /integer/],
  ];
  for (const [args, code, message] of cases) {
    expect(await zagreus(["batch", ...args])).toMatchObject({ code, stderr: expect.stringMatching(message) });
  }
  expect(readFileSync(input, "utf8")).toBe(completion("a"));
});

test("lines are the same, however the bytes come", async () => {
  const text = fc.array(fc.constantFrom("a", "é", " ", "\t", "\r", "\n", "{}", "\ufeff"), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(text, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), async (parts, sizes) => {
      const bytes = Buffer.from(parts.join(""));
      async function* chunks() {
        const buffer = Buffer.alloc(9); // one for all, as streams may have it
        for (let at = 0; at < bytes.length; ) {
          const size = sizes.next().value!;
          bytes.copy(buffer, 0, at, at + size);
          yield buffer.subarray(0, Math.min(size, bytes.length - at));
          at += size;
        }
      }
      const expected = bytes
        .toString()
        .replace(/^\ufeff/, "")
        .split("\n")
        .map((line, i) => ({ number: i + 1, text: line.replace(/^[ \t\r]+|[ \t\r]+$/g, "") }))
        .filter((line) => line.text !== "");
      const found: object[] = [];
      for await (const { number, bytes } of inputLines(chunks(), 1000)) {
        found.push({ number, text: Buffer.from(bytes!).toString() });
      }
      expect(found).toEqual(expected);
    }),
  );
});

test("no line is anything else than a request or an error", () => {
  const value = fc.oneof(
    fc.json(),
    fc.constant(JSON.stringify({ custom_id: "a", method: "POST", url: "/v1/embeddings" })),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        value.map((text) => Buffer.from(text)),
        fc.uint8Array(),
      ),
      (bytes) => {
        const found = readRequest(bytes, 100);
        if ("code" in found) expect(found.message).not.toBe("");
        else expect(JSON.parse(found.body)).toBeTypeOf("object");
      },
    ),
  );
});

test("results keep the order of their items, whichever are done first", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(5), { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 6 }),
      async (ticks, parallel, more) => {
        let running = 0;
        let most = 0;
        let open = 0;
        async function* items() {
          for (const [index, count] of ticks.entries()) {
            expect(++open).toBeLessThanOrEqual(parallel + more);
            yield { index, count };
          }
        }
        const work = async ({ index, count }: { index: number; count: number }) => {
          most = Math.max(most, ++running);
          for (let i = 0; i < count; i++) await null;
          running--;
          return index;
        };
        const found: number[] = [];
        for await (const index of inOrder(items(), work, { parallel, ahead: parallel + more })) {
          open--;
          found.push(index);
        }
        expect(found).toEqual(ticks.map((_, i) => i));
        expect(most).toBeLessThanOrEqual(parallel);
      },
    ),
  );
});

test("what fails comes behind what was done before it", async () => {
  async function* items() {
    yield* [0, 1, 2, 3, 4];
  }
  const found: number[] = [];
  const all = async () => {
    const work = async (item: number) => (item === 3 ? Promise.reject(new Error("three")) : item);
    for await (const item of inOrder(items(), work, { parallel: 1, ahead: 4 })) found.push(item);
  };
  await expect(all()).rejects.toThrow("three");
  expect(found).toEqual([0, 1, 2]);
});

test("ids are new once", () => {
  const ids = new Ids();
  const names = Array.from({ length: 5000 }, (_, i) => `request-${i}`);
  expect(names.filter((name) => ids.add(name))).toHaveLength(5000);
  expect(names.filter((name) => ids.add(name))).toEqual([]);
});
