// Every fenced block of the documents: programs compile under strict TypeScript and run, commands run, data is read. What does not run
// here is printed with the reason.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chatModel, TEMPLATE } from "../clients/server.mjs";
import { output, RUNTIMES } from "../runtimes/installed.mjs";
import { NAME, smollm2 } from "../smollm2/model.mjs";
import { checkpointFiles, startHub } from "../support/hub_server";
import { projectFiles } from "../support/imports";
import { blocksOf, freePort, project, ROOT, withoutTypes } from "./blocks.mjs";
import { COMMANDS, FOLLOWED, PAGES, PRINTED, PROGRAMS } from "./documents.mjs";

const DOCUMENTS = projectFiles(".").filter((path) => /^[^/]*\.md$|^(docs|examples|test\/runtimes)\/.*\.md$/.test(path));
const sectionOf = ({ document, heading }) => `${document}: ${heading}`;
const blocks = DOCUMENTS.flatMap(blocksOf).map((block) => ({ ...block, section: sectionOf(block) }));
const of = (...languages) => blocks.filter(({ language }) => languages.includes(language));
const testsOf = (folder) => projectFiles(folder).map((path) => readFileSync(path, "utf8"));
/** Who runs the blocks of a section that the tests of a folder follow. */
function followed({ document, heading }) {
  const folder = FOLLOWED[document];
  if (folder === undefined || !testsOf(folder).some((text) => text.includes(JSON.stringify(heading)))) return undefined;
  return { in: "page", elsewhere: `${folder} follows the section` };
}
const withRows = (list, rows) => list.map((block) => ({ ...block, row: rows[block.section] ?? followed(block) }));
const programs = withRows(of("ts", "js"), PROGRAMS);
const commands = withRows(of("sh"), COMMANDS);
const pages = withRows(of("html"), PAGES);
const printed = withRows(of(""), PRINTED);

/** A model of the hub and its files, by which documents call it. */
const question = { role: "user", content: "Che ore sono?" };
const clock = { type: "function", function: { name: "clock", parameters: { type: "object", properties: {} } } };
const cases = [{ id: "s", lang: "IT", cat: "single", messages: [question], spec: { tools: ["clock"], n: 1 } }];
const SUITE =
  "https://raw.githubusercontent.com/mii-llm/zagreus-nesso-slm/main/nesso2/eval/agentic_eval_cases_100.json";
const TEXTS = {
  "notes.txt": "Il re dorme. La regina canta. Piove sul mare.\n".repeat(20),
  "arc_it.jsonl": `${JSON.stringify({ question: "Di che colore è il cielo?", choices: ["blu", "rosso"], answer: 0 })}\n`,
  "agentic_eval_cases_100.json": JSON.stringify({ tools: [clock], cases }),
  "answers.jsonl": `${JSON.stringify({ variant: "plain", id: "s", answer: "Ciao" })}\n`,
  "conv_prompts.json": JSON.stringify({ IT: { a: [question] }, EN: { a: [question] } }),
};

let folder;
let hub;
let environment;
beforeAll(async () => {
  folder = project(TEXTS);
  const link = (name, target) => symlinkSync(target, join(folder.directory, name));
  link("examples", join(ROOT, "examples"));
  link("suite.mjs", join(ROOT, "test/runtimes/suite.mjs"));
  link("model-F16.gguf", join(ROOT, "test/fixtures/models/zagreus-nano-F16.gguf"));
  link("model-Q5_K_M.gguf", join(ROOT, "test/fixtures/community/tiny-Q5_K_M.gguf"));
  const chat = await chatModel();
  for (const name of ["nesso-instruct-Q4_0.gguf", "zagreus-ita-Q4_0.gguf", "model.gguf", "base.gguf"]) link(name, chat);
  const changed = {
    "tokenizer_config.json": { chat_template: TEMPLATE },
    "config.json": { max_position_embeddings: 2048 },
  };
  const files = checkpointFiles().map((file) => {
    if (!(file.path in changed)) return file;
    const config = { ...JSON.parse(Buffer.from(file.bytes).toString()), ...changed[file.path] };
    return { ...file, bytes: Buffer.from(JSON.stringify(config)) };
  });
  for (const { path, bytes } of files) {
    folder.write(`model/${path}`, "");
    writeFileSync(join(folder.directory, "model", path), bytes);
  }
  const names = ["zagreus-0.4B-ita", "nesso-0.4B-instruct", "nesso2-0.4B-agentic"].map((name) => `mii-llm/${name}`);
  const commit = "f".repeat(40);
  const gguf = [{ path: "model.gguf", bytes: readFileSync(chat), lfs: true }];
  const small = [{ path: NAME, bytes: readFileSync(await smollm2()), lfs: true }];
  hub = await startHub([
    { name: "OWNER/REPO", commit, files: gguf },
    { name: "HuggingFaceTB/SmolLM2-135M-Instruct", commit, files: small },
    ...names.map((name) => ({ name, commit, files })),
  ]);
  folder.write("bin/zagreus", `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/dist/cli.js" "$@"\n`);
  environment = {
    HF_HOME: join(folder.directory, "home"),
    HF_ENDPOINT: hub.endpoint,
    KEY: "secret",
    PATH: [join(folder.directory, "bin"), process.env.PATH].join(delimiter),
  };
  await output("chmod", ["+x", "bin/zagreus"], folder.directory);
});
afterAll(async () => {
  await hub?.close();
  folder?.remove();
});

