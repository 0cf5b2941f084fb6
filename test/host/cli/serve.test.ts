// `zagreus serve` as a process.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { bundledModel } from "zagreus-edge";
import { nameOf, parseNamed } from "../../../host/node/cli/serve/models";
import { finish, start } from "../../support/command";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Starts the command; `ready` is what it prints, `ended` its exit code and all that it said. */
function serve(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = start(["serve", "--port", "0", "--json", ...args], env);
  children.push(child);
  const ended = finish(child);
  const ready = (async () => {
    const [line] = await Promise.race([
      once(child.stdout!, "data"),
      ended.then(({ stderr }) => Promise.reject(stderr)),
    ]);
    return JSON.parse(String(line)) as { url: string; model: string };
  })();
  ready.catch(() => {});
  return { child, ready, ended };
}

function complete(url: string, body: object, init: RequestInit = {}): Promise<Response> {
  const headers = { "content-type": "application/json", ...init.headers };
  return fetch(`${url}/v1/completions`, { ...init, method: "POST", headers, body: JSON.stringify(body) });
}

/** The value of a metric. */
async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(name))
      ?.split(" ")
      .at(-1) ?? 0,
  );
}

test("browsers get the chat page, told that a server answers", async () => {
  const { ready } = serve(["--log", "off"]);
  const { url } = await ready;
  const page = await fetch(url, { headers: { accept: "text/html" } });
  const html = await page.text();
  expect(html).toContain('data-backend="server"');
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name!);
  expect(files.length).toBeGreaterThan(3);
  for (const name of files) {
    const response = await fetch(`${url}/${name}`);
    expect([name, response.status, response.headers.get("x-content-type-options")]).toEqual([name, 200, "nosniff"]);
    await response.text();
  }
});

test("it says where it listens, answers, and ends well with SIGTERM", async () => {
  const { child, ready, ended } = serve(["--name", "nano", "--template", "chatml"]);
  const { url, model } = await ready;
  expect(model).toBe("nano");
  const models = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
  expect(models.data.map(({ id }) => id)).toEqual(["nano"]);
  const id = { headers: { "x-request-id": "one:1" } };
  const answer = await complete(url, { prompt: "C'era una volta", max_tokens: 4 }, id);
  expect([answer.status, answer.headers.get("x-request-id")]).toEqual([200, "one:1"]);
  expect((await fetch(`${url}/health`)).status).toBe(200); // probes that are well have no line
  child.kill("SIGTERM");
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  const lines = stderr.split("\n");
  expect([lines[0], ...lines.slice(-2)]).toEqual([
    `zagreus: serving nano at ${url}/v1, the chat page at ${url}`,
    "zagreus: stopping; a second signal ends at once",
    "",
  ]);
  const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
  const [listed, completed, ...more] = lines.slice(1, -2);
  expect(listed).toMatch(new RegExp(`^${time} req_\\w+ 127.0.0.1 GET /v1/models 200 \\d+ ms$`));
  const facts = String.raw`: prompt \d+, wrote 4, queue \d+ ms, first token \d+ ms, [\d.]+ tok/s$`;
  expect(completed).toMatch(new RegExp(`^${time} one:1 127.0.0.1 POST /v1/completions 200 "nano" \\d+ ms${facts}`));
  expect(more).toEqual([]);
});

test("what runs when it is stopped is finished, what takes longer is ended", async () => {
  for (const [grace, expected] of [
    ["10", '"finish_reason":"length"'],
    ["0", '"code":"shutting_down"'],
  ] as const) {
    const { child, ready, ended } = serve(["--grace", grace]);
    const { url } = await ready;
    const answer = await complete(url, { prompt: "a", max_tokens: 400, stream: true, logit_bias: { 8177: -100 } });
    child.kill("SIGINT");
    const text = await answer.text();
    expect(text).toContain(expected);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect((await ended).code).toBe(0);
  }
});

test("who hangs up frees the model, who sends nonsense gets 400", async () => {
  const { ready } = serve([]);
  const { url } = await ready;
  for (const stream of [true, false]) {
    const controller = new AbortController();
    const body = { prompt: "a", max_tokens: 500, stream, logit_bias: { 8177: -100 } };
    const answer = complete(url, body, { signal: controller.signal });
    answer.catch(() => {});
    while ((await metric(url, "zagreus_requests_running")) === 0);
    controller.abort();
    while ((await metric(url, "zagreus_requests_running")) === 1);
    await expect(answer.then((response) => response.text())).rejects.toThrow();
  }
  expect(await metric(url, 'zagreus_requests_total{route="/v1/completions",status="499"}')).toBe(2);
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write("NONSENSE\r\n\r\n");
  const [reply] = await once(socket, "data");
  expect(String(reply)).toMatch(/^HTTP\/1\.1 400 /);
  socket.destroy();
});

