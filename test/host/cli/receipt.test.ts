// --receipt, and what zagreus verify says of it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { json, zagreus } from "../../support/command";

const work = mkdtempSync(join(tmpdir(), "zagreus-receipt-"));
afterAll(() => rmSync(work, { recursive: true }));
const file = join(work, "receipt.json");
const MODEL = "host/models/zagreus-nano-Q8_0.gguf";

test("a completion: equal on another build, and not when a token is another", async () => {
  const options = ["-n", "9", "--context", "64", "--kv", "f16", "--receipt", file];
  const { tokens } = await json(["complete", "C'era una volta", ...options]);
  const receipt = JSON.parse(readFileSync(file, "utf8"));
  expect(receipt).toMatchObject({ tokens, kvType: "f16", contextLength: 64 });
  const verified = await zagreus(["verify", file, "--build", "simd", "-t", "1"]);
  expect(verified).toMatchObject({ code: 0, stdout: `equal: 9 tokens, logits ${receipt.logits}\n` });
  receipt.tokens[3] = 11;
  writeFileSync(file, JSON.stringify(receipt, null, 2));
  const tampered = await zagreus(["verify", file]);
  expect(tampered).toMatchObject({
    code: 1,
    stdout: `parts at token 3: "11" in the receipt, "${tokens[3]}" here\n`,
  });
});

test("a chat: a line for each reply", async () => {
  const chat = ["chat", "-m", MODEL, "--template", "chatml", "-n", "4", "--receipt", file];
  expect(await zagreus(chat, "Ciao\nE poi?\n")).toMatchObject({ code: 0 });
  expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(2);
  const { equal, verdicts } = await json(["verify", file, "-m", MODEL]);
  expect({ equal, verdicts }).toEqual({ equal: true, verdicts: [{ equal: true }, { equal: true }] });
});

test("what is no receipt", async () => {
  for (const [text, problem] of [
    ["", "has no receipt"],
    ["{}", "no receipt: version is missing, must be 1"],
    ["[1", "is no JSON"],
  ] as const) {
    writeFileSync(file, text);
    const { code, stderr } = await zagreus(["verify", file]);
    expect(code).toBe(1);
    expect(stderr).toContain(problem);
  }
  const { code } = await zagreus(["complete", "a", "--receipt", join(work, "no/such/folder")]);
  expect(code).toBe(1);
});
