import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { finish, json, start, zagreus } from "../../support/command";
import { bits, loadNano, PROMPT } from "../../support/nano";

const HELD = fileURLToPath(new URL("../../fixtures/text/held-ita.txt", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "zagreus-cli-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("complete", async () => {
  const args = ["complete", PROMPT, "-n", "12", "--temp", "0", "--seed", "1"];
  const result = await json(args);
  expect(result).toMatchObject({ finishReason: "length", seed: "1" });
  expect(result.tokens).toHaveLength(12);
  for (const name of ["loadMs", "prefillTokensPerSecond", "decodeTokensPerSecond"]) {
    expect(result.timings[name]).toBeGreaterThan(0);
  }
  expect(await zagreus(args)).toEqual({ code: 0, stdout: `${result.text}\n`, stderr: "" });
});

test("complete --prompt-lookup says the same", async () => {
  const args = ["complete", `${PROMPT} `.repeat(4), "-n", "24", "--temp", "0", "--repetition-penalty", "1"];
  const plain = await json(args);
  const guessed = await json([...args, "--prompt-lookup"]);
  expect(guessed).toMatchObject({ text: plain.text, tokens: plain.tokens, finishReason: plain.finishReason });
  expect(plain.timings).not.toHaveProperty("proposedTokens");
  expect(guessed.timings.proposedTokens).toBeGreaterThanOrEqual(guessed.timings.acceptedTokens);
});

test("complete takes its prompt from standard input, without echo's newline", async () => {
  const options = ["-n", "6", "--temp", "0"];
  const expected = await json(["complete", PROMPT, ...options]);
  expect(await json(["complete", ...options], `${PROMPT}\n`)).toMatchObject({ text: expected.text });
  expect(await json(["complete", ...options], PROMPT)).toMatchObject({ text: expected.text });
});

test("complete takes its prompt from a file, and what the text must be", async () => {
  const file = join(directory, "prompt.txt");
  writeFileSync(file, `${PROMPT}\n`);
  const options = ["-n", "6", "--temp", "0"];
  const expected = await json(["complete", PROMPT, ...options]);
  expect(await json(["complete", "-f", file, ...options])).toMatchObject({ text: expected.text });
  expect((await zagreus(["complete", PROMPT, "-f", file])).code).toBe(2);

  const schema = join(directory, "schema.json");
  writeFileSync(schema, '{"enum": ["Roma", "Milano"]}');
  expect(["Roma", "Milano"]).toContain(JSON.parse((await json(["complete", PROMPT, "--json-schema", schema])).text));
  const grammar = join(directory, "yes.gbnf");
  writeFileSync(grammar, 'root ::= "yes" | "no"');
  expect((await json(["complete", PROMPT, "--grammar", grammar])).text).toMatch(/^(yes|no)$/);
  expect((await zagreus(["complete", PROMPT, "--grammar", grammar, "--json-schema", schema])).code).toBe(2);
  const { stderr } = await zagreus(["complete", PROMPT, ...options, "--verbose"]);
  expect(stderr).toMatch(/^zagreus: tokens: \d+ of prompt, 0 of them reused, .* written in .*\n$/);
});

test("wrong usage says what is meant", async () => {
  const twice = await zagreus(["complete", "x", "-m", "a.gguf", "-m", "b.gguf"]);
  expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining("given twice") });
  expect((await zagreus(["complete", "x", "--tmep", "0"])).stderr).toContain("Did you mean --temp?");
  expect((await zagreus(["chta"])).stderr).toContain("Did you mean chat?");
});

