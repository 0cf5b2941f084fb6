// The installed package in Node, Deno and Bun.

import { once } from "node:events";
import { closeSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startHub } from "../support/hub_server";
import { installPackage, output, RUNTIMES, runSuiteIn } from "./installed.mjs";
import { EXPECTED } from "./prompt_api/suite.mjs";
import { failures } from "./suite.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const BYTES = readFileSync(here("../../host/models/zagreus-nano-Q8_0.gguf"));
const MODEL = "node_modules/zagreus-edge/host/models/zagreus-nano-Q8_0.gguf";
const READ_MODEL = `--allow-read=${MODEL}`;
const names = Object.keys(RUNTIMES);

let project;
beforeAll(() => {
  project = installPackage();
  for (const file of ["faults.mjs", "source.mjs", "event_loop.mjs", "snapshot.mjs", "server.mjs", "server_suite.mjs"])
    cpSync(here(file), `${project.directory}/${file}`);
  cpSync(here("prompt_api"), `${project.directory}/prompt_api`, { recursive: true });
  for (const file of ["junk.mjs", "runtimes.mjs"]) cpSync(here(`../junk/${file}`), `${project.directory}/${file}`);
});
afterAll(() => project?.remove());

function run(name, script, { allow = [], args = [], ...options } = {}) {
  const [command, ...rest] = RUNTIMES[name](script, ...allow);
  return output(command, [...rest, ...args], project.directory, options);
}

test.each(names)("%s passes the suite", async (name) => {
  const report = await runSuiteIn(name, project.directory);
  expect(failures(report)).toEqual([]);
  const working = report.rows.filter(({ works }) => works).map(({ build }) => build);
  expect(working).toEqual(expect.arrayContaining(["simd", "simd-mt"]));
});

test.each(names)("%s passes it with the model in another thread", async (name) => {
  expect(failures(await runSuiteIn(name, project.directory, "offload"))).toEqual([]);
});

