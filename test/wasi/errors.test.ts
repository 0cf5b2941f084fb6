// Errors: exit code 1 for failures, 2 for wrong usage, and the line that the Node command prints.

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { load, ZagreusError } from "zagreus-edge";
import { printable } from "../../host/core/api/printable";
import { MODEL, node, type Result, ROOT, temporary, wasi, wasmtime, ZAGREUS } from "./harness";

const BYTES = new Uint8Array(readFileSync(join(ROOT, MODEL)));
/** Exit code and the first line of standard error; nothing may be on standard output. */
const outcome = ({ code, stdout, stderr }: Result) => ({ code, stdout, stderr: stderr.split("\n")[0] });

test.each([
  ["no-such-command"],
  ["--no-such-option"],
  ["complete", "a", "b"],
  ["complete", "a", "--no-such-option"],
  ["complete", "a", "-n"],
  ["complete", "a", "-n", "many"],
  ["complete", "a", "-n", "-1"],
  ["complete", "a", "-n", "9007199254740993"],
  ["complete", "a", "-n", "2000000"],
  ["complete", "a", "--temp", "hot"],
  ["complete", "a", "--temp", ""],
  ["complete", "a", "--temp", "-1"],
  ["complete", "a", "--temp", "1e3"],
  ["complete", "a", "--top-k", "9000"],
  ["complete", "a", "--top-p", "1.5"],
  ["complete", "a", "--repetition-penalty", "0"],
  ["complete", "a", "--logit-bias", "5"],
  ["complete", "a", "--logit-bias", "5=6=7"],
  ["complete", "a", "--logit-bias", "x=1"],
  ["complete", "a", "--logit-bias", "9000=1"],
  ["complete", "a", "--logit-bias", "1=2000000"],
  ["complete", "a", "--seed", "-1"],
  ["complete", "a", "--seed", "99999999999999999999"],
  ["complete", "a", "--stop", ""],
  ["complete", "a", "--logprobs", "300"],
  ["complete", "a", "--kv", "int2"],
  ["complete", "a", "--context", "0"],
  ["complete", "a", "--context", "513"],
  ["complete", "a", "--context", "9999999"],
  ["complete", "a b c d", "--context", "2"],
  ["complete", "a", "-m", "test/fixtures/text/held-ita.txt"],
  ["logits"],
  ["logits", "--tokens", ""],
  ["logits", "--tokens", "1,x"],
  ["logits", "--tokens", "1,,2"],
  ["logits", "--tokens", "9000"],
  ["logits", "--tokens", "1", "--all"],
  ["logits", "--tokens", "1", "extra"],
  ["tokenize", "a", "-f", "b"],
  ["tokenize", "a".repeat(70_000)],
])("as the Node command: %s %s %s %s", (...args) => {
  const given = args.filter((arg) => arg !== undefined);
  const all = given.includes("-m") || given[0]?.includes("no-such") ? given : [...given, "-m", MODEL];
  const expected = outcome(node(all));
  expect(expected.code).toBeGreaterThan(0);
  const actual = wasi(all);
  expect(outcome(actual)).toEqual(expected);
  expect(actual.stderr.split("\n")).toHaveLength(2);
});

test.each<[args: string[], code: number, stderr: RegExp]>([
  [["complete", "a"], 2, /^error: required option '-m, --model <model>' not specified\n$/],
  [["complete", "a", "-m", "no/such.gguf"], 1, /^zagreus: cannot read "no\/such\.gguf": No such file or directory\n$/],
  [["complete", "a", "-m", "../no.gguf"], 1, /^zagreus: cannot read "\.\.\/no\.gguf": .*\n$/],
  [["complete", "a", "-m", "docs"], 1, /^zagreus: cannot read "docs": it is a folder, and has no model\n$/],
  [["tokenize", "-m", MODEL, "-f", "no.txt"], 1, /^zagreus: cannot read "no\.txt": No such file or directory\n$/],
  [["complete", "-m", "-"], 2, /^error: the model and the text cannot both come from standard input\n$/],
  [
    ["logits", "--tokens", "1", "--all", "--out", "no/such", "-m", MODEL],
    1,
    /^zagreus: cannot write "no\/such": .*\n$/,
  ],
  [["complete", "a", "-m", MODEL, "--memory-budget", "1e9"], 2, /^error: option '--memory-budget <bytes>' .*\n$/],
  [["complete", "a", "-m", MODEL, "--build", "simd"], 2, /^error: unknown option '--build'\n$/],
  [["complete", "a", "b\nc", "-m", MODEL, "--x\ny"], 2, /^error: unknown option '--x y'\n$/],
])("%j", (args, code, stderr) => {
  expect(wasi(args)).toEqual({ code, stdout: "", stderr: expect.stringMatching(stderr) });
});

test("a folder where a model was meant: its models, as the Node command lists them", () => {
  const args = ["complete", "a", "-m", "test/fixtures/models"];
  expect(outcome(wasi(args))).toEqual(outcome(node(args)));
});