test("every block is of a known kind and has a row, and every row a block", () => {
  for (const document of DOCUMENTS) expect(readFileSync(document, "utf8"), document).not.toMatch(/^( +```|~~~)/m);
  const known = ["ts", "js", "sh", "html", "json", "python", ""]; // Python: test/embedding runs its README
  expect(blocks.filter(({ language }) => !known.includes(language))).toEqual([]);
  const all = [...programs, ...commands, ...pages, ...printed];
  expect(all.filter(({ row }) => !row).map(({ section }) => section)).toEqual([]);
  const sections = all.map(({ section }) => section);
  for (const rows of [PROGRAMS, COMMANDS, PAGES, PRINTED])
    expect(sections).toEqual(expect.arrayContaining(Object.keys(rows)));
  for (const { section, row } of all) {
    const { elsewhere, lines = {} } = row;
    if (elsewhere) console.log(`not run here: ${section}: ${elsewhere}`);
    for (const [line, reason] of Object.entries(lines))
      console.log(`not run here: ${section}: ${line.trim()}: ${reason}`);
  }
});

/** What programs are compiled with, by where they run. */
const COMPILERS = {
  Node: { types: ["node"], lib: ["es2023"] },
  Deno: { types: ["deno"], lib: ["esnext", "dom"] },
  Bun: { types: ["bun"], lib: ["esnext"] },
  Worker: { types: [], lib: ["es2023", "webworker"] },
  page: { types: [], lib: ["es2023", "dom", "dom.asynciterable"], customConditions: ["browser"] },
};

/** A program as it is compiled and run. */
const whole = ({ row: { before = "" }, code }) => `${before}\n${code}\nexport {};\n`;

test.each(Object.keys(COMPILERS))("programs of %s compile under strict TypeScript", (name) => {
  const own = programs.filter(({ row }) => row?.in === name);
  const files = own.map((program, i) => {
    const file = `${name}-${i}.${program.language === "js" ? "mjs" : "mts"}`;
    folder.write(file, whole(program));
    return join(folder.directory, file);
  });
  expect(files).not.toEqual([]);
  const { lib, ...options } = COMPILERS[name];
  const program = ts.createProgram(files, {
    ...options,
    strict: true,
    noEmit: true,
    allowJs: true,
    checkJs: false, // of others' files in JavaScript nothing is known
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: lib.map((part) => `lib.${part}.d.ts`),
    typeRoots: [join(folder.directory, "node_modules/@types")],
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const place =
      file && `${own[files.indexOf(file.fileName)]?.section ?? file.fileName}, ${file.text.slice(start, start + 40)}`;
    return `${place}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  expect(problems).toEqual([]);
});

describe("programs run", () => {
  const here = programs.filter(({ row }) => row && !row.elsewhere);
  test.each(here.map((program) => [program.section, program]))("%s", async (_, program) => {
    const runtime = program.row.in === "Deno" ? "Deno" : "Node 20";
    const port = await freePort();
    folder.write("program.mjs", withoutTypes(whole(program).replaceAll("8080", String(port))));
    const [command, ...args] = RUNTIMES[runtime]("program.mjs", "--allow-read", "--allow-net");
    if (!program.row.serves) return void (await output(command, args, folder.directory, { env: environment }));
    await served(command, args, `http://127.0.0.1:${port}`);
  });
});

describe("commands run", () => {
  const here = commands.filter(({ row }) => row && !row.elsewhere);
  const lines = here.flatMap(({ section, code, row: { lines: left = {} } }) =>
    code
      .replaceAll("\\\n", "")
      .trim()
      .split("\n")
      .filter((line) => !Object.keys(left).some((beginning) => line.startsWith(beginning)))
      .map((line) => [section, line]),
  );
  test.each(lines)("%s: %s", async (_, line) => {
    const port = await freePort();
    // npx finds the command of the package that is installed; here it is on the PATH
    const script = line
      .replace(/^npx /, "")
      .replace(SUITE, "agentic_eval_cases_100.json")
      .replace("8080", String(port));
    if (!script.startsWith("zagreus serve")) {
      return void (await output("sh", ["-ec", `echo Ciao | ${script}`], folder.directory, { env: environment }));
    }
    const given = line.includes("--port")
      ? script
      : `zagreus serve --port ${port} ${script.slice("zagreus serve".length)}`;
    await served("sh", ["-ec", `exec ${given}`], `http://127.0.0.1:${port}`);
  });
});

/** Runs what serves until it answers at /health. */
async function served(command, args, url) {
  const env = { ...process.env, ...environment };
  const child = spawn(command, args, { cwd: folder.directory, env, stdio: ["ignore", "inherit", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const healthy = () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await healthy())) {
    if (child.exitCode !== null) throw new Error(stderr);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill();
  await once(child, "exit");
}

test("data is what it says", () => {
  for (const { code } of of("json")) JSON.parse(code);
});