test("every command's help ends with examples", async () => {
  const { stdout } = await zagreus(["--help"]);
  const commands = [...stdout.matchAll(/^ {2}(\w+) (?:\[|<)/gm)].map(([, name]) => name!);
  expect(commands).toContain("completion");
  for (const command of commands.filter((name) => name !== "help")) {
    const help = await zagreus([command, "--help"]);
    expect(help.stdout, command).toMatch(new RegExp(`\\nExamples:\\n(.*\\n)*.*zagreus ${command}\\b`));
  }
});

test("completion scripts know commands, options, choices and models", async () => {
  const { stdout: bash } = await zagreus(["completion", "bash"]);
  const complete = (...words: string[]) => {
    const script = `${bash}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _zagreus; echo "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", script], { encoding: "utf8" }).trim().split(" ");
  };
  expect(complete("zagreus", "compl")).toEqual(["complete", "completion"]);
  expect(complete("zagreus", "chat", "--json")).toEqual(["--json", "--json-schema"]);
  expect(complete("zagreus", "chat", "-m", "zagreus-n")).toEqual(["zagreus-nano"]);
  expect(complete("zagreus", "quantize", "-t", "q8")).toEqual(["q8_0"]);
  for (const shell of ["zsh", "fish"]) {
    const { stdout } = await zagreus(["completion", shell]);
    for (const text of ["nesso2-agentic", "json-schema", "q8_0"]) expect(stdout).toContain(text);
  }
});

test("inspect shows what begins and ends a text", async () => {
  const { stdout } = await zagreus(["inspect"]);
  expect(stdout).toContain("begin: 8176 <|begin_of_text|>");
  expect(stdout).toContain("end: 8177 <|end_of_text|>, 8179 <|im_end|>");
  const model = await loadNano();
  const { tokenizer } = await json(["inspect"]);
  expect(tokenizer).toEqual(model.info.tokenizer);
  model.close();
});

test("complete hands every option on", async () => {
  const model = await loadNano();
  const options = {
    maxTokens: 10,
    temperature: 1.2,
    topK: 40,
    topP: 0.9,
    minP: 0.01,
    repetitionPenalty: 1.2,
    noRepeatNgram: 3,
    frequencyPenalty: 0.1,
    presencePenalty: -0.2,
    dry: { multiplier: 0.9, base: 1.5, allowedLength: 1, penaltyLastN: 100, sequenceBreakers: ["\n", "x"] },
    logitBias: { 44: -2 },
    seed: 12345678901234567890n,
    stop: ["xyz"],
    logprobs: 2,
  };
  const completion = model.complete(PROMPT, options);
  const text = await completion.text();
  const flags = "-n 10 --temp 1.2 --top-k 40 --top-p 0.9 --min-p 0.01 --repetition-penalty 1.2 --no-repeat-ngram 3";
  const more = "--logit-bias 44=-2 --seed 12345678901234567890 --stop xyz --logprobs 2";
  const penalties = "--frequency-penalty 0.1 --presence-penalty -0.2 --dry-multiplier 0.9 --dry-base 1.5";
  const dry = "--dry-allowed-length 1 --dry-penalty-last-n 100 --dry-sequence-breaker \\n --dry-sequence-breaker x";
  const args = [flags, more, penalties, dry].flatMap((some) => some.split(" "));
  const result = await json(["complete", PROMPT, ...args]);
  expect(result).toMatchObject({ text, tokens: completion.tokens, seed: "12345678901234567890" });
  expect(result.logprobs).toHaveLength(10);
  expect(result.logprobs[0].top).toHaveLength(2);
  model.close();
});

test("tokenize", async () => {
  const model = await loadNano();
  const text = "Ciao <|im_start|> perché\n";
  expect(await json(["tokenize", text])).toEqual({ tokens: model.tokenize(text) });
  expect(await json(["tokenize", text, "--no-bos"])).toEqual({ tokens: model.tokenize(text, { bos: false }) });
  expect(await json(["tokenize", text, "--special"])).toEqual({ tokens: model.tokenize(text, { special: true }) });
  expect(await json(["tokenize", "-f", HELD])).toEqual({ tokens: model.tokenize(readFileSync(HELD)) });
  const invalid = Uint8Array.of(0x61, 0xff, 0xfe, 0x62);
  expect(await json(["tokenize"], invalid)).toEqual({ tokens: model.tokenize("a\ufffd\ufffdb") });
  expect((await zagreus(["tokenize", "re", "--no-bos"])).stdout).toMatch(/^\d+\t"re"\n$/);
  model.close();
});

test("logits", async () => {
  const model = await loadNano();
  const tokens = [8176, 67, 1012];
  const out = join(directory, "logits.f32");
  const logits = await model.logits(tokens);
  const best = logits.indexOf(Math.max(...logits));
  const sha256 = createHash("sha256").update(bits(logits)).digest("hex");
  const result = await json(["logits", "--tokens", tokens.join(","), "--top", "3"]);
  expect(result).toEqual({ top: expect.any(Array), sha256 });
  expect(result.top).toHaveLength(3);
  expect(result.top[0]).toEqual({ id: best, logit: logits[best] });
  expect(await json(["logits", "--tokens", tokens.join(","), "--top", "3", "--all", "--out", out])).toEqual(result);
  const rows: Buffer[] = [];
  for await (const row of model.logits(tokens, { all: true })) rows.push(bits(row));
  expect(readFileSync(out)).toEqual(Buffer.concat(rows));
  model.close();
});

test("perplexity", async () => {
  const file = join(directory, "text.txt");
  writeFileSync(file, readFileSync(HELD).subarray(0, 6000));
  const args = ["perplexity", "-f", file, "--context", "64"];
  const result = await json(args);
  const model = await loadNano({ contextLength: 64 });
  const tokens = model.tokenize(readFileSync(file));
  const windows = Math.floor(tokens.length / 64);
  const nll: number[] = [];
  for (let i = 0; i < windows; i++) {
    const window = tokens.slice(64 * i, 64 * (i + 1)).with(0, model.info.tokenizer.bos!);
    for (const { logprob } of await model.logprobs(window, { from: 33 })) nll.push(-logprob!);
  }
  model.close();
  const mean = nll.reduce((sum, x) => sum + x, 0) / nll.length;
  const variance = nll.reduce((sum, x) => sum + (x - mean) ** 2, 0) / nll.length;
  expect(result).toMatchObject({ tokens: windows * 31, windows, context: 64 }); // positions 32 to 62
  expect(result.nll).toBeCloseTo(mean, 8);
  expect(result.perplexity).toBeCloseTo(Math.exp(mean), 6);
  expect(result.error).toBeCloseTo(Math.exp(mean) * Math.sqrt(variance / (nll.length - 1)), 6);

  const shown = await zagreus(args);
  const estimate = `${result.perplexity.toFixed(4)} +/- ${result.error.toFixed(4)}`;
  expect(shown.stdout).toContain(`perplexity ${estimate} (`);
  const lines = shown.stderr.split("\n");
  expect(lines).toHaveLength(windows + 1);
  expect(lines[0]).toMatch(new RegExp(`^window 1/${windows}: \\d+\\.\\d{4} \\+/- \\d+\\.\\d{4}$`));
  expect(lines.at(-2)).toBe(`window ${windows}/${windows}: ${estimate}`);
  expect(await json([...args, "--windows", "2"])).toMatchObject({ tokens: 62, windows: 2 });

  // As with llama.cpp, one newline at the end of a file is not part of the text: here it would be the token that fills a window.
  const fill = "re".repeat(62);
  const lengths = await Promise.all(
    [fill, `${fill}\n`].map(async (text) => (await json(["tokenize", text])).tokens.length),
  );
  writeFileSync(file, `${fill}\n`);
  const cut = await zagreus(["perplexity", "-f", file, "--context", String(lengths[1])]);
  expect(lengths[1]).toBe(lengths[0]! + 1);
  expect(cut).toMatchObject({ code: 1, stderr: expect.stringContaining(`has ${lengths[0]} tokens`) });

  writeFileSync(file, "troppo corto");
  const short = await zagreus(["perplexity", "-f", file]);
  expect(short.code).toBe(1);
  expect(short.stderr).toMatch(/^zagreus: the text has \d+ tokens, one window needs 512: .*\n$/);
});

test("perplexity stops at Ctrl-C", async () => {
  const child = start(["perplexity", "-f", HELD]);
  child.stderr?.once("data", () => child.kill("SIGINT"));
  const { code, stdout, stderr } = await finish(child);
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  expect(stderr).toMatch(/^(window .*\n)+$/);
});

test("bench", async () => {
  const result = await json(["bench", "-p", "16", "-n", "4", "-t", "1", "-r", "2"]);
  expect(result).toMatchObject({ build: expect.stringMatching(/^(simd|relaxed)$/), threads: 1 });
  for (const name of ["loadMs", "prefillTokensPerSecond", "decodeTokensPerSecond", "arenaBytes", "peakRssBytes"]) {
    expect(result[name]).toBeGreaterThan(0);
  }
  expect((await zagreus(["bench", "-p", "8", "-n", "2", "-r", "1"])).stdout).toContain("tokens/s");
  const tooLong = await zagreus(["bench", "-p", "500", "-n", "100"]);
  expect(tooLong).toMatchObject({ code: 1, stderr: "zagreus: -p 500 and -n 100 need a context of 601\n" });
});

test("inspect", async () => {
  const result = await json(["inspect"]);
  expect(result.metadata["general.architecture"]).toBe("llama");
  expect(result.tensors).toHaveLength(74);
  expect(result.plan.arena).toBeGreaterThan(0);
  const fixture = (path: string) => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url));
  const { stdout } = await zagreus(["inspect", fixture("models/zagreus-nano-Q4_0.gguf")]);
  expect(stdout).toContain("quantization: Q4_0");
  const mix = await json(["inspect", fixture("community/tiny-Q5_K_M.gguf")]);
  expect(mix.quantization).toBe("Q5_K_M");
  expect(new Set(mix.tensors.map(({ type }: { type: string }) => type))).toEqual(new Set(["F32", "Q5_K", "Q6_K"]));
});

test("--model, --context, --kv and --build", async () => {
  const args = ["inspect", "--context", "100", "--kv", "f32", "--build", "simd"];
  expect(await json(args)).toMatchObject({ contextLength: 100, kvType: "f32", build: "simd" });
});

const USAGE: string[][] = [
  [],
  ["no-such-command"],
  ["complete", "a", "b"],
  ["complete", "a", "--no-such-option"],
  ["complete", "a", "-n", "many"],
  ["complete", "a", "-n", "-1"],
  ["complete", "a", "--temp", "hot"],
  ["complete", "a", "--temp", "-1"],
  ["complete", "a", "--logit-bias", "5"],
  ["complete", "a", "--kv", "int2"],
  ["complete", "a", "--build", "mt"],
  ["complete", "a", "--context", "513"],
  ["logits"],
  ["logits", "--tokens", "1,x"],
  ["logits", "--tokens", "1", "--all"],
  ["perplexity"],
  ["bench", "-t", "0"],
  ["bench", "--build", "simd", "-t", "2"],
  ["tokenize", "a", "-f", "b"],
  ["inspect", "a", "-m", "b"],
];
test.each(USAGE.map((args) => [args.join(" "), args] as const))("wrong usage: %s", async (_, args) => {
  const { code, stdout, stderr } = await zagreus(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).not.toBe("");
});

const FAILURES: [args: string[], stderr: RegExp][] = [
  [["complete", "a", "-m", "/no/such.gguf"], /^zagreus: cannot read "\/no\/such\.gguf": no such file or directory\n$/],
  [["complete", "a", "-m", HELD], /^zagreus: not a GGUF file: it starts with "Giun", must start with "GGUF"\n$/],
  [["tokenize", "-f", "/no/such.txt"], /^zagreus: cannot open "\/no\/such.txt": no such file or directory\n$/],
  [["complete", "a b c d", "--context", "2"], /^zagreus: \d+ tokens do not fit into the context of 2 tokens\n$/],
  [["logits", "--tokens", "9000"], /^zagreus: token id is 9,000, must be 0 to 8,191\n$/],
  [
    ["logits", "--tokens", "1", "--all", "--out", "/no/such/file"],
    /^zagreus: cannot open "\/no\/such\/file": no such .*\n$/,
  ],
];
test.each(FAILURES)("failure: %j", async (args, stderr) => {
  for (const flags of [[], ["--json"]]) {
    const result = await zagreus([...args, ...flags]);
    expect(result).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(stderr) });
  }
});

test("--help and --version", async () => {
  const help = await zagreus(["--help"]);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  for (const command of ["complete", "chat", "tokenize", "logits", "perplexity", "eval", "bench", "inspect"]) {
    expect(help.stdout).toContain(command);
    expect(await zagreus([command, "--help"])).toMatchObject({ code: 0, stderr: "" });
  }
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  expect(await zagreus(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("Ctrl-C ends with 130 and no complaint", async () => {
  const endless = [8177, 8179, 8182, 8183].flatMap((token) => ["--logit-bias", `${token}=-inf`]);
  const child = start(["complete", PROMPT, "-n", "500", ...endless]);
  child.stdout?.once("data", () => child.kill("SIGINT"));
  const { code, stderr } = await finish(child);
  expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
});

test("a reader that goes away is no error", async () => {
  const child = start(["tokenize", "-f", HELD]);
  child.stdout?.destroy();
  const { code, stderr } = await finish(child);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
