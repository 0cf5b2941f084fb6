// The commands say what the Node command says, in Node's WASI and in Wasmtime.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { load } from "zagreus-edge";
import { json, MODEL, MODELS, node, ROOT, temporary, wasi, wasmtime } from "./harness";

const RECEIPT = "test/.cache/wasi-receipt.json"; // where the guest sees it
const PROMPT = "C'era una volta un re che aveva";
const TOKENS = Array.from({ length: 200 }, (_, i) => (i === 0 ? 8176 : (i * i * 31 + i * 7) % 8000)).join();
const HOSTS = { "node:wasi": wasi, Wasmtime: wasmtime };
const model = (path: string = MODEL) => ["-m", path, "--json"];
/** What must be equal of a completion: all but the clock's figures. */
const said = ({ timings: _, ...rest }: ReturnType<typeof json>) => rest;

for (const [host, run] of Object.entries(HOSTS)) {
  test.each(Object.entries(MODELS))(`${host}: logits of %s have the same SHA-256`, (_, path) => {
    const args = ["logits", "--tokens", TOKENS, "--top", "5", ...model(path)];
    const expected = json(node(args));
    expect(expected.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(json(run(args))).toEqual(expected);
  });

  test.each([
    ["greedy", "--temp 0 --repetition-penalty 1"],
    ["sampled", "--seed 7 --temp 0.9 --top-k 50 --top-p 0.95"],
  ])(`${host}: %s text`, (_, options) => {
    const args = ["complete", PROMPT, "-n", "40", "--seed", "1", ...options.split(" "), ...model()];
    expect(said(json(run(args)))).toEqual(said(json(node(args))));
  });
}

test.each([
  "--temp 1.2 --top-k 40 --top-p 0.9 --min-p 0.01 --repetition-penalty 1.2 --no-repeat-ngram 3 --seed 12345678901234567890",
  "--logit-bias 44=-2 --logit-bias 320=-inf --logit-bias 44=-1.5e0 --seed 3 --logprobs 3",
  "--temp 0 --stop . --stop re --logprobs 0",
  "--temp 0 --stop zzz --context 24 --kv f32",
  "--temp=0 -n7 --context 16",
  "--temp 0 --max-tokens=0",
])("complete %s", (options) => {
  const args = ["complete", PROMPT, "-n", "30", "--seed", "1", ...options.split(" "), ...model()];
  expect(said(json(wasi(args)))).toEqual(said(json(node(args))));
});

test("complete samples as the makers of the model say", () => {
  const file = readFileSync(join(ROOT, MODEL));
  const at = file.indexOf("zagreus-nano");
  const path = temporary("named.gguf");
  const texts = ["zagreus-nano", "Zagreus_ita-", "0.4Zagreus-0"].map((name) => {
    file.write(name, at);
    writeFileSync(path, file);
    const args = ["complete", PROMPT, "-n", "60", "--temp", "0", "--seed", "1"];
    const expected = said(json(node([...args, ...model(path)])));
    expect(said(json(wasi([...args, ...model("-")], { input: file })))).toEqual(expected);
    return expected.text;
  });
  const penalty = [
    "complete",
    PROMPT,
    "-n",
    "60",
    "--temp",
    "0",
    "--seed",
    "1",
    "--repetition-penalty",
    "1.1",
    ...model(),
  ];
  expect(texts).toEqual([texts[0], json(node(penalty)).text, texts[0]]);
  expect(texts[1]).not.toBe(texts[0]);
});

test("complete ends where the model ends", () => {
  const args = ["complete", PROMPT, "--temp", "1.5", "--seed", "2", "-n", "400", "--logit-bias", "8177=12", ...model()];
  const expected = json(node(args));
  expect(expected.finishReason).toBe("stop");
  expect(said(json(wasi(args)))).toEqual(said(expected));
});

test("any stop strings", async () => {
  const model = await load(join(ROOT, MODEL), { build: "simd", threads: 1 });
  const options = { maxTokens: 24, temperature: 0, seed: 1 };
  const text = await model.complete(PROMPT, options).text();
  const piece = fc.tuple(fc.nat(text.length - 1), fc.integer({ min: 1, max: 9 }), fc.constantFrom("", "", "x", "è"));
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 3 }), async (pieces) => {
      const stop = pieces.map(([at, length, more]) => text.slice(at, at + length) + more);
      const completion = model.complete(PROMPT, { ...options, stop });
      const expected = { text: await completion.text(), tokens: completion.tokens };
      const stops = stop.map((string) => `--stop=${string}`);
      const args = ["complete", PROMPT, "-n", "24", "--temp", "0", "--seed", "1", ...stops, "-m", MODEL];
      expect(json(wasi([...args, "--json"]))).toMatchObject(expected);
      expect(wasi(args).stdout).toBe(`${expected.text}\n`);
    }),
    { numRuns: 60, seed: 1 },
  );
  model.close();
});

