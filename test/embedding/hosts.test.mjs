// zagreus.wasm in Python, Go and Rust: the texts and the bits of the library. Needs npm run build:wasi, Python, Go and Cargo.

import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundledModel, load } from "zagreus-edge";
import { END_TOKENS } from "../../host/core/api/names";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MODELS = ["host/models/zagreus-nano-Q8_0.gguf", "test/fixtures/models/zagreus-nano-Q4_0.gguf"];
const MODULES = { simd: "dist/wasi/zagreus.wasm", relaxed: "dist/wasi/zagreus-relaxed.wasm" };
const PROMPT = "C'era una volta un re che aveva";
const FIRST = "L'intelligenza artificiale è"; // the README's
const MESSAGES = [
  { role: "system", content: "Rispondi in breve." },
  { role: "user", content: "Che cosa vuol dire <|im_end|>? \u00e8 una fine" },
];

const work = mkdtempSync(join(tmpdir(), "zagreus-embedding-"));
afterAll(() => rmSync(work, { recursive: true }));
/** What a program writes; vitest's own messages go on meanwhile, which stop coming after a minute of waiting in one call. */
async function run(command, args, options = {}) {
  const all = { cwd: ROOT, maxBuffer: 1e8, encoding: "buffer", ...options };
  return (await promisify(execFile)(command, args, all)).stdout;
}
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A folder with the packages of Python programs. */
const python = join(work, "venv/bin/python");
async function installPython() {
  await run("python3", ["-m", "venv", join(work, "venv")]);
  await run(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", "./examples/python[documents]"]);
}

const models = {};
beforeAll(async () => {
  for (const path of MODELS) models[path] = await load(join(ROOT, path));
  await installPython();
});
afterAll(() => {
  for (const model of Object.values(models)) model.close();
});

async function said(completion) {
  const text = await completion.text();
  return { text, tokens: completion.tokens, finish: completion.finishReason };
}

const logitsOf = async (model, prompt) => {
  const { buffer, byteOffset, byteLength } = await model.logits(model.tokenize(prompt));
  return sha256(new Uint8Array(buffer, byteOffset, byteLength));
};

async function writeReceipt(model) {
  const options = {
    maxTokens: 25,
    seed: 2n ** 63n + 5n,
    topK: 50,
    stop: ["zzz"],
    logitBias: { 44: -Infinity },
    receipt: true,
  };
  const completion = model.complete(PROMPT, options);
  await completion.text();
  writeFileSync(join(work, "receipt.json"), JSON.stringify(completion.receipt));
  return completion.receipt;
}

const CITY = {
  type: "json_schema",
  schema: {
    type: "object",
    properties: { name: { type: "string", maxLength: 20 }, inhabitants: { type: "integer" } },
    required: ["name", "inhabitants"],
  },
};
async function writeGrammar(model) {
  writeFileSync(join(work, "city.zga"), await model.compileGrammar(CITY));
  return model.complete(PROMPT, { maxTokens: 60, seed: 5, responseFormat: CITY });
}

/** The README's first example, here and there. */
async function compare(program, path) {
  const text = await models[path].complete(FIRST, { maxTokens: 64, temperature: 0.7, seed: 1 }).text();
  expect(String(await program(path, FIRST))).toBe(`${text}\n`);
  expect(sha256(await program(path, PROMPT, "logits"))).toBe(await logitsOf(models[path], PROMPT));
}

describe.each(["simd", "relaxed"])("Python, %s", (build) => {
  test.each(MODELS)("%s", async (path) => {
    const model = models[path];
    const session = model.session();
    const turns = [];
    for (const prompt of [PROMPT, " poi", " dunque"]) {
      turns.push(await said(session.complete(prompt, { maxTokens: 30, temperature: 0, stop: ["\n", " e"] })));
    }
    const kept = model.session();
    await kept.complete(PROMPT, { maxTokens: 3, temperature: 0 }).text();
    const snapshot = await kept.save();
    writeFileSync(join(work, "snapshot"), snapshot);
    const receipt = await writeReceipt(model);
    const constrained = await said(await writeGrammar(model));
    const files = ["snapshot", "receipt.json", "city.zga"].map((name) => join(work, name));
    const result = JSON.parse(await run(python, ["test/embedding/check.py", path, build, ...files]));
    const chat = (template) => said(model.chat(MESSAGES, { template, maxTokens: 20, temperature: 0 }));
    const sampled = { maxTokens: 40, seed: 2n ** 64n - 3n, topP: 0.9, repetitionPenalty: 1.1, logitBias: { 300: 2 } };
    expect(result).toEqual({
      greedy: await said(model.complete(PROMPT, { maxTokens: 40, temperature: 0 })),
      sampled: await said(model.complete(PROMPT, sampled)),
      constrained,
      turns,
      tokens: session.tokens,
      chat: { chatml: await chat("chatml"), llama3: await chat("llama3") },
      restored: await said(kept.complete([], { maxTokens: 10, temperature: 0 })),
      saved: sha256(snapshot),
      sha256: await logitsOf(model, PROMPT),
      hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      pieces: expect.any(Number),
      ends: END_TOKENS,
      verified: null,
      tampered: [
        `token 0: 1 in the receipt, ${receipt.tokens[0]} here`,
        `logits: ${"0".repeat(64)} in the receipt, ${receipt.logits} here`,
        expect.stringContaining("model: "),
        expect.stringMatching(/^(token|logits)/),
      ],
      refusals: [
        '"topP" is 2, must be a number from 0 to 1',
        expect.stringContaining("there is no option max_token; there are max_tokens"),
        expect.stringContaining("no chat template"),
        expect.stringContaining("the snapshot is damaged"),
        expect.stringContaining("the grammar: it was not compiled by this version"),
        expect.stringContaining("not a GGUF file"),
      ],
    });
    expect(result.pieces).toBeGreaterThan(8);
  });
});

test("the program of examples/python's README", async () => {
  const [, program] = /```python\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, "examples/python/README.md"), "utf8"));
  const text = await models[MODELS[0]].complete(FIRST, { maxTokens: 64, temperature: 0.7, seed: 1 }).text();
  writeFileSync(join(work, "program.py"), program.replace("model.gguf", fileURLToPath(bundledModel)));
  expect(String(await run(python, [join(work, "program.py")])).split("\n")[0]).toBe(text.split("\n")[0]);
});

test("many documents on a cluster: what one process says of them", async () => {
  const documents = ["C'era una volta", "Roma è", "Once upon a time", "Il mare", "La luna", "Un giorno"];
  writeFileSync(join(work, "documents.txt"), documents.join("\n"));
  const lines = String(
    await run(python, ["examples/python/documents.py", MODELS[0], join(work, "documents.txt")]),
  ).trim();
  const alone = [];
  for (const document of documents) {
    const { text: answer, finish } = await said(models[MODELS[0]].complete(document, { maxTokens: 24, seed: 1 }));
    alone.push({ document, answer, finish });
  }
  expect(lines.split("\n").map((line) => JSON.parse(line))).toEqual(alone);
});

test("random calls: statuses only, for 20 s", async () => {
  const { ZAGREUS_FUZZ_SECONDS: seconds = "20", CI_SEED: seed = "1" } = process.env;
  await writeGrammar(models[MODELS[1]]);
  const args = [
    "test/embedding/fuzz.py",
    MODELS[1],
    seconds,
    String(Number(seed) || 1),
    "relaxed",
    join(work, "city.zga"),
  ];
  const { stdout, stderr } = await promisify(execFile)(python, args, { cwd: ROOT });
  console.log(stdout);
  expect(stderr).toBe("");
});

/** Whether a compiler is there; only elsewhere than in CI may it be missing. */
function has(command, version, at) {
  const { status } = spawnSync(command, [version]);
  if (status === 0) return true;
  if (process.env.CI) throw new Error(`${at} needs ${command}`);
  console.warn(`skipped: ${at} needs ${command}`);
  return false;
}

describe.skipIf(!has("go", "version", "examples/go"))("Go", () => {
  const zagreus = join(work, "zagreus-go");
  beforeAll(() => run("go", ["build", "-o", zagreus, "./cmd/zagreus"], { cwd: join(ROOT, "examples/go") }));

  test.each(MODELS)("%s", (path) => compare((...args) => run(zagreus, [MODULES.simd, ...args]), path));

  test("its own tests", async () => {
    await writeReceipt(models[MODELS[0]]);
    const text = await (await writeGrammar(models[MODELS[0]])).text();
    const files = {
      ZAGREUS_RECEIPT: join(work, "receipt.json"),
      ZAGREUS_GRAMMAR: join(work, "city.zga"),
      ZAGREUS_GRAMMAR_TEXT: text,
    };
    const env = {
      ...process.env,
      ...files,
      ZAGREUS_WASM: join(ROOT, MODULES.simd),
      ZAGREUS_MODEL: join(ROOT, MODELS[0]),
    };
    expect(String(await run("go", ["test", "./..."], { cwd: join(ROOT, "examples/go"), env }))).toMatch(/^ok\s/);
    await run("go", ["vet", "./..."], { cwd: join(ROOT, "examples/go") });
  });
});

// No registry has the sources of a WAMR that knows SIMD: examples/c/README.md says how to build it, WAMR_ROOT_DIR where it is.
const wamr = process.env.WAMR_ROOT_DIR;
if (!wamr) console.warn("skipped: examples/c needs WAMR_ROOT_DIR, the folder of a WAMR that was built");
describe.skipIf(!wamr)("C, on WAMR", () => {
  const zagreus = join(work, "zagreus-c");
  beforeAll(async () => {
    const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-Ihost/wasi/contract", `-I${wamr}/core/iwasm/include`];
    const libraries = [`${wamr}/build/libiwasm.a`, "-lm", "-lpthread", "-ldl"];
    await run("cc", [...flags, "-o", zagreus, "examples/c/main.c", ...libraries]);
  });

  test.each(MODELS)("%s", (path) => compare((...args) => run(zagreus, [MODULES.simd, ...args]), path));
});

describe.skipIf(!has("cargo", "--version", "examples/rust"))("Rust", () => {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "test/.cache/rust");
  beforeAll(async () => {
    const env = { ...process.env, CARGO_TARGET_DIR: target };
    await run("cargo", ["build", "--quiet", "--locked"], { cwd: join(ROOT, "examples/rust"), env });
  }, 2_400_000); // the compiler of Wasmtime is compiled first

  test.each(Object.entries(MODULES).flatMap(([build, module]) => MODELS.map((path) => [build, path, module])))(
    "%s: %s",
    (_, path, module) => compare((...args) => run(join(target, "debug/zagreus"), [module, ...args]), path),
  );
});
