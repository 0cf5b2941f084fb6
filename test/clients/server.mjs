// `zagreus serve` as a process, with a model that can chat: zagreus-nano and a template in its file.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { load } from "../../dist/index.js";
import { quantize } from "../../dist/quantize.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** ChatML with Hermes tools in few words, because zagreus-nano has 512 positions. */
export const TEMPLATE = `
{%- if tools %}<|im_start|>system
<tools>{% for tool in tools %}{{ tool.function | tojson }}{% endfor %}</tools><|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}
{%- if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

const directory = mkdtempSync(join(tmpdir(), "zagreus-clients-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
let made;

/** The file of zagreus-nano as a chat model. */
export function chatModel() {
  made ??= (async () => {
    const source = join(directory, "nano");
    const config = join(source, "tokenizer_config.json");
    cpSync(here("../fixtures/zagreus-nano-hf"), source, { recursive: true });
    writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), chat_template: TEMPLATE }));
    const file = join(directory, "nano-chat.gguf");
    await quantize(source, file, { type: "q8_0" });
    return file;
  })();
  return made;
}

/** The same model in this process, to compare with. */
export const loadAlone = async () => load(await chatModel());

/** Starts `zagreus serve ARGS`; `name` is what /v1/models calls the model. */
export async function serve(args = [], { env = {}, model } = {}) {
  const command = [
    here("../../dist/cli.js"),
    "serve",
    "-m",
    model ?? (await chatModel()),
    "--port",
    "0",
    "--no-prompt-cache",
    ...args,
  ];
  const child = spawn(process.execPath, command, {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, ...env },
  });
  const ended = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  ended.then(() => process.off("exit", kill));
  const stderr = [];
  const url = await new Promise((resolve, reject) => {
    createInterface(child.stderr).on("line", (line) => {
      stderr.push(line);
      const found = /http:\/\/[^\s/]+/.exec(line);
      if (found) resolve(found[0]);
    });
    ended.then(([code]) => reject(new Error(`zagreus serve ended with ${code}: ${stderr.join("\n")}`)));
  });
  const key = env.ZAGREUS_API_KEY ?? args[args.indexOf("--api-key") + 1 || args.length];
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  const { data } = await (await fetch(`${url}/v1/models`, { headers })).json();
  return {
    url,
    name: data[0].id,
    pid: child.pid,
    stderr,
    /** The sum of a metric over its labels. */
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`, { headers })).text();
      if (!text.includes(`# TYPE ${name} `)) throw new Error(`there is no metric ${name}`);
      const samples = [...text.matchAll(/^(\w+)(?:\{.*\})? (\S+)$/gm)].filter(([, found]) => found === name);
      return samples.reduce((sum, [, , value]) => sum + Number(value), 0);
    },
    /** Sends a signal; the exit code or the signal that ended the process. */
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      const [code, by] = await ended;
      return code ?? by;
    },
  };
}

/** Waits until `condition` holds. */
export async function until(condition, what, milliseconds = 10_000) {
  const end = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
