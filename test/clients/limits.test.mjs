// The process itself: full queue, shutdown, keys, hosts, what a wrong command line says.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import { afterEach, describe, expect, test } from "vitest";
import { chatModel, loadAlone, serve, until } from "./server.mjs";
import { all, endless, failure, PROMPT } from "./setup.mjs";

const BASE = fileURLToPath(new URL("../../host/models/zagreus-nano-Q8_0.gguf", import.meta.url));
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

let server;
afterEach(() => server?.stop("SIGKILL"));

async function start(args, options) {
  server = await serve(args, options);
  return new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 });
}

const alone = await loadAlone();
const logit_bias = endless(alone);
alone.close();
const long = (client, options) =>
  client.completions.create({ model: server.name, prompt: PROMPT, max_tokens: 400, logit_bias, stream: true }, options);

/** A stream that runs, and its chunks to come. */
async function running(client) {
  const iterator = (await long(client))[Symbol.asyncIterator]();
  await iterator.next();
  return { rest: async () => all({ [Symbol.asyncIterator]: () => iterator }) };
}

describe("a full queue", () => {
  test("429 says when to come again", async () => {
    const client = await start(["--max-queue", "0", "--sequences", "1"]);
    const { rest } = await running(client);
    const error = await failure(long(client));
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(Number(error.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await rest()).at(-1).choices[0].finish_reason).toBe("length");
    expect((await (await long(client)).toReadableStream().getReader().read()).done).toBe(false);
  });

  test("the client that tries again gets its answer", async () => {
    const client = await start(["--max-queue", "0", "--sequences", "1"]);
    await running(client);
    const patient = client.withOptions({ maxRetries: 5 });
    expect((await all(await long(patient))).length).toBeGreaterThan(300);
  });
});

test("a client with many requests does not keep another one waiting", async () => {
  const client = await start(["--api-key", "busy", "--api-key", "another", "--sequences", "1"]);
  const [busy, other] = ["busy", "another"].map((apiKey) => client.withOptions({ apiKey }));
  const options = () => ({ model: server.name, prompt: PROMPT, max_tokens: 60, logit_bias });
  let done = 0;
  const many = Array.from({ length: 20 }, () => busy.completions.create(options()).then(() => done++));
  await until(async () => (await server.metric("zagreus_queue_waiting")) > 10, "most of them wait");
  await other.completions.create(options());
  expect(done).toBeLessThan(15);
  await Promise.all(many);
});

describe("shutdown", () => {
  test.each(["SIGTERM", "SIGINT"])("%s lets a stream end, and no one else in", async (signal) => {
    const client = await start([]);
    const { rest } = await running(client);
    const code = server.stop(signal);
    const chunks = await rest();
    expect(chunks.at(-1).choices[0].finish_reason).toBe("length");
    expect(await code).toBe(0);
    expect(await failure(client.models.list())).toBeInstanceOf(OpenAI.APIConnectionError);
  });

  test("without grace a stream ends with an error", async () => {
    const client = await start(["--grace", "0"]);
    const { rest } = await running(client);
    const code = server.stop("SIGTERM");
    expect(await failure(rest())).toMatchObject({ code: "shutting_down" });
    expect(await code).toBe(0);
  });

  test("is at once when nothing runs, also with open connections", async () => {
    const client = await start([]);
    await client.models.list(); // keeps its connection
    const begun = Date.now();
    expect(await server.stop("SIGTERM")).toBe(0);
    expect(Date.now() - begun).toBeLessThan(3000);
  });
});

test("the key may come from the environment; without it only /health answers", async () => {
  await start([], { env: { ZAGREUS_API_KEY: "k" } });
  for (const path of ["/v1/models", "/metrics"]) expect((await fetch(server.url + path)).status).toBe(401);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "k" });
  expect((await client.models.list()).data).toHaveLength(1);
});

test("pages of other origins are let in only if they are named", async () => {
  const headers = { origin: "https://page.test" };
  await start([]);
  expect((await fetch(`${server.url}/v1/models`, { headers })).headers.get("access-control-allow-origin")).toBeNull();
  await server.stop();
  await start(["--cors", "https://page.test"]);
  const response = await fetch(`${server.url}/v1/models`, { headers });
  expect(response.headers.get("access-control-allow-origin")).toBe("https://page.test");
});

test("a name for the model; a base model completes, and refuses to chat", async () => {
  const client = await start(["--name", "base"], { model: BASE });
  expect(server.name).toBe("base");
  const { choices } = await client.completions.create({ model: "base", prompt: PROMPT, max_tokens: 2 });
  expect(choices).toHaveLength(1);
  const messages = [{ role: "user", content: "Ciao" }];
  expect(await failure(client.chat.completions.create({ model: "base", messages }))).toMatchObject({ status: 400 });
});

test("a template from the command line", async () => {
  const client = await start(["--template", "chatml"], { model: BASE });
  const messages = [{ role: "user", content: "Ciao" }];
  const { choices } = await client.chat.completions.create({ model: server.name, messages, max_tokens: 2 });
  expect(choices[0].message.role).toBe("assistant");
});

test.each([
  [2, ["--port", "99999"]],
  [2, ["--max-queue", "-1"]],
  [1, ["-m", "no such file"]],
])("ends with %i for %j, in one line", async (code, args) => {
  const model = args[0] === "-m" ? [] : ["-m", await chatModel()];
  const ended = await new Promise((resolve) => {
    execFile(process.execPath, [CLI, "serve", ...model, ...args], (error, _, stderr) => resolve({ error, stderr }));
  });
  expect(ended.error.code).toBe(code);
  if (code === 1) expect(ended.stderr.trim().split("\n")).toHaveLength(1);
});

test("two servers cannot have one port", async () => {
  await start([]);
  const { port } = new URL(server.url);
  await expect(serve(["--port", port])).rejects.toThrow(/ended with 1: .*in use/);
  await until(async () => (await fetch(`${server.url}/health`)).ok, "the first one answers");
});