test("keys from options and from the environment", async () => {
  for (const [args, env] of [
    [["--api-key", "one", "--api-key", "two"], {}],
    [[], { ZAGREUS_API_KEY: "two" }],
  ] as const) {
    const { ready } = serve([...args], env);
    const { url } = await ready;
    expect((await complete(url, { prompt: "a" })).status).toBe(401);
    const headers = { authorization: "Bearer two" };
    expect((await complete(url, { prompt: "a", max_tokens: 1 }, { headers })).status).toBe(200);
  }
});

test("what cannot be is said in one line", async () => {
  const { ready } = serve([]);
  const { port } = new URL((await ready).url);
  const failures = [
    [
      ["--port", port],
      1,
      new RegExp(`^zagreus: port ${port} of 127.0.0.1 is in use: --port takes another one, 0 any`, "m"),
    ],
    [["--host", "192.0.2.1"], 1, /^zagreus: 192\.0\.2\.1 is no address of this machine/m],
    [["--template", "/nowhere.jinja"], 1, /nowhere\.jinja/],
    [["-m", "/nowhere.gguf"], 1, /nowhere\.gguf/],
    [["--port", "x"], 2, /integer/],
    [["--port", "65536"], 2, /from 0 to 65535/],
    [["--max-queue", "9999999999"], 2, /maxQueue/],
  ] as const;
  for (const [args, expected, pattern] of failures) {
    const { code, stderr } = await serve(args).ended;
    expect([code, stderr]).toEqual([expected, expect.stringMatching(pattern)]);
  }
});

test("--log json is a line of JSON for each request, off none; neither takes hold of a terminal", async () => {
  for (const format of ["json", "off"]) {
    const { child, ready, ended } = serve(["--log", format]);
    const { url } = await ready;
    await (await complete(url, { prompt: "a", max_tokens: 2, model: "\u001b[31m" })).text();
    await (await fetch(`${url}/%E2%80%AE%9B%1B`)).text();
    child.kill("SIGTERM");
    const { stderr } = await ended;
    const lines = stderr.split("\n").filter((line) => line && !line.startsWith("zagreus: "));
    for (const control of ["\u001b", "\u009b", "\u202e"]) expect(stderr).not.toContain(control);
    if (format === "off") expect(lines).toEqual([]);
    else {
      const [first, second] = lines.map((line) => JSON.parse(line));
      expect(first).toMatchObject({ status: 404, error: "model_not_found", path: "/v1/completions", method: "POST" });
      expect(second).toMatchObject({ status: 404, error: "unknown_url", client: "127.0.0.1" });
    }
  }
});

test("several models by their names, loaded when they are wanted, within --memory", async () => {
  const { child, ready, ended } = serve([
    "-m",
    "zagreus-nano",
    "-m",
    `file=${fileURLToPath(bundledModel)}`,
    "--memory",
    "100",
  ]);
  const { url, models } = (await ready) as unknown as { url: string; models: string[] };
  expect(models).toEqual(["zagreus-nano", "file"]);
  for (const model of ["file", "zagreus-nano", undefined, "file"]) {
    const answer = (await (await complete(url, { prompt: "a", max_tokens: 1, model })).json()) as { model: string };
    expect(answer.model).toBe(model ?? "zagreus-nano");
  }
  const missing = await complete(url, { prompt: "a", model: "other" });
  expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining("zagreus-nano")]);
  child.kill("SIGTERM");
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  const told = [...stderr.matchAll(/^zagreus: ((?:un)?loaded [\w-]+)/gm)].map(([, what]) => what);
  expect(told).toEqual(["loaded file", "unloaded file", "loaded zagreus-nano", "unloaded zagreus-nano", "loaded file"]);
  expect(stderr).toContain("zagreus: file has no chat template");
});

test("what several models cannot be called", async () => {
  for (const [args, expected, pattern] of [
    [["-m", "zagreus-nano", "-m", "zagreus-nano"], 2, /two models are called "zagreus-nano"/],
    [["-m", "zagreus-nano", "-m", "b=zagreus-nano", "--name", "c"], 2, /--name/],
    [["-m", "zagreus-nano", "-m", "/nowhere.gguf"], 1, /nowhere\.gguf/],
    [["--memory", "1"], 1, /memory budget is 1,048,576/],
  ] as const) {
    const { code, stderr } = await serve(args).ended;
    expect([code, stderr]).toEqual([expected, expect.stringMatching(pattern)]);
  }
});

test("names of models", () => {
  for (const [text, name, model] of [
    ["a=b.gguf", "a", "b.gguf"],
    ["a=https://x/y?z=1", "a", "https://x/y?z=1"],
    ["https://x/y.gguf?z=1", "y", "https://x/y.gguf?z=1"],
    ["./a=b.gguf", "a=b", "./a=b.gguf"],
    ["hf:owner/repo", "owner/repo", "hf:owner/repo"],
    ["nesso-instruct", "nesso-instruct", "nesso-instruct"],
    ["zagreus-nano", "zagreus-nano", "zagreus-nano"],
    ["/models/Big Model.GGUF", "Big Model", "/models/Big Model.GGUF"],
  ] as const) {
    const parsed = parseNamed(text);
    expect([nameOf(parsed), parsed.model]).toEqual([name, model]);
  }
});
