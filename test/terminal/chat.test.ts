// `zagreus chat` at a pseudo-terminal of util-linux's `script`, as a person uses it.

import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bundledModel } from "zagreus-edge";
import { CLI } from "../support/command";

/** The model's end tokens are banned. */
const ENDLESS = [8177, 8179, 8182, 8183].map((token) => `--logit-bias ${token}=-inf`).join(" ");
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const UP = "\x1b[A";

/** Runs the command at a terminal; `until` waits for what it shows. */
function open(flags: string, model = "-m zagreus-nano --template chatml", env: Record<string, string> = {}) {
  const command = `${process.execPath} ${CLI} chat ${model} --temp 0 ${flags}`;
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, TERM: "xterm", ...env },
  });
  let shown = "";
  let changed = () => {};
  child.stdout.on("data", (chunk) => {
    shown += chunk;
    changed();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  /** All that was shown since the last call, when it has `text`. */
  const until = async (text: string | RegExp): Promise<string> => {
    while (shown.search(text) < 0) {
      await new Promise<void>((resolve, reject) => {
        changed = resolve;
        ended.then((code) => reject(new Error(`ended with ${code} after ${JSON.stringify(shown)}`)));
      });
    }
    const all = shown;
    shown = "";
    return all;
  };
  return { type: (keys: string) => child.stdin.write(keys), until, ended };
}

test("a conversation: prompt, reply, history, help, leaving with Ctrl-D", async () => {
  const { type, until, ended } = open("-n 4");
  expect(await until("> ")).toContain("/help shows the commands");
  type("Ciao\r");
  await until(/\(cut: -n allows more\).*> /s);
  type(`${UP}\r`);
  expect(await until(/\(cut: -n allows more\).*> /s)).toContain("Ciao");
  type("/help\r");
  expect(await until(/\/exit.*> /s)).toContain("/save FILE");
  type(CTRL_D);
  expect(await ended).toBe(0);
});

test("Ctrl-C stops a reply without leaving, and twice at the empty prompt leaves", async () => {
  const { type, until, ended } = open(`-n 400 ${ENDLESS}`);
  await until("> ");
  for (let i = 0; i < 2; i++) {
    type("Ciao\r");
    await until(/Ciao\s+\S/); // whatever the model writes first
    type(CTRL_C);
    await until(/\(stopped\).*> /s);
  }
  type(CTRL_C);
  await until(/Ctrl-C again or \/exit to leave.*> /s);
  type(CTRL_C);
  expect(await ended).toBe(0);
});

test("a failure does not end it", async () => {
  const { type, until, ended } = open("-n 4 --context 48");
  await until("> ");
  type(`${"parola ".repeat(60)}\r`);
  await until(/zagreus: .* do not fit into the context of 48 tokens.*> /s);
  type("/load /no/such/file\r");
  await until(/zagreus: cannot open "\/no\/such\/file": no such file.*> /s);
  type("/exit\r");
  expect(await ended).toBe(0);
});

test("what is shown cannot send the terminal commands", async () => {
  const { type, until, ended } = open("-n 4 --system '\x1b]0;title\x07'");
  await until("> ");
  type("/system\r");
  expect(await until(/title.*> /s)).not.toContain("\x1b]0;");
  type("/exit\r");
  expect(await ended).toBe(0);
});

test("without a model there is a list to choose from, the context is shown, and colour can be switched off", async () => {
  const home = mkdtempSync(join(tmpdir(), "zagreus-picker-"));
  const folder = join(home, "hub/models--acme--nano/snapshots", "a".repeat(40));
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(home, "hub/models--acme--nano/refs"));
  writeFileSync(join(home, "hub/models--acme--nano/refs/main"), "a".repeat(40));
  copyFileSync(bundledModel, join(folder, "nano-Q8_0.gguf"));
  const env = { HF_HOME: home, HF_HUB_OFFLINE: "1" };
  const { type, until, ended } = open("-n 4 --template chatml", "", env);
  const list = await until("Which one?");
  expect(list.indexOf("hf:acme/nano")).toBeGreaterThan(0);
  expect(list.indexOf("hf:acme/nano")).toBeLessThan(list.indexOf("nesso-instruct"));
  type("99\r");
  await until("Which one?");
  type("\r");
  expect(await until("> ")).toContain("\x1b[36m");
  type("Ciao\r");
  await until(/\d+ %.*> /s);
  type(CTRL_D);
  expect(await ended).toBe(0);

  const plain = open("", "", { ...env, NO_COLOR: "1" });
  expect(await plain.until("Which one?")).not.toContain("\x1b[1m");
  plain.type(CTRL_C);
  expect(await plain.ended).toBe(0);
  rmSync(home, { recursive: true });
});

test("a server's tools: asked before each call, until always; Ctrl-C stops one that hangs", async () => {
  const server = fileURLToPath(new URL("../support/mcp/server.mjs", import.meta.url));
  const tools = (name: string) =>
    `-n 60 --max-steps 2 --mcp '${process.execPath} ${server}' --mcp-tools ${name} --tool-choice ${name}`;
  const { type, until, ended } = open(tools("fails"));
  await until("/help shows the commands");
  type("Ciao\r");
  expect(await until(/this tool\): /)).toMatch(/is to run fails\(\{\}\)/);
  type("perhaps\r");
  await until(/this tool\): /);
  type("n\r");
  await until(/fails\(\{\}\) = .*the user does not allow this call/);
  await until(/\[36m> /);
  type("/reset\r");
  await until("a new conversation");
  type("Ciao\r");
  await until(/this tool\): /);
  type("a\r");
  await until(/fails\(\{\}\) = .*it is broken/);
  await until(/\[36m> /);
  type("/reset\r");
  await until("a new conversation");
  type("Ciao\r");
  expect(await until(/fails\(\{\}\) = .*it is broken/)).not.toContain("a(lways");
  await until(/\[36m> /);
  type(CTRL_D);
  expect(await ended).toBe(0);

  const hanging = open(tools("hangs"));
  await hanging.until("/help shows the commands");
  hanging.type("Ciao\r");
  await hanging.until(/this tool\): /);
  hanging.type("y\r");
  await hanging.until("\n");
  await new Promise((resolve) => setTimeout(resolve, 300)); // so that it hangs
  hanging.type(CTRL_C);
  await hanging.until("(stopped)");
  hanging.type(CTRL_D);
  expect(await hanging.ended).toBe(0);
});