test("complete streams the text that it puts into its JSON", () => {
  const args = ["complete", PROMPT, "-n", "20", "--temp", "0", "-m", MODEL];
  const { text } = json(wasi([...args, "--json"]));
  expect(wasi(args)).toEqual({ code: 0, stdout: `${text}\n`, stderr: "" });
});

test("a seed is made when none is given", () => {
  const args = ["complete", PROMPT, "-n", "1", ...model()];
  expect(json(wasi(args)).seed).not.toBe(json(wasi(args)).seed);
});

test("timings", () => {
  const { timings } = json(wasi(["complete", PROMPT, "-n", "20", ...model()]));
  for (const name of ["loadMs", "prefillTokensPerSecond", "decodeTokensPerSecond"]) {
    expect(timings[name]).toBeGreaterThan(0);
  }
});

test("standard input: the prompt without its newline, or the model", () => {
  const args = ["complete", "-n", "8", "--temp", "0", "--seed", "1"];
  const expected = said(json(wasi([...args, PROMPT, ...model()])));
  for (const input of [PROMPT, `${PROMPT}\n`, `${PROMPT}\r\n`, `\ufeff${PROMPT}`]) {
    expect(said(json(wasi([...args, ...model()], { input })))).toEqual(expected);
  }
  const file = [...args, "-f", ".gitignore", ...model()];
  expect(said(json(wasi(file)))).toEqual(said(json(node(file))));
  const input = readFileSync(join(ROOT, MODEL));
  expect(said(json(wasi([...args, PROMPT, ...model("-")], { input })))).toEqual(expected);
});

test("verify says what the Node command says of a receipt, of one that was changed, and of several", () => {
  const file = temporary("receipt.json");
  const options = [
    "-n",
    "12",
    "--stop",
    'zz\n"é',
    "--logit-bias",
    "44=-inf",
    "--seed",
    "18446744073709551610",
    "--kv",
    "f32",
  ];
  node(["complete", PROMPT, "-m", MODEL, ...options, "--context", "64", "--receipt", file]);
  const receipt = JSON.parse(readFileSync(file, "utf8"));
  const changes = [
    {},
    { tokens: [...receipt.tokens.slice(0, 5), 9, ...receipt.tokens.slice(6)] },
    { tokens: receipt.tokens.slice(1) },
    { tokens: [...receipt.tokens, 3] },
    { logits: "0".repeat(64) },
    { endToken: 7 },
    { finishReason: "stop" },
  ];
  mkdirSync(join(ROOT, "test/.cache"), { recursive: true });
  const compare = (text: string, ...more: string[]) => {
    writeFileSync(join(ROOT, RECEIPT), text);
    const [here, there] = [wasi, node].map((run) => run(["verify", RECEIPT, "-m", MODEL, ...more]));
    expect({ ...here, stderr: "" }).toEqual({ ...there, stderr: "" });
    return here!;
  };
  for (const change of changes) {
    const { code } = compare(JSON.stringify({ ...receipt, ...change }, null, 1));
    expect(code).toBe(Object.keys(change).length > 0 ? 1 : 0);
  }
  const several = changes.slice(0, 3).map((change) => JSON.stringify({ ...receipt, ...change }));
  compare(several.join("\n"));
  const whole = JSON.stringify(receipt);
  for (let cut = 1; cut < whole.length; cut += 61) {
    writeFileSync(join(ROOT, RECEIPT), whole.slice(0, cut));
    expect(wasi(["verify", RECEIPT, "-m", MODEL]), whole.slice(0, cut)).toMatchObject({ code: 1, stdout: "" });
  }
  for (const text of ["", "{}", "[", '{"version":1', JSON.stringify({ ...receipt, options: { dry: {} } })]) {
    writeFileSync(join(ROOT, RECEIPT), text);
    expect(wasi(["verify", RECEIPT, "-m", MODEL])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^zagreus: .*\n$/),
    });
  }
});

