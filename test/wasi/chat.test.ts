// zagreus.wasm chats as the Node command does, by compiled templates; what is no conversation, or no template of that form, is refused.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { MODEL, node, ROOT, temporary, wasi, wasmtime } from "./harness";

const at = (name: string) => join("test/.cache", name); // where the guest sees it
const compiled = (name: string) => at(`wasi-${name}.zgt`);
const LINES = "Ciao, come stai?\n\n  Due \\\nrighe <|im_end|>\u3000\n//x\r\n  \nfine";
/** A template with a system message of its own, which takes another one's place and trims it. */
const OWN = `{% if messages[0].role != "system" %}<|im_start|>system\nSei utile.<|im_end|>\n{% endif %}
{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim if m.role == "system" else m.content }}<|im_end|>\n{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}`;

beforeAll(() => {
  writeFileSync(join(ROOT, at("wasi-own.jinja")), OWN);
  for (const [name, template] of Object.entries({ chatml: "chatml", llama3: "llama3", own: at("wasi-own.jinja") })) {
    const { code, stderr } = node(["template", "--template", template, "-o", compiled(name)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  }
});

const chat = (template: string, ...options: string[]) => ["chat", "-m", MODEL, "--template", template, ...options];

test.each([
  ["chatml", "--temp 0 -n 20"],
  ["llama3", "--seed 5 -n 30 --top-p 0.9 --min-p 0.01 --top-k 90 --system Breve."],
  ["chatml", "--temp 0 -n 12 --json --no-repeat-ngram 3 --system x --stop e --logit-bias 300=2"],
  ["own", "--temp 0 -n 9 --json --repetition-penalty 1.2"],
  ["own", "--temp 0 -n 9 --json --context 90 --kv f16"],
])("with %s, %s", (template, options) => {
  const mine = chat(compiled(template), ...options.split(" "));
  const path = template === "own" ? at("wasi-own.jinja") : template;
  const theirs = node([...chat(path, ...options.split(" ")), "--build", "simd", "--no-loop-stop"], { input: LINES });
  expect(wasi(mine, { input: LINES })).toEqual(theirs);
  expect(theirs.code).toBe(options.includes("--context") ? 1 : 0); // the last one's conversation is too long
  if (template === "llama3") expect(wasmtime(mine, { input: LINES })).toEqual(theirs);
});

test("/exit ends it, other commands are not there", () => {
  const { code, stdout, stderr } = wasi(chat(compiled("chatml"), "--json"), { input: "/help\n/exit\nCiao\n" });
  expect({ code, stdout }).toEqual({ code: 0, stdout: '{"messages":[]}\n' });
  expect(stderr).toContain("only /exit");
});

test("options, files and models that do not fit are refused in a sentence", () => {
  const refusal = (args: string[], input: string | Uint8Array = "Ciao\n") => {
    const { code, stderr } = wasi(args, { input });
    expect(stderr).toMatch(/^(zagreus|error): [^\n]+\n/);
    return `${code} ${stderr}`;
  };
  expect(refusal(chat(compiled("chatml"), "--top-p", "2"))).toBe(
    '2 zagreus: option "topP" is 2, must be a number from 0 to 1\n',
  );
  expect(refusal(["chat", "-m", MODEL])).toContain("required option '--template <file>'");
  expect(refusal(["chat", "-m", "-", "--template", compiled("chatml")])).toContain(
    "cannot both come from standard input",
  );
  expect(refusal(chat("no-such.zgt"))).toContain('1 zagreus: cannot read "no-such.zgt": ');
  expect(refusal(chat("../no-rights.zgt"))).toContain("in no directory that the host opens");
  expect(refusal(chat("host/models"))).toContain("it is a folder; GGUF files in it: zagreus-nano-Q8_0.gguf");
  const bytes = readFileSync(join(ROOT, compiled("llama3")));
  for (const cut of [0, 3, 9, 40, bytes.length - 1]) {
    writeFileSync(join(ROOT, at("wasi-cut.zgt")), bytes.subarray(0, cut));
    expect(refusal(chat(at("wasi-cut.zgt")))).toContain("is no chat template that this version");
  }
  bytes.write("X", bytes.indexOf("<|eot_id|>") + 2);
  writeFileSync(join(ROOT, at("wasi-cut.zgt")), bytes);
  expect(refusal(chat(at("wasi-cut.zgt")))).toContain('this one has no control token "<|Xot_id|>"');
});

test("templates of another form are not compiled", () => {
  const refusal = (template: string) => {
    writeFileSync(join(ROOT, at("wasi-other.jinja")), template);
    const { code, stderr } = node(["template", "--template", at("wasi-other.jinja"), "-o", at("wasi-other.zgt")]);
    return `${code} ${stderr}`;
  };
  expect(refusal("{{ messages[-1].content }}")).toContain("it does not write every message once, in order");
  expect(refusal(`{{ strftime_now("%Y") }}${OWN}`)).toContain("it writes the date");
  const cut = OWN.replace("else m.content", "else (m.content.split('</think>') | last)");
  expect(refusal(cut)).toContain("makes something else than its pieces");
  expect(node(["template", "-o", at("wasi-other.zgt")]).stderr).toContain("has no chat template");
});

test("a reader that has gone ends it without a word, a full disk with one", () => {
  const said = (target: string) => {
    const args = ["run", "--dir", ".", "dist/wasi/zagreus.wasm", ...chat(compiled("chatml"), "-n", "200")];
    const run = ["node", join(ROOT, "test/wasi/wasmtime.mjs"), ...args].join(" ");
    const script = `yes Ciao | head -n 40 | ${run} 2>"$0" ${target}`;
    execFileSync("bash", ["-c", script, temporary("stderr")], { cwd: ROOT });
    return readFileSync(temporary("stderr"), "utf8");
  };
  const gone = said("| head -c 5");
  expect(gone).not.toContain("zagreus:");
  expect(gone).toContain("exit status 0");
  expect(said(">/dev/full || true")).toContain("zagreus: cannot write: No space left");
});
