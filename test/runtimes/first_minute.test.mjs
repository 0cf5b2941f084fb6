// The first minute on a machine that reaches nothing but a hub: the package installed from its tarball, a model whose makers publish
// safetensors only, an answer; and the second time.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { checkpointFiles, startHub } from "../support/hub_server";
import { installPackage, output, RUNTIMES } from "./installed.mjs";

const REPOSITORY = "mii-llm/nesso-0.4B-instruct";
const FOLDER = "models--mii-llm--nesso-0.4B-instruct";
const isWeights = ({ host }) => host === "cdn";

let project;
let hub;
let home;
beforeAll(() => {
  project = installPackage("chat.mjs");
});
afterAll(() => project?.remove());
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "zagreus-first-"));
  hub = await startHub([{ name: REPOSITORY, commit: "f".repeat(40), files: checkpointFiles() }]);
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true });
});

/** Starts the installed command in an empty home. */
function zagreus(...args) {
  const env = { ...process.env, HF_HOME: home, HF_ENDPOINT: hub.endpoint };
  const command = join(project.directory, "node_modules/.bin/zagreus");
  const child = spawn(command, args, { cwd: project.directory, env, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end("Ciao, chi sei?\n");
  return child;
}

async function finish(child) {
  const read = async (stream) => (await stream.toArray()).join("");
  const [stdout, stderr, [code]] = await Promise.all([read(child.stdout), read(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

const chat = () => zagreus("chat", "-m", "nesso-instruct", "-n", "12", "--temp", "0");
const cached = (...path) => join(home, "hub", FOLDER, ...path);
const blobs = () => (existsSync(cached("blobs")) ? readdirSync(cached("blobs")) : []);

test("zagreus chat answers from safetensors, and the second time without a request for weights", async () => {
  const first = await finish(chat());
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout.length).toBeGreaterThan(5);
  expect(first.stderr).toMatch(
    /has safetensors only: downloading \d+(\.\d)? MB, then making nesso-0\.4B-instruct-Q4_0\.gguf/,
  );
  expect(first.stderr).toMatch(/made nesso-0\.4B-instruct-Q4_0\.gguf, \d+(\.\d)? MB, in \d+ s/);
  expect(hub.requests.filter(isWeights)).toHaveLength(1);

  hub.requests.length = 0;
  const second = await finish(chat());
  expect(second).toMatchObject({ code: 0, stdout: first.stdout });
  expect(second.stderr).not.toContain("safetensors");
  expect(hub.requests.map(({ kind }) => kind)).toEqual(["api"]);
  await hub.close();
  expect((await finish(chat())).stdout).toBe(first.stdout);

  const listed = JSON.parse((await finish(zagreus("list", "--json"))).stdout).models;
  expect(listed).toMatchObject([{ id: "nesso-instruct", kind: "made", type: "Q4_0" }]);
  expect((await finish(zagreus("show", "nesso-instruct"))).stdout).toContain("conversation and instructions");
  expect((await finish(zagreus("rm", "nesso-instruct"))).stdout).toMatch(/MB are free again/);
  expect(existsSync(cached())).toBe(false);
});

test("killed in the middle of the download, it goes on from there", async () => {
  hub.misbehave = (request) => (isWeights(request) ? { slow: 5 } : undefined);
  const killed = chat();
  const ending = finish(killed);
  while (!blobs().some((name) => name.endsWith(".incomplete")) || hub.requests.filter(isWeights).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise((resolve) => setTimeout(resolve, 400));
  killed.kill("SIGKILL");
  await ending;
  expect(
    existsSync(cached("zagreus")) &&
      readdirSync(cached("zagreus"), { recursive: true }).some((name) => name.endsWith(".gguf")),
  ).toBe(false);

  hub.misbehave = () => undefined;
  hub.requests.length = 0;
  const { code, stderr } = await finish(chat());
  expect(code, stderr).toBe(0);
  const [request] = hub.requests.filter(isWeights);
  expect(request.headers.range).toMatch(/^bytes=[1-9]\d+-$/);
  expect(blobs().filter((name) => name.length > 40)).toEqual([]); // the safetensors are removed all the same
});

test("two at once make it once", async () => {
  const results = await Promise.all([finish(chat()), finish(chat())]);
  expect(results.map(({ code }) => code)).toEqual([0, 0]);
  expect(results[0].stdout).toBe(results[1].stdout);
  expect(hub.requests.filter(isWeights)).toHaveLength(1);
});

test.each(Object.keys(RUNTIMES))(
  "%s: load() answers from safetensors, and the second time from the cache",
  async (name) => {
    const hosts = [hub.endpoint, hub.cdn].map((url) => new URL(url).host);
    const allow = [`--allow-net=${hosts}`, "--allow-read", `--allow-write=${home}`, "--allow-env", "--allow-sys"];
    const [command, ...args] = RUNTIMES[name]("chat.mjs", ...allow);
    const env = { HF_HOME: home, HF_ENDPOINT: hub.endpoint };
    const run = async () => JSON.parse(await output(command, [...args, "nesso-instruct"], project.directory, { env }));
    const first = await run();
    expect(first).toMatchObject({ name: "nesso-0.4B-instruct", quantization: "Q4_0" });
    expect(first.phases).toEqual(["download", "quantize", "weights"]);
    expect(first.text.length).toBeGreaterThan(5);
    hub.requests.length = 0;
    expect(await run()).toEqual({ ...first, phases: ["weights"] });
    expect(hub.requests.filter(isWeights)).toEqual([]);
  },
);
