// lm-evaluation-harness itself, from PyPI, against `zagreus serve`: accuracy and log-likelihoods of small tasks in the shape of the
// makers' (m_mmlu_it, arc_it, hellaswag_it; 0 and 5 shots) are those of `zagreus eval` on the same rows, and greedy chat is chat()'s.
//
//     python3 -m venv VENV && VENV/bin/pip install -r test/lm_eval/requirements.txt
//     node test/lm_eval/run.mjs VENV/bin/python

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bundledModel, load } from "../../dist/index.js";

const TASKS = ["mmlu", "arc", "hellaswag"];
const TOKENS = 24; // max_gen_toks of tasks/said_it.yaml

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = process.argv[2] ?? "python3";
const cli = here("../../dist/cli.js");
const work = mkdtempSync(join(tmpdir(), "zagreus-lm-eval-"));
const lines = (path) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const server = spawn(
  process.execPath,
  [cli, "serve", "--port", "0", "--no-prompt-cache", "--template", "chatml", "--json"],
  {
    stdio: ["ignore", "pipe", "inherit"],
  },
);
process.on("exit", () => {
  server.kill();
  rmSync(work, { recursive: true, force: true });
});
const { url, model } = JSON.parse(String((await once(server.stdout, "data"))[0]));

/** What the harness says of the tasks: results by task, and the samples. */
async function harness(name, api, tasks, more = []) {
  const out = join(work, name);
  const tokenizer = here("../fixtures/zagreus-nano-hf");
  const settings = { model, base_url: `${url}/v1/${api.path}`, ...api.settings(tokenizer), max_length: 512 };
  const args = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  await run(
    python,
    ["-m", "lm_eval", "--model", api.model, "--model_args", args.join(), "--tasks", tasks.join(), ...more].concat([
      ...["--include_path", "tasks", "--output_path", out, "--log_samples"],
    ]),
    { cwd: here("."), env: { ...process.env, HF_HUB_OFFLINE: "1", HF_HOME: join(work, "hf") }, maxBuffer: 2 ** 26 },
  ).catch(({ stderr }) => {
    throw new Error(stderr.slice(-4000));
  });
  const folder = join(out, readdirSync(out)[0]);
  const file = (start) =>
    join(
      folder,
      readdirSync(folder).find((name) => name.startsWith(start)),
    );
  const { results } = JSON.parse(readFileSync(file("results_"), "utf8"));
  return Object.fromEntries(
    tasks.map((task) => {
      const samples = lines(file(`samples_${task}_`)).sort((a, b) => a.doc_id - b.doc_id);
      return [task, { acc: results[task]["acc,none"], accNorm: results[task]["acc_norm,none"], samples }];
    }),
  );
}

const COMPLETIONS = {
  model: "local-completions",
  path: "completions",
  settings: (tokenizer) => ({ tokenizer_backend: "huggingface", tokenizer, add_bos_token: "True" }),
};
const CHAT = { model: "local-chat-completions", path: "chat/completions", settings: () => ({}) };

/** The same by `zagreus eval`. */
async function own(task, shots) {
  const out = join(work, `${task}-${shots}.jsonl`);
  const rows = (name) => here(`rows/${task}_it${name}.jsonl`);
  const examples = shots > 0 ? ["--examples", rows("_train"), "--shots", String(shots)] : [];
  const args = ["eval", rows(""), "--task", task, ...examples, "-o", out, "--json"];
  const { stdout } = await run(process.execPath, [cli, ...args]);
  return { ...JSON.parse(stdout), answers: lines(out) };
}

let failed = false;
function compare(what, harness, own) {
  const isEqual = JSON.stringify(harness) === JSON.stringify(own);
  if (!isEqual) console.error(`${what} differs:`, harness, own);
  failed ||= !isEqual;
  return isEqual;
}

const nameOf = (task, shots) => `edge_${task}_it${shots > 0 ? `_${shots}` : ""}`;
const asked = TASKS.flatMap((task) => [0, 5].map((shots) => ({ task, shots, name: nameOf(task, shots) })));
const theirs = await harness(
  "choices",
  COMPLETIONS,
  asked.map(({ name }) => name),
);
for (const { task, shots, name } of asked) {
  const { acc, accNorm, samples } = theirs[name];
  const ours = await own(task, shots);
  const what = `${task}, ${shots} shots`;
  compare(`accuracy of ${what}`, [acc, accNorm], [ours.acc, ours.acc_norm]);
  // Sums of the same numbers, that the harness adds up in its own order.
  const rounded = (sums) => sums.map((sum) => Number(sum).toFixed(9));
  const logprobs = samples.map(({ filtered_resps }) => rounded(filtered_resps.map(([sum]) => sum)));
  compare(
    `log-likelihoods of ${what}`,
    logprobs,
    ours.answers.map((answer) => rounded(answer.logprobs)),
  );
  console.log(`${what}: acc ${acc}, acc_norm ${accNorm}, ${logprobs.flat().length} log-likelihoods`);
}

const { edge_said_it: said } = await harness("chat", CHAT, ["edge_said_it"], ["--apply_chat_template"]);
const alone = await load(bundledModel);
const options = { template: "chatml", temperature: 0, maxTokens: TOKENS, stop: "\n\n" };
for (const { doc, filtered_resps } of said.samples) {
  const text = await alone.chat([{ role: "user", content: doc.instruction }], options).text();
  compare(`the answer to "${doc.instruction}"`, filtered_resps[0], text);
}
alone.close();
console.log(`chat: ${said.samples.length} greedy answers`);
process.exit(failed || said.samples.length === 0 ? 1 : 0);