test("tokenize", () => {
  const cases: [args: string[], input?: string | Uint8Array][] = [
    [["Ciao <|im_start|> perché\n\ud83d\ude00"]],
    [["Ciao <|im_start|> perché", "--special", "--no-bos"]],
    [["-f", "test/fixtures/text/held-ita.txt"]],
    [["-f", "-"], "dallo standard input\n"],
    [[], Uint8Array.of(0x61, 0xff, 0xfe, 0xe2, 0x82, 0x62, 0xed, 0xa0, 0x80, 0xf0)],
    [["--special"], readFileSync(join(ROOT, MODEL)).subarray(0, 200_000)],
    [["--", "-x"]],
    [["--no-bos", "--"], ""],
  ];
  for (const [args, input] of cases) {
    const command = ["tokenize", "-m", MODEL, "--json", ...args];
    expect(json(wasi(command, { input })), args.join(" ")).toEqual(json(node(command, { input })));
  }
});

test("what people read, and the digits of every number", () => {
  for (const args of [
    ["tokenize", 'Ciao "perché" \u0001\t<|im_start|>', "--special"],
    ["tokenize", "-f", "test/fixtures/text/held-ita.txt"],
    ["logits", "--tokens", "1,2,3", "--top", "9999"],
    ["logits", "--tokens", "1,2,3", "--top", "3", "--json"],
  ]) {
    expect(wasi([...args, "-m", MODEL])).toEqual(node([...args, "-m", MODEL]));
  }
});

test("logits --all --out writes the file of the Node command", () => {
  const directory = temporary(".");
  const options = ["--tokens", TOKENS, "--all", "--top", "1"];
  const expected = json(node(["logits", ...options, "--out", temporary("node.f32"), ...model()]));
  const { code, stdout } = wasi(["logits", ...options, "--out", "wasi.f32", ...model("-")], {
    directory,
    input: readFileSync(join(ROOT, MODEL)),
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout).sha256).toBe(expected.sha256);
  expect(readFileSync(temporary("wasi.f32")).equals(readFileSync(temporary("node.f32")))).toBe(true);
});

test("--help and --version", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(wasi(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  const help = wasi(["--help"]);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  for (const command of ["complete", "tokenize", "logits"]) {
    expect(help.stdout).toContain(command);
    expect(wasi([command, "--help"])).toMatchObject({ code: 0, stderr: "" });
  }
  expect(wasi(["complete", "--help"]).stdout).not.toMatch(/--build|--threads|--prompt-lookup/);
  expect(wasi([])).toEqual({ code: 2, stdout: "", stderr: help.stdout });
});

test("a reader that goes away is no error", async () => {
  const args = ["test/wasi/run.mjs", ".", "tokenize", "-m", MODEL, "-f", "test/fixtures/text/held-ita.txt"];
  const child = spawn(process.execPath, ["--no-warnings", ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
