// The terminal of `zagreus chat`, with the keys that a person presses.

import { PassThrough } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { Terminal } from "../../../host/node/cli/chat/terminal";

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const UP = "\x1b[A";

function open({ tty = true } = {}) {
  const input = Object.assign(new PassThrough(), { isTTY: tty, setRawMode() {} });
  const output = Object.assign(new PassThrough(), { isTTY: tty, columns: 80 });
  let screen = "";
  output.on("data", (chunk) => {
    screen += chunk;
  });
  const controller = new AbortController();
  const terminal = new Terminal({ input, output }, controller.signal);
  const type = async (...keys: string[]) => {
    for (const key of keys) {
      input.write(key);
      await setTimeout(20); // keys come one by one
    }
  };
  return { terminal, type, input, abort: () => controller.abort(), screen: () => screen };
}

/** Work that lasts until it is stopped. */
const untilStopped = (signal: AbortSignal) =>
  new Promise<string>((resolve) => signal.addEventListener("abort", () => resolve("stopped")));

test("a script's lines come one by one, without prompts, and then no more", async () => {
  const { terminal, input, screen } = open({ tty: false });
  expect(terminal.interactive).toBe(false);
  input.end("a\r\nb\n\nlast");
  const lines: (string | undefined)[] = [];
  for (let i = 0; i < 6; i++) lines.push(await terminal.read("> "));
  expect(lines).toEqual(["a", "b", "", "last", undefined, undefined]);
  expect(screen()).toBe("");
});

test("what a script said before its end is still worked on", async () => {
  const { terminal, input } = open({ tty: false });
  input.end("a\nb\n");
  expect(await terminal.read("> ")).toBe("a");
  await setTimeout(20);
  expect(await terminal.interruptible(async (signal) => signal.aborted)).toBe(false);
  expect(await terminal.read("> ")).toBe("b");
});

test("a person sees a prompt, edits the line, and gets old lines back", async () => {
  const { terminal, type, screen } = open();
  const first = terminal.read("you> ");
  await type("ciaa", "\x7f", "o", "\r");
  expect(await first).toBe("ciao");
  expect(screen()).toContain("you> ");
  const second = terminal.read("you> ");
  await type(UP, "!", "\r");
  expect(await second).toBe("ciao!");
  const third = terminal.read("you> ");
  await type(UP, UP, "\r");
  expect(await third).toBe("ciao");
});

test("Ctrl-C stops what runs and leaves nothing else", async () => {
  const { terminal, type } = open();
  for (let i = 0; i < 3; i++) {
    const work = terminal.interruptible(untilStopped);
    await type(CTRL_C);
    expect(await work).toBe("stopped");
  }
  const line = terminal.read("> ");
  await type("x\r");
  expect(await line).toBe("x");
});

test("Ctrl-C empties a line; twice at an empty one leaves", async () => {
  const { terminal, type, screen } = open();
  const line = terminal.read("> ");
  await type("wrong", "\x1b[D", CTRL_C, "right", "\r");
  expect(await line).toBe("right");
  const second = terminal.read("> ");
  await type(CTRL_C);
  expect(screen()).toContain("(Ctrl-C again or /exit to leave)");
  await type("still here\r"); // which takes the first one back
  expect(await second).toBe("still here");
  const third = terminal.read("> ");
  await type(CTRL_C, CTRL_C);
  expect(await third).toBeUndefined();
});

test("Ctrl-D leaves", async () => {
  const { terminal, type } = open();
  const line = terminal.read("> ");
  await type(CTRL_D);
  expect(await line).toBeUndefined();
});

test("what is typed meanwhile is not shown between other output, and comes next", async () => {
  const { terminal, type, screen } = open();
  const work = terminal.interruptible(untilStopped);
  await type("early\r", "and ha");
  expect(screen()).not.toContain("early");
  await type(CTRL_C);
  await work;
  expect(await terminal.read("> ")).toBe("early");
  const line = terminal.read("> ");
  await type("lf\r");
  expect(await line).toBe("and half");
});

test("the process's signal ends everything", async () => {
  const { terminal, type, abort } = open();
  await type("queued\r");
  const work = terminal.interruptible(untilStopped);
  abort();
  expect(await work).toBe("stopped");
  expect(await terminal.read("> ")).toBeUndefined();
  expect(await terminal.interruptible(async (signal) => signal.aborted)).toBe(true);
});
