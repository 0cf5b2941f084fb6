// Compares chat templates that people use, rendered by jinja2 as transformers sets it up and by us: those that llama.cpp
// keeps in models/templates, out of the git bundle that node-llama-cpp's package carries.
//
//     npm ci --prefix test/oracle && node test/oracle/templates.mjs
//
// PYTHON names a Python that has transformers and jinja2; without it one is made in a temporary folder.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const PACKAGES = ["transformers==5.24.0", "jinja2==3.1.6"];
const here = path.dirname(fileURLToPath(import.meta.url));
const bundle = path.join(here, "node_modules/node-llama-cpp/llama/gitRelease.bundle");
const work = mkdtempSync(path.join(os.tmpdir(), "templates-"));
const run = (program, ...args) =>
  execFileSync(program, args, { maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "ignore"] });

function python() {
  if (process.env.PYTHON) return process.env.PYTHON;
  run("python3", "-m", "venv", path.join(work, "venv"));
  run(path.join(work, "venv/bin/pip"), "install", "-q", ...PACKAGES);
  return path.join(work, "venv/bin/python");
}

/** The folder with the templates. */
function templates() {
  run("git", "clone", "-q", "--no-checkout", bundle, path.join(work, "llama"));
  run("git", "-C", path.join(work, "llama"), "checkout", "-q", "HEAD", "--", "models/templates");
  return path.join(work, "llama/models/templates");
}

async function renderer() {
  const outfile = path.join(work, "render.mjs");
  await build({
    entryPoints: [path.join(here, "../../host/core/chat/render.ts")],
    bundle: true,
    format: "esm",
    outfile,
  });
  const { renderChat } = await import(pathToFileURL(outfile).href);
  const tokenizer = { bos: 1, eos: 2, addBos: true, end: [2], special: { "<s>": 1, "</s>": 2 }, userDefined: {} };
  const info = { name: "oracle", metadata: {}, namedTemplates: {}, tokenizer };
  return (template, { messages, tools }) =>
    renderChat(info, messages, { template, ...(tools && { tools }) }, async () => {});
}

/** Templates that never mention tools get them in the system message from us, which is not what is compared. */
function knowingTools(source) {
  return /\btools\b/.test(source) ? source : `${source.replace(/\n$/, "")}{#+ tools #}`;
}

/** What differs first. */
function difference(got, wanted) {
  let at = 0;
  while (got[at] === wanted[at]) at++;
  const around = (text) => JSON.stringify(text.slice(Math.max(0, at - 30), at + 50));
  return `${around(got)} instead of ${around(wanted)}`;
}

try {
  if (!existsSync(bundle)) throw new Error("npm ci --prefix test/oracle comes first");
  const folder = templates();
  const { conversations, rendered } = JSON.parse(run(python(), path.join(here, "templates.py"), folder).toString());
  const render = await renderer();
  let equal = 0;
  for (const { template, conversation, text } of rendered) {
    const source = readFileSync(path.join(folder, template), "utf8");
    const got = await render(knowingTools(source), conversations[conversation]).then(
      (chat) => chat.text,
      (error) => `${error.code}: ${error.message}`,
    );
    if (got === text) equal++;
    else console.log(`${template}, ${conversation}: ${difference(got, text)}`);
  }
  console.log(`${equal} of the ${rendered.length} pairs that jinja2 renders are equal`);
  process.exitCode = equal === rendered.length && equal >= 198 ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
