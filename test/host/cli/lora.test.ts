// --lora of the commands.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { lora } from "../../../host/node/cli/shared/adapters/lora";
import { json, zagreus } from "../../support/command";
import { PROMPT } from "../../support/nano";
import { LORA } from "../adapters/support";

const UPPER = join(LORA, "upper");
const RECIPE = join(LORA, "recipe-f16.gguf");
const directory = mkdtempSync(join(tmpdir(), "zagreus-lora-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("what stands behind it", () => {
  expect(lora("a=b.gguf:0.5")).toEqual([{ name: "a", source: "b.gguf", scale: 0.5 }]);
  expect(lora("x/upper/", lora("C:\\l\\a.gguf:-2"))).toMatchObject([
    { source: "C:\\l\\a.gguf", scale: -2 },
    { name: "upper", source: "x/upper/", scale: 1 },
  ]);
  expect(lora("hf:owner/repo")).toMatchObject([{ name: "repo", source: "hf:owner/repo", scale: 1 }]);
  expect(lora("https://host/a.gguf?x=1")).toMatchObject([{ source: "https://host/a.gguf?x=1" }]);
  expect(() => lora("b/a", lora("c/a"))).toThrow(/called a/);
});

test("complete, chat, logits and perplexity go through adapters", async () => {
  const complete = (...more: string[]) => json(["complete", PROMPT, "-n", "12", "--temp", "0", ...more]);
  const [off, on, zero, both] = await Promise.all([
    complete(),
    complete("--lora", UPPER),
    complete("--lora", `${UPPER}:0`),
    complete("--lora", UPPER, "--lora", `${RECIPE}:0.5`),
  ]);
  expect(zero.text).toBe(off.text);
  expect(new Set([off.text, on.text, both.text]).size).toBe(3);
  const logits = (...more: string[]) => json(["logits", "--tokens", "1,2,3", ...more]);
  expect((await logits("--lora", UPPER)).sha256).not.toBe((await logits()).sha256);
  const chat = (...more: string[]) =>
    zagreus(["chat", "-m", "zagreus-nano", "--template", "chatml", "-n", "8", "--temp", "0", ...more], "Ciao\n");
  expect((await chat("--lora", RECIPE)).stdout).not.toBe((await chat()).stdout);
  const bad = await zagreus(["complete", PROMPT, "--lora", join(LORA, "bad/peft-nan")]);
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/lora_B.*NaN/)]);
});

test("batch lines name them", async () => {
  const input = join(directory, "in.jsonl");
  const out = join(directory, "out.jsonl");
  const line = (model: string) =>
    JSON.stringify({
      custom_id: model,
      method: "POST",
      url: "/v1/completions",
      body: { model, prompt: PROMPT, max_tokens: 8, temperature: 0 },
    });
  writeFileSync(input, ["n", "n:upper", "n:other"].map(line).join("\n"));
  await json(["batch", "-i", input, "-o", out, "--name", "n", "--lora", UPPER]);
  const answers = readFileSync(out, "utf8")
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(answers.map(({ response }) => [response.status_code, response.body.model])).toEqual([
    [200, "n"],
    [200, "n:upper"],
    [404, undefined],
  ]);
  const [off, on] = answers.map(({ response }) => response.body.choices?.[0].text);
  expect(on).not.toBe(off);
  const several = await zagreus(["serve", "-m", "a=x.gguf", "-m", "b=y.gguf", "--lora", UPPER]);
  expect([several.code, several.stderr]).toEqual([2, expect.stringContaining("--lora is for one model")]);
});
