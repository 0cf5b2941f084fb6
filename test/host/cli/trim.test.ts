// `zagreus trim`, and what `quantize` shares with it.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "zagreus-trim-cli-"));
afterAll(() => rmSync(root, { recursive: true }));
const CLI = fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));
const out = join(root, "small.gguf");

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("a report for people, and one for programs; the file runs", () => {
  const people = run("trim", "zagreus-nano", "--keep", "it", "--tokens", "4000", "-o", out);
  expect(people).toMatchObject({ status: 0, stderr: "" });
  const lines = people.stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/small\.gguf: 4\.3 MB; embedding 1\.7 -> 0\.8 MB$/);
  expect(lines[1]).toBe("4,000 of 8,192 tokens");
  expect(lines[2]).toMatch(/^it +tokens for 1,000 characters: \d+\.\d -> \d+\.\d \(\+\d\.\d\d %\)$/);
  expect(lines[3]).toMatch(/^ +longer: \S+ \d+>\d+/);
  expect(lines[4]).toMatch(/^code /);
  const { stdout } = run("trim", "--keep", "it,en", "--tokens", "4000", "--no-code", "-o", out, "--json");
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ out, bytes: readFileSync(out).length, tokens: { before: 8192, after: 4000 } });
  expect(report.texts.map(({ name }: { name: string }) => name)).toEqual(["it", "en"]);
  const text = run("complete", "C'era una volta", "-m", out, "-n", "8", "--temp", "0");
  expect(text.status).toBe(0);
  expect(text.stdout.length).toBeGreaterThan(8);
});

test("a corpus, from a checkpoint too", () => {
  const corpus = join(root, "corpus.txt");
  writeFileSync(corpus, "Nel mezzo del cammin di nostra vita\n".repeat(100));
  const checkpoint = fileURLToPath(new URL("../../fixtures/zagreus-nano-hf", import.meta.url));
  const args = ["--keep", "it", "--corpus", corpus, corpus, "--tokens", "3000"];
  const { status, stdout } = run("quantize", checkpoint, "-t", "q4_0", "-o", out, ...args);
  expect(status).toBe(0);
  expect(stdout).toMatch(/tensors, 2\.5 MB, mean squared error \S+\n3,000 of 8,192 tokens\nit +tokens for 1,000/);
});

test.each([
  [
    2,
    /There is no list for "de": must be some of it,en,es,fr,pt, or a --corpus/,
    ["trim", "--keep", "it,de", "-o", out],
  ],
  [
    2,
    /tokens is 10, must be at least \d+, which bytes, .* less than the 8192/,
    ["trim", "--keep", "it", "--tokens", "10", "-o", out],
  ],
  [2, /option "languages" is .*, must be a list of some of it, en, es, fr, pt, or a corpus/, ["trim", "-o", out]],
  [2, /--out/, ["trim", "--keep", "it"]],
  [
    2,
    /model is "https:\/\/localhost\/m.gguf", must be a file/,
    ["trim", "https://localhost/m.gguf", "--keep", "it", "-o", out],
  ],
  [1, /cannot read the corpus ".*none"/, ["trim", "--corpus", join(root, "none"), "-o", out]],
  [1, /BAD|is 0x.*: this is not a GGUF file/, ["trim", CLI, "--keep", "it", "-o", join(root, "other.gguf")]],
])("exit code %d: %s", (code, message, args) => {
  const { status, stdout, stderr } = run(...args);
  expect({ status, stdout }).toEqual({ status: code, stdout: "" });
  expect(stderr).toMatch(message);
  expect(readdirSync(root).filter((name) => name.endsWith(".part") || name === "other.gguf")).toEqual([]);
});
