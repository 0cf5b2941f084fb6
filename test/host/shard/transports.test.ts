// A model over processes, by TCP and by pipes, and over workers, by ports: the text is that of one process.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { afterAll, expect, test } from "vitest";
import { bundledModel, load, type Model } from "zagreus-edge";
import { loadSharded, type Port, portChannel, streamChannel } from "zagreus-edge/shards";
import { GREEDY, PROMPT } from "../../support/nano";

const SCRIPT = fileURLToPath(new URL("process.mjs", import.meta.url));
const OPTIONS = { build: "simd", contextLength: 256, sequences: 4 } as const;
const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

const args = (first: number, end: number, transport: string) => [
  fileURLToPath(bundledModel),
  `${first}`,
  `${end}`,
  transport,
];

function start(...given: Parameters<typeof args>): ChildProcess {
  const child = spawn(process.execPath, [SCRIPT, ...args(...given)], { stdio: ["pipe", "pipe", "inherit"] });
  ends.push(() => child.kill());
  return child;
}

/** A process that listens, and how to reach whichever is the latest. */
async function listening(first: number, end: number) {
  const listener = {
    port: 0,
    child: undefined as ChildProcess | undefined,
    async start() {
      listener.child = start(first, end, "tcp");
      const [line] = await once(listener.child.stdout!, "data");
      listener.port = Number(line);
    },
    async connect() {
      const socket = connect(listener.port, "127.0.0.1");
      await once(socket, "connect");
      return streamChannel(socket);
    },
  };
  await listener.start();
  return listener;
}

async function expected(maxTokens: number): Promise<string> {
  const alone = await load(bundledModel, OPTIONS);
  const text = await alone.complete(PROMPT, { ...GREEDY, maxTokens }).text();
  alone.close();
  return text;
}

async function said(model: Model, maxTokens: number, then?: () => void): Promise<string> {
  let text = "";
  let count = 0;
  for await (const piece of model.complete(PROMPT, { ...GREEDY, maxTokens })) {
    text += piece.text;
    if (++count === 8) then?.();
  }
  return text;
}

test("two processes over TCP, of which one is killed in the middle of a text", async () => {
  const shards = await Promise.all([listening(0, 3), listening(3, 8)]);
  const model = await loadSharded(
    bundledModel,
    shards.map(({ connect }) => connect),
    OPTIONS,
  );
  ends.push(() => model.close());
  const text = await expected(40);
  expect(await said(model, 40)).toBe(text);
  const [, second] = shards;
  const restart = () => {
    second!.child!.kill("SIGKILL");
    second!.child!.once("exit", () => void second!.start());
  };
  expect(await said(model, 40, restart)).toBe(text);
  expect(await said(model, 40)).toBe(text);
});

test("two processes over pipes", async () => {
  const pipes = () => {
    const made = [start(0, 5, "stdio"), start(5, 8, "stdio")];
    return made.map(({ stdout, stdin }) => streamChannel({ stdout: stdout!, stdin: stdin! }));
  };
  const channels = pipes();
  const model = await loadSharded(
    bundledModel,
    channels.map((channel) => () => channel),
    OPTIONS,
  );
  ends.push(() => model.close());
  const prompts = [PROMPT, "Il mare", "Once upon a time"];
  const alone = await load(bundledModel, OPTIONS);
  const texts = (from: Model) =>
    Promise.all(prompts.map((prompt) => from.complete(prompt, { ...GREEDY, maxTokens: 20 }).text()));
  expect(await texts(model)).toEqual(await texts(alone));
  alone.close();
});

test("two workers over ports, of which one is ended in the middle of a text", async () => {
  const workers: (Worker | undefined)[] = [];
  const port = (index: number, first: number, end: number) => () => {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(SCRIPT, {
      workerData: { args: args(first, end, "port"), port: port2 },
      transferList: [port2],
    });
    workers[index] = worker;
    ends.push(() => worker.terminate());
    return portChannel(port1 as unknown as Port);
  };
  const model = await loadSharded(bundledModel, [port(0, 0, 4), port(1, 4, 8)], OPTIONS);
  ends.push(() => model.close());
  const text = await expected(40);
  expect(await said(model, 40)).toBe(text);
  expect(await said(model, 40, () => void workers[0]!.terminate())).toBe(text);
});