test("a reader that goes away is no error", () => {
  const run = `"${process.execPath}" --no-warnings test/wasi/run.mjs . complete "C'era" -n 2000 -m ${MODEL}`;
  const script = `${run} 2>&1 | head -c 5; exit $\{PIPESTATUS[0]}`;
  expect(spawnSync("bash", ["-c", script], { cwd: ROOT, encoding: "utf8" })).toMatchObject({ status: 0 });
});

test("over budget: the model, or what the text needs besides", () => {
  const complete = (budget: number) =>
    wasi(["complete", "a", "-n", "1", "-m", MODEL, "--memory-budget", String(budget)]);
  const { stderr, ...refused } = complete(2_000_000);
  expect(refused).toEqual({ code: 1, stdout: "" });
  const [, needed] = /^zagreus: needs ([\d,]+) bytes, the memory budget is 2,000,000\n$/.exec(stderr) ?? [];
  const bytes = Number(needed!.replaceAll(",", ""));
  expect(complete(bytes)).toEqual({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(/^zagreus: needs [\d,]+ bytes/),
  });
  expect(complete(bytes + 65_536)).toMatchObject({ code: 0, stderr: "" });
});

test("an engine that refuses memory", () => {
  const binaryen = (tool: string, ...args: string[]) =>
    execFileSync(process.execPath, [join(ROOT, "node_modules/binaryen/bin", tool), ...args], { maxBuffer: 1e9 });
  const text = binaryen("wasm-dis", ZAGREUS).toString();
  writeFileSync(temporary("small.wat"), text.replace(/\(memory (\S+) 32\)/, "(memory $1 32 64)"));
  binaryen("wasm-as", "-all", temporary("small.wat"), "-o", temporary("small.wasm"));
  const module = new WebAssembly.Module(readFileSync(temporary("small.wasm")));
  const stderr = expect.stringMatching(/^zagreus: needs [\d,]+ bytes of memory, which the engine refuses\n$/);
  expect(wasi(["complete", "a", "-m", MODEL], { module })).toEqual({ code: 1, stdout: "", stderr });
});

test("in Wasmtime too", () => {
  const { code, stdout, stderr } = wasmtime(["complete", "a", "-m", "test/fixtures/text/held-ita.txt"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^zagreus: not a GGUF file: it starts with "\S{4}", must start with "GGUF"\n/);
});

/** What the Node command says about a file, made of the library's error, and what the module says. */
async function bothReports(file: Uint8Array) {
  let expected = "";
  try {
    const model = await load(file, { build: "simd", threads: 1 });
    model.close();
  } catch (error) {
    if (!(error instanceof ZagreusError)) throw error;
    expected = `zagreus: ${printable(error.message.replace(/\s*\n\s*/g, " "))}\n`;
  }
  const { code, stderr } = wasi(["tokenize", "a", "-m", "-"], { input: file });
  if (code !== (expected ? 1 : 0)) throw new Error(`exit code ${code}, "${stderr}" where "${expected}" was expected`);
  return { expected: comparable(expected), actual: comparable(stderr) };
}

/** Memory sizes include the launcher's; integers beyond 2^53 have other last digits. */
function comparable(text: string): string {
  if (/^zagreus: needs [\d,]+ bytes of memory/.test(text)) return text.replace(/[\d,]+/, "N");
  return text.replace(/\d[\d,]{20,}/g, (n) => String(Number(n.replaceAll(",", ""))));
}

test("files of another kind, by their first four bytes", async () => {
  for (const bytes of ["PK\x03\x04", "\x89PNG", "\x7fELF", '"\\\n\b', "\x00\x9f\xa0\xff", "<!do"]) {
    const { expected, actual } = await bothReports(Uint8Array.from(bytes.padEnd(64), (c) => c.charCodeAt(0)));
    expect(expected).toMatch(/must start with "GGUF"\n$/);
    expect(actual).toBe(expected);
  }
});

test("damaged files, cut anywhere; what follows the last tensor is no damage", async () => {
  for (const length of [0, 3, 10, 23, 24, 100, 5000, 150_000, BYTES.length - 1]) {
    const { expected, actual } = await bothReports(BYTES.subarray(0, length));
    expect(expected).not.toBe("");
    expect(actual).toBe(expected);
  }
  const trailing = new Uint8Array(BYTES.length + 1);
  trailing.set(BYTES);
  expect(await bothReports(trailing)).toEqual({ expected: "", actual: "" });
});

test("any damage to the header gives the same line", async () => {
  const dataOffset = headerBytes();
  const seen = new Set<string>();
  const place = fc.oneof(fc.nat(1200), fc.integer({ min: dataOffset - 6000, max: dataOffset - 1 }));
  await fc.assert(
    fc.asyncProperty(place, fc.nat(255), async (at, byte) => {
      const file = BYTES.slice();
      file[at] = byte;
      const { expected, actual } = await bothReports(file);
      expect(actual).toBe(expected);
      seen.add(expected.replace(/".*?"|[\d.]+/g, ""));
    }),
    { numRuns: 150, seed: 1 },
  );
  expect(seen.size).toBeGreaterThan(8); // different messages
});

/** Bytes before the data of the tensors. */
function headerBytes(): number {
  const inspected = node(["inspect", MODEL, "--json"]);
  const { tensors } = JSON.parse(inspected.stdout);
  return Math.min(...tensors.map(({ offset }: { offset: number }) => offset));
}
