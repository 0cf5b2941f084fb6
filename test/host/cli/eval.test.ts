// Multiple choice: what is asked, how it is scored, and the command. That log-likelihoods are right is test/oracle/eval.mjs's affair.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { readItems, withExamples } from "../../../host/node/eval/items";
import { Accuracy, answer, encodePair } from "../../../host/node/eval/score";
import { type DatasetRow, type EvalTask, type Question, question } from "../../../host/node/eval/tasks";
import { finish, json, start, zagreus } from "../../support/command";
import { loadNano } from "../../support/nano";

const directory = mkdtempSync(join(tmpdir(), "zagreus-eval-"));
afterAll(() => rmSync(directory, { recursive: true }));

const bytes = (...rows: unknown[]) =>
  Buffer.from(rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
const items = (...rows: unknown[]) => readItems("f", bytes(...rows));
function file(name: string, ...rows: unknown[]): string {
  const path = join(directory, name);
  writeFileSync(path, bytes(...rows));
  return path;
}

const ROW = { query: "C'era una volta un", choices: ["re", "regina bella"], gold: 0 };

type Golden = Pick<Question, "context" | "choices" | "gold"> & { task: EvalTask; row: DatasetRow };
const golden: Golden[] = JSON.parse(readFileSync(new URL("../../fixtures/eval.json", import.meta.url), "utf8"));
test.each(golden.map((row) => [row.task, row] as const))(
  "%s is asked as lm-evaluation-harness asks it",
  (task, wanted) => {
    const { row, context, choices, gold } = wanted;
    const asked = question(row, task);
    expect({ ...asked, context: asked.description + asked.context }).toMatchObject({ context, choices, gold });
    // Only rows that ARC and MMLU have in common have to be told apart.
    if ("instruction" in row) expect(() => question(row, undefined)).toThrow("--task");
    else expect(question(row, undefined)).toEqual(asked);
  },
);

test("a byte order mark before the first row", () => {
  expect(readItems("f", Buffer.concat([Buffer.from("\uFEFF"), bytes(ROW)]))).toEqual(items(ROW));
});

test("a query is taken as it is; what is right may be an index, a text or a letter", () => {
  expect(items(ROW)[0]).toMatchObject({
    line: 1,
    context: "C'era una volta un",
    choices: ["re", "regina bella"],
    gold: 0,
  });
  expect(items({ ...ROW, gold: "regina bella" })[0]?.gold).toBe(1);
  expect(items({ ...ROW, gold: undefined, answer: "B" })[0]?.gold).toBe(1);
  expect(items({ ...ROW, choices: ["1", "0"], gold: undefined, label: "1" })[0]?.gold).toBe(0);
  expect(items({ ...ROW, gold: "1" })[0]?.gold).toBe(1);
  expect(items({ question: "Che?", choices: ["a", "b"], answer: 1 })[0]).toMatchObject({
    context: "Question: Che?\nAnswer:",
    choices: ["a", "b"],
    gold: 1,
  });
});

const BAD: [name: string, row: unknown, reason: RegExp][] = [
  ["no JSON", "{", /line 3: .*JSON/],
  ["an array", "[1]", /must be a JSON object/],
  ["null", "null", /must be a JSON object/],
  ["an unknown form", { text: "a" }, /none of "query"/],
  ["no choices", { ...ROW, choices: undefined }, /"choices" must be an array of strings/],
  ["choices that are no strings", { ...ROW, choices: ["a", 1] }, /"choices" must be an array of strings/],
  ["a single choice", { ...ROW, choices: ["a"] }, /at least two choices, not 1/],
  ["an empty choice", { ...ROW, choices: ["a", ""] }, /choice 1 is empty/],
  ["no answer", { query: "a", choices: ["a", "b"] }, /none of "gold"/],
  ["an answer that is too large", { ...ROW, gold: 2 }, /"gold" must be 0 to 1/],
  ["a negative answer", { ...ROW, gold: -1 }, /"gold" must be 0 to 1/],
  ["an answer that is null", { ...ROW, gold: null }, /"gold" must be 0 to 1/],
  ["an unknown letter", { ...ROW, gold: "C" }, /"gold" must be one of A, B/],
  ["a query that is no string", { ...ROW, query: 1 }, /"query" must be a string/],
  ["HellaSwag's test set", { activity_label: "a", ctx_a: "b", ctx_b: "c", endings: ["d", "e"], label: "" }, /"label"/],
  [
    "a label that is null",
    { activity_label: "a", ctx_a: "b", ctx_b: "c", endings: ["d", "e"], label: null },
    /"label"/,
  ],
  ["choices that are null", { question: "a", choices: null, answer: 0 }, /"choices" must be an array or an object/],
  [
    "an unknown key",
    { question: "a", choices: { text: ["b", "c"], label: ["A", "B"] }, answerKey: "E" },
    /"answerKey"/,
  ],
];
test.each(BAD)("refused with its line: %s", (_, row, reason) => {
  const read = () => items(ROW, "", row, ROW);
  expect(read).toThrow(reason);
  expect(read).toThrow(expect.objectContaining({ code: "BAD_JSON", field: "f", value: 3 }));
});

test("bytes that are no UTF-8 and a file without questions are refused; limit stops reading", () => {
  const broken = Buffer.concat([bytes(ROW, ""), Buffer.from([0x7b, 0xff]), Buffer.from("\n")]);
  expect(() => readItems("f", broken)).toThrow(/^f, line 2: /);
  expect(readItems("f", broken, undefined, 1)).toHaveLength(1);
  expect(() => items("", "  \r")).toThrow("f has no questions");
});

test("examples come answered before the question, of its subject", () => {
  const row = (subject: string, n: number) => ({
    question: `q${n}`,
    subject,
    choices: ["a", "b", "c", "d"],
    answer: n,
  });
  const [item, ...examples] = items(row("x_y", 3), row("x_y", 0), row("z", 1), row("x_y", 2));
  const list = (n: number) => `q${n}\nA. a\nB. b\nC. c\nD. d\nAnswer:`;
  const about = "The following are multiple choice questions (with answers) about x y.\n\n";
  expect(withExamples(item!, examples, 2)).toBe(`${about}${list(0)} A\n\n${list(2)} C\n\n${list(3)}`);
  expect(withExamples(item!, examples, 0)).toBe(`${about}${list(3)}`);
  expect(() => withExamples(item!, examples, 3)).toThrow('there are 2 examples of "x_y", not 3');
});

let model: Model;
beforeAll(async () => {
  model = await loadNano();
});

test("context and choice are encoded together; spaces at the border go with the choice", () => {
  const [bos] = [model.info.tokenizer.bos!];
  const text = "C'era una volta";
  const plain = encodePair(model, text, " un re");
  expect([...plain.context, ...plain.continuation]).toEqual(model.tokenize("C'era una volta un re"));
  expect(plain.context).toEqual(model.tokenize(text));
  const spaced = encodePair(model, `${text}  `, " un re");
  expect(spaced.context).toEqual(model.tokenize(text));
  expect(model.detokenize(spaced.continuation)).toBe("   un re");
  // "per" and "ché" are one token together, and two apart.
  const joined = encodePair(model, "per", "ché");
  expect(joined.continuation).toEqual(model.tokenize("perché").slice(joined.context.length));
  for (const empty of ["", "  "]) expect(encodePair(model, empty, " un re").context).toEqual([bos]);
});

test("a choice's log-likelihood is the sum of its tokens'", async () => {
  const [item] = items(ROW);
  const result = await answer(model, item!, item!.context);
  for (const [i, choice] of item!.choices.entries()) {
    const tokens = model.tokenize(`${item!.context} ${choice}`);
    const from = model.tokenize(item!.context).length;
    const sum = (await model.logprobs(tokens)).slice(from).reduce((total, { logprob }) => total + logprob!, 0);
    expect(result.logprobs[i]).toBeCloseTo(sum, 10);
  }
  expect(result).toMatchObject({ line: 1, gold: 0, truncated: 0 });
});

test("acc takes the largest log-likelihood, acc_norm the largest one a character, of which a surrogate pair is one", async () => {
  const logprobs = [-6, -5, -8];
  const fake = {
    info: { contextLength: 10, tokenizer: {} },
    tokenize: (text: string) =>
      text.includes("🙂") ? [1, 4] : text.includes("bb") ? [1, 3] : text.includes("a") ? [1, 2] : [1],
    logprobs: async ([, token]: number[]) => [{ token, logprob: logprobs[token! - 2] }],
  } as unknown as Model;
  const [item] = items({ query: "", choices: ["aaa", "bb", "🙂🙂🙂🙂🙂"], gold: 2 });
  const result = await answer(fake, item!, "");
  expect(result).toMatchObject({ logprobs, prediction: 1, predictionNorm: 2 }); // a character: -2, -2.5, -1.6; of UTF-16: -0.8
  const tie = await answer(
    { ...fake, logprobs: async () => [{ token: 0, logprob: -1 }] } as unknown as Model,
    item!,
    "",
  );
  expect(tie.prediction).toBe(0);
});

test("what is too long loses its beginning, which is reported; a choice that does not fit is refused", async () => {
  const small = await loadNano({ contextLength: 16 });
  const [item] = items({ ...ROW, query: "parola ".repeat(40).trim() });
  const result = await answer(small, item!, item!.context);
  const all = model.tokenize(`${item!.context} ${item!.choices[1]}`);
  expect(result.truncated).toBe(all.length - 17);
  const [last] = (await model.logprobs(all.slice(-17), { from: 16 })).slice(-1);
  const alone = await model.logprobs(all.slice(-17), {
    from: 17 - model.tokenize(" regina bella", { bos: false }).length,
  });
  expect(result.logprobs[1]).toBeCloseTo(
    alone.reduce((sum, { logprob }) => sum + logprob!, 0),
    4,
  );
  expect(last?.token).toBe(all.at(-1));

  const [long] = items({ ...ROW, choices: ["a", "parola ".repeat(40)] });
  await expect(answer(small, long!, long!.context)).rejects.toMatchObject({ code: "CONTEXT_OVERFLOW", expected: 16 });
  small.close();
});

test("mean and standard error, as sample deviation over the root of the number", () => {
  const accuracy = new Accuracy();
  const add = (prediction: number, predictionNorm: number) =>
    accuracy.add({ line: 1, gold: 1, prediction, predictionNorm, logprobs: [], truncated: 0 });
  add(1, 0);
  expect(accuracy).toMatchObject({ acc: 1, accNorm: 0, accError: null });
  for (const prediction of [1, 0, 0, 1]) add(prediction, 1);
  expect(accuracy.acc).toBe(0.6);
  expect(accuracy.accError).toBeCloseTo(Math.sqrt((3 * 0.4 ** 2 + 2 * 0.6 ** 2) / 4) / Math.sqrt(5), 12);
  expect(accuracy.accNorm).toBe(0.8);
});

test("zagreus eval", async () => {
  const rows = file("rows.jsonl", ROW, { ...ROW, query: "Il", gold: 1 }, ROW);
  const out = join(directory, "answers.jsonl");
  const result = await json(["eval", rows, "-o", out]);
  const answers = readFileSync(out, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answers.map(({ line, gold }) => [line, gold])).toEqual([
    [1, 0],
    [2, 1],
    [3, 0],
  ]);
  const share = (name: string) => answers.filter((answer) => answer[name] === answer.gold).length / 3;
  expect(result).toMatchObject({ acc: share("prediction"), acc_norm: share("predictionNorm"), items: 3, truncated: 0 });
  expect(answers[2].logprobs).toEqual(answers[0].logprobs);

  expect(await json(["eval", "-", "--limit", "1"], bytes(ROW, "{"))).toMatchObject({ items: 1, acc_stderr: null });
  const { stdout, stderr } = await zagreus(["eval", rows, "--examples", rows, "--shots", "2"]);
  expect(stdout).toMatch(/^acc {6}[\d.]+ \+\/- [\d.]+\nacc_norm [\d.]+ \+\/- [\d.]+\n3 questions\n$/);
  expect(stderr).toMatch(/^(question \d\/3: acc .*\n){3}$/);
  const cut = await zagreus(["eval", rows, "--context", "8", "--examples", rows, "--shots", "3"]);
  expect(cut.stdout).toContain("3 of them without their beginning, to fit a context of 8");
});

test("zagreus eval: what is wrong", async () => {
  const rows = file("bad.jsonl", ROW, { ...ROW, gold: 7 });
  expect(await zagreus(["eval", rows, "--json"])).toEqual({
    code: 1,
    stdout: "",
    stderr: `zagreus: ${rows}, line 2: "gold" must be 0 to 1, the index of a choice\n`,
  });
  const missing = await zagreus(["eval", join(directory, "no.jsonl")]);
  expect(missing).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^zagreus: cannot open ".*no.jsonl": no such/),
  });
  for (const args of [[], [rows, "--task", "x"], [rows, "--limit", "0"], [rows, "--shots", "2"]]) {
    expect(await zagreus(["eval", ...args])).toMatchObject({ code: 2, stdout: "" });
  }
  const few = await zagreus(["eval", file("good.jsonl", ROW), "--examples", file("two.jsonl", ROW, ROW)]);
  expect(few).toMatchObject({ code: 2, stderr: "zagreus: there are 2 examples, not 5\n" });
});

test("zagreus eval stops at Ctrl-C, and leaves no file", async () => {
  const out = join(directory, "cut.jsonl");
  const child = start(["eval", file("many.jsonl", ...Array.from({ length: 500 }, () => ROW)), "-o", out]);
  child.stderr?.once("data", () => child.kill("SIGINT"));
  expect(await finish(child)).toMatchObject({ code: 130, stdout: "" });
  expect(() => readFileSync(out)).toThrow("ENOENT");
});