test.each(names)("%s: faults end in typed errors, and the next load works", async (name) => {
  const server = createServer((_, response) => {
    response.setHeader("content-length", BYTES.length);
    response.write(BYTES.subarray(0, BYTES.length >> 1), () => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${server.address().port}`;
  const allow = [READ_MODEL, `--allow-net=${host}`];
  const report = JSON.parse(await run(name, "faults.mjs", { allow, args: [`http://${host}/model.gguf`] }));
  server.close();
  const killed = "THREAD_FAILED,THREAD_FAILED,THREAD_FAILED"; // what ran, what waited, and what came later
  expect(report).toEqual({
    cut: "SOURCE_FAILED",
    threadKilled: killed,
    modelKilled: killed,
    cutOffloaded: "SOURCE_FAILED",
    missing: "SOURCE_FAILED",
    after: true,
  });
});

test.each(names)("%s takes a file, standard input and a model of the hub", async (name) => {
  const expected = await run(name, "source.mjs", { allow: [READ_MODEL], args: [MODEL] });
  expect(expected.length).toBeGreaterThan(10);
  const model = openSync(`${project.directory}/${MODEL}`);
  expect(await run(name, "source.mjs", { stdin: model })).toBe(expected);
  closeSync(model);

  const files = [{ path: "nano-Q8_0.gguf", bytes: BYTES, lfs: true }];
  const hub = await startHub([{ name: "acme/nano", commit: "0123456789abcdef0123456789abcdef01234567", files }]);
  const cache = `${project.directory}/cache ${name}`;
  mkdirSync(cache);
  const hosts = [hub.endpoint, hub.cdn].map((url) => new URL(url).host);
  const allow = [
    `--allow-net=${hosts}`,
    `--allow-read=${cache}`,
    `--allow-write=${cache}`,
    "--allow-env",
    "--allow-sys",
  ];
  const env = { HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint, HF_TOKEN: "hf_test" };
  expect(await run(name, "source.mjs", { allow, args: ["hf:acme/nano"], env })).toBe(expected);
  await hub.close();
});

test.each(["Node 20", "Node 24", "Bun"])("%s: the command asks a proxy, or says why not", async (name) => {
  const asked = [];
  const proxy = createServer((request, response) => {
    asked.push(new URL(request.url).hostname);
    response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  proxy.on("connect", ({ url }, socket) => {
    asked.push(url.split(":")[0]);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await once(proxy, "listening");
  const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.address().port}` };
  const args = ["complete", "a", "-m", "http://models.example/x.gguf"];
  const { stderr } = await run(name, "node_modules/zagreus-edge/dist/cli.js", { args, env }).catch((error) => error);
  proxy.close();
  expect(asked).toEqual(name === "Node 20" ? [] : ["models.example"]);
  expect(stderr).toContain(name === "Node 20" ? "NODE_USE_ENV_PROXY=1" : "zagreus: ");
});

test("prompts that one runtime has kept come back in every other", async () => {
  const keep = async (name, folder) => {
    const allow = [READ_MODEL, `--allow-read=${folder}`, `--allow-write=${folder}`, "--allow-sys"];
    return JSON.parse(await run(name, "snapshot.mjs", { allow, args: [folder] }));
  };
  for (const from of names) {
    const folder = `${project.directory}/prompts ${from}`;
    const { text, reused } = await keep(from, folder);
    expect([text.length > 10, reused]).toEqual([true, 0]);
    for (const name of names) expect(await keep(name, folder)).toEqual({ text, reused: 96 });
  }
});

test("a session that one runtime saved goes on in every other, with the same tokens", async () => {
  const snapshot = async (name, options) =>
    JSON.parse(await run(name, "snapshot.mjs", { allow: [READ_MODEL], ...options }));
  const saved = await snapshot(names[0]);
  expect(saved.text.length).toBeGreaterThan(10);
  for (const name of names) expect(await snapshot(name)).toEqual(saved);
  for (const [i, from] of names.entries()) {
    const file = `${project.directory}/snapshot ${from}`;
    writeFileSync(file, (await snapshot(from)).snapshot);
    const stdin = openSync(file);
    expect(await snapshot(names[(i + 1) % names.length], { stdin })).toEqual(saved);
    closeSync(stdin);
  }
});

test("the server's handler is the same everywhere", async () => {
  const allow = [READ_MODEL, "--allow-net=127.0.0.1"];
  const serve = async (name) => JSON.parse(await run(name, "server.mjs", { allow }));
  const expected = await serve(names[0]);
  expect(expected).toMatchObject({ denied: 401, invalid: 400, large: 413, hungUp: true, closed: 503 });
  expect(expected.streamed).toBe(expected.text);
  for (const name of names.slice(1)) expect({ name, ...(await serve(name)) }).toEqual({ name, ...expected });
});

test("the Prompt API is the same everywhere", async () => {
  const report = async (name) =>
    JSON.parse(await run(name, "prompt_api/run.mjs", { allow: [READ_MODEL], args: [MODEL] }));
  const expected = await report(names[0]);
  expect(expected).toMatchObject(EXPECTED);
  for (const name of names.slice(1)) expect({ name, ...(await report(name)) }).toEqual({ name, ...expected });
});

test.each(["Node 20", "Node 24"])("%s: an offloaded model leaves the event loop free", async (name) => {
  const { plain, offloaded } = JSON.parse(await run(name, "event_loop.mjs"));
  expect(plain).toBeGreaterThan(0.7);
  expect(offloaded).toBeLessThan(0.3);
});

test.each(names)("%s: whatever is passed, what is thrown is a ZagreusError", async (name) => {
  expect(JSON.parse(await run(name, "runtimes.mjs", { allow: [READ_MODEL] }))).toEqual([]);
});

test("Deno is asked for no permission but to read the model, and says so without it", async () => {
  const { stderr } = await run("Deno", "source.mjs", { args: [MODEL] }).catch((error) => error);
  expect(stderr).toContain("SOURCE_FAILED");
  expect(stderr).toMatch(/Requires read access to .*zagreus-nano-Q8_0\.gguf/);
});

test("the Deno example does what its README says", async () => {
  const commands = /```sh\n([\s\S]*?)```/.exec(readFileSync(here("../../examples/deno/README.md"), "utf8"))[1].trim();
  const [prepare, run, ...more] = commands.split("\n");
  expect(prepare).toBe("npm ci && npm run build"); // as it was before these tests
  expect(more).toEqual([]);
  const [deno] = RUNTIMES.Deno("");
  const env = { PATH: `${dirname(deno)}:${process.env.PATH}` };
  expect((await output("sh", ["-c", run], here("../.."), { env })).length).toBeGreaterThan(50);
});

test("JSR would take the package", async () => {
  const [deno] = RUNTIMES.Deno("");
  await output(deno, ["publish", "--dry-run", "--allow-dirty", "--config", "jsr.json"], here("../.."));
});

test("Deno finds the package's types", async () => {
  const [deno] = RUNTIMES.Deno("");
  const code = `import { bundledModel, load, type Model } from "zagreus-edge";
    const model: Model = await load(bundledModel, { kvType: "f32" });
    // @ts-expect-error an unknown option
    model.complete("a", { temprature: 1 });`;
  writeFileSync(`${project.directory}/types.ts`, code);
  await output(deno, ["check", "types.ts"], project.directory);
});

test.each([
  ["Node 20", "index.js"],
  ["Node 24", "index.js"],
  ["Deno", "deno.js"],
  ["Bun", "index.js"],
])("%s resolves the package to dist/%s", async (name, file) => {
  const [command] = RUNTIMES[name]("");
  const code = 'console.log(import.meta.resolve("zagreus-edge"))';
  const args = { Deno: ["eval", code], Bun: ["-e", code] }[name] ?? ["--input-type=module", "-e", code];
  expect((await output(command, args, project.directory)).trim()).toMatch(new RegExp(`/dist/${file}$`));
});
